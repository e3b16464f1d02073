//! The command line of `metalprobe`: flags of contract §6.2, in Go syntax (`-flag v`, `--flag=v`), plus the `wipe`
//! command. The same parser reads the flags that an ignition carries.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, FromArgMatches, ValueEnum};

use crate::agent::AgentOptions;
use crate::go_duration;
use crate::registry::{RegistryToken, RegistryUrl};
use crate::wipe::WipeOptions;

/// What `metalprobe` was asked to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Register this machine and keep its registration fresh.
    Probe(AgentOptions),
    /// Erase every drive of this machine.
    Wipe(WipeOptions),
}

impl Command {
    /// How to log, whatever the command.
    #[must_use]
    pub fn logging(&self) -> &LogOptions {
        match self {
            Self::Probe(options) => &options.logging,
            Self::Wipe(options) => &options.logging,
        }
    }
}

/// Where the registry is and who calls it.
#[derive(Args, Clone, Debug)]
pub struct RegistryOptions {
    /// Base URL of the operator's registry.
    #[arg(long, value_name = "URL")]
    pub registry_url: RegistryUrl,
    /// UUID under which the operator knows this machine.
    #[arg(long, value_name = "UUID")]
    pub server_uuid: SystemUuid,
    /// Bearer token for the registry, valid for this machine, tenancy and purpose.
    #[arg(long, value_name = "TOKEN")]
    pub registry_token: Option<RegistryToken>,
    /// Time limit of one request to the registry.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = go_duration::parse)]
    pub registry_client_timeout: Duration,
    /// First delay after a failed request; doubles with every further failure.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = go_duration::parse)]
    pub duration: Duration,
}

/// Logging flags, named as those of the Go agent.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// Lowest level that is logged.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub zap_log_level: LogLevel,
    /// Form of the log lines.
    #[arg(long, value_name = "ENCODER", default_value = "json")]
    pub zap_encoder: LogEncoder,
}

/// Lowest level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Debug,
    Info,
    Error,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogEncoder {
    Json,
    Console,
}

/// The UUID of a machine, in the spelling in which it was given: the registry's keys are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUuid(String);

impl SystemUuid {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SystemUuid {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "" => Err("the UUID is empty; an empty UUID would match any machine that has none"),
            uuid => Ok(Self(uuid.to_owned())),
        }
    }
}

/// Built by hand around the two option structs: a derived parser cannot make flattened flags optional next to a command.
fn command() -> clap::Command {
    let wipe = clap::Command::new("wipe")
        .about("Erases every drive of this machine, verifies each, and reports to the operator");
    let metalprobe = clap::Command::new("metalprobe")
        .about("In-band agent of the metal operator: registers this machine, or wipes its drives")
        .version(env!("CARGO_PKG_VERSION"))
        .no_binary_name(true)
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .subcommand(WipeOptions::augment_args(wipe));
    AgentOptions::augment_args(metalprobe)
}

/// Parses the arguments after the program name.
///
/// # Errors
/// What is wrong, in the words that `metalprobe` would print; also the text asked for by `--help` and `--version`.
pub fn parse<I>(arguments: I) -> Result<Command, clap::Error>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let arguments = arguments.into_iter().map(|argument| two_dashes(argument.into()));
    let matches = command().try_get_matches_from(arguments)?;
    match matches.subcommand_matches("wipe") {
        Some(matches) => WipeOptions::from_arg_matches(matches).map(Command::Wipe),
        None => AgentOptions::from_arg_matches(&matches).map(Command::Probe),
    }
}

/// Go accepts long flags with one dash; our short flags are single letters.
fn two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text)
            if text.starts_with('-') && !text.starts_with("--") && text.chars().nth(2).is_some_and(|c| c != '=') =>
        {
            format!("-{text}").into()
        }
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_flags_of_a_discovery_ignition() {
        for line in [
            "--registry-url=http://r:10000 --server-uuid=4C4C-ab --registry-token=tok",
            "--registry-url http://r:10000/ --server-uuid 4C4C-ab --registry-token tok",
            "-registry-url=http://r:10000 -server-uuid 4C4C-ab -registry-token=tok",
        ] {
            let Ok(Command::Probe(options)) = parse(words(line)) else {
                panic!("{line}")
            };
            assert_eq!(options.registry.registry_url.to_string(), "http://r:10000");
            assert_eq!(options.registry.server_uuid.as_str(), "4C4C-ab");
            assert_eq!(options.registry.registry_token, Some("tok".parse().expect("a token")));
            assert_eq!(options.registry.registry_client_timeout, Duration::from_secs(5));
            assert_eq!(options.lldp_sync_interval, Duration::from_secs(5));
            assert_eq!(options.lldp_sync_duration, Duration::from_secs(30));
        }
    }

    #[test]
    fn every_flag_of_the_go_agent() {
        let line = "--registry-url=http://r --server-uuid=u --duration=1s --registry-client-timeout=1m30s \
                    --lldp-sync-interval=1s --lldp-sync-duration=0 --zap-log-level=debug --zap-encoder=console";
        let Ok(Command::Probe(options)) = parse(words(line)) else {
            panic!("{line}")
        };
        assert_eq!(options.registry.duration, Duration::from_secs(1));
        assert_eq!(options.registry.registry_client_timeout, Duration::from_secs(90));
        assert_eq!(options.lldp_sync_duration, Duration::ZERO);
        assert_eq!(options.logging.zap_log_level, LogLevel::Debug);
        assert_eq!(options.logging.zap_encoder, LogEncoder::Console);
    }

    #[test]
    fn the_flags_of_a_cleanup_ignition() {
        let line = "wipe --registry-url=http://r:10000 --server-uuid=u --registry-token=tok";
        let Ok(Command::Wipe(options)) = parse(words(line)) else {
            panic!("{line}")
        };
        assert_eq!(options.registry.server_uuid.as_str(), "u");
        assert!(!options.yes_erase_all_drives);
        let Ok(Command::Wipe(options)) = parse(words(&format!("{line} --yes-erase-all-drives"))) else {
            panic!()
        };
        assert!(options.yes_erase_all_drives);
    }

    #[test]
    fn mistakes_are_named_and_tokens_are_not_repeated() {
        for (line, part) in [
            ("", "--registry-url"),
            ("--registry-url=http://r", "--server-uuid"),
            ("--server-uuid=u", "--registry-url"),
            ("--registry-url=nonsense --server-uuid=u", "not a base URL"),
            ("--registry-url=http://r --server-uuid=", "empty"),
            ("--registry-url=http://r --server-uuid=u --duration=5", "not a duration"),
            ("wipe --registry-url=http://r", "--server-uuid"),
            (
                "--registry-url=http://r --server-uuid=u --registry-tokn=canary",
                "--registry-tokn",
            ),
        ] {
            let error = parse(words(line)).expect_err(line).to_string();
            assert!(error.contains(part), "{line}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
