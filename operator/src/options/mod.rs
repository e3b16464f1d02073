//! Command-line options: contract section 8.1, with Go's flag syntax (`-x v`, `--x=v`, `--flag=false`).
//!
//! Flags of features that do not exist yet are not there: an option that does nothing is a lie.

mod derived;
mod duration;
mod error;
mod file;
mod firmware;
mod go_flags;
mod groups;
mod logging;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{CommandFactory, Parser, ValueEnum};

pub use derived::CertificatePolicy;
pub use derived::bind_address;
pub use duration::{DurationError, GoDuration};
pub use error::ConfigError;
pub use file::FileError;
pub use firmware::FirmwareOptions;
pub use go_flags::normalise;
pub use groups::{
    BmcOptions, CleanupOptions, ControllerOptions, DiscoveryOptions, EventOptions, LeaderElectionOptions,
    RegistryOptions, ServingOptions, WebhookOptions,
};
pub use logging::{LogFormat, LoggingOptions, ZapEncoder};

/// Default of `--discovery-ignition-path`.
pub const DEFAULT_IGNITION_PATH: &str = "/etc/metal-operator/ignition-template.yaml";

/// What happens to the drives of a released server whose `spec.cleanupPolicy` is unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum CleanupPolicy {
    /// Erase every drive, reset BIOS, restore the boot order. Not proven means not claimable.
    Secure,
    /// Offer the server again as it is.
    Skip,
}

/// Options of `metal-operator`. Durations are written as in Go: 90s, 2m, 1h30m.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "metal-operator",
    version,
    about = "Kubernetes operator for bare-metal servers",
    max_term_width = 120
)]
pub struct Options {
    /// YAML file with options under the names of these flags. What stands on the command line or in a variable goes before it.
    // Read before the flags are; it is here for --help.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Kubeconfig file; without it the in-cluster configuration, else the default kubeconfig.
    // An empty variable means none, as for kubectl; clap's own parser of paths would refuse it.
    #[arg(long, env = "KUBECONFIG", value_parser = OsStringValueParser::new().map(PathBuf::from), value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Image of the probe agent, put into the discovery ignition as {{.Image}}.
    #[arg(long, value_name = "IMAGE")]
    pub probe_image: String,

    /// Image of the operating system that runs the probe; `spec.image` of discovery boot configurations.
    #[arg(long, value_name = "IMAGE")]
    pub probe_os_image: String,

    /// YAML file with MAC prefixes, default credentials and protocols of known BMC vendors; empty means no database.
    #[arg(long, default_value = "", value_name = "FILE")]
    pub mac_prefixes_file: String,

    /// Namespace of the operator's own objects (discovery boot configurations, secrets, lease).
    #[arg(long, default_value = "default")]
    pub manager_namespace: String,

    /// How long a server may stay in Discovery before it starts over.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    pub discovery_timeout: GoDuration,

    /// Template of the discovery ignition (Go template syntax, Butane YAML). The built-in template is used while the file at the
    /// default path does not exist.
    #[arg(long, default_value = DEFAULT_IGNITION_PATH, value_name = "FILE")]
    pub discovery_ignition_path: String,

    /// Template (Go template syntax, YAML) of an object that is applied for every BMC, as a DNS record; empty means none. The service account
    /// needs the right to patch objects of its kind.
    #[arg(long, default_value = "", value_name = "FILE")]
    pub dns_record_template_path: String,

    /// bcrypt cost of the discovery user's password. Less than 10 is for simulations of thousands of machines only.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=16), value_name = "N")]
    pub password_hash_cost: u32,

    #[command(flatten)]
    pub registry: RegistryOptions,

    #[command(flatten)]
    pub events: EventOptions,

    #[command(flatten)]
    pub controllers: ControllerOptions,

    #[command(flatten)]
    pub cleanup: CleanupOptions,

    #[command(flatten)]
    pub firmware: FirmwareOptions,

    #[command(flatten)]
    pub discovery: DiscoveryOptions,

    #[command(flatten)]
    pub bmc: BmcOptions,

    #[command(flatten)]
    pub serving: ServingOptions,

    #[command(flatten)]
    pub webhooks: WebhookOptions,

    #[command(flatten)]
    pub logging: LoggingOptions,

    #[command(flatten)]
    pub leader_election: LeaderElectionOptions,
}

impl Options {
    /// Parses arguments (without the program name) in Go or GNU syntax, and the file of `--config`.
    ///
    /// # Errors
    /// What clap says, or what is wrong with the file; `--help` and `--version` are such errors, too.
    pub fn from_arguments<I, S>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = S>,
        S: Into<std::ffi::OsString>,
    {
        let arguments = go_flags::normalise(arguments.into_iter().map(Into::into));
        let command = Self::command();
        let arguments = file::extended(&command, arguments, |variable| std::env::var_os(variable).is_some())
            .map_err(|error| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n")))?;
        Self::try_parse_from(std::iter::once("metal-operator".into()).chain(arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::Scheme;

    const REQUIRED: [&str; 3] = ["--probe-image=p", "--probe-os-image=o", "--registry-url=http://r/"];

    fn parse(arguments: &[&str]) -> Options {
        Options::from_arguments(REQUIRED.iter().chain(arguments)).expect("arguments")
    }

    #[test]
    fn help_is_complete() {
        insta::assert_snapshot!(Options::command().term_width(120).render_long_help());
    }

    #[test]
    fn go_syntax_is_understood() {
        let options = parse(&[
            "-leader-elect",
            "-insecure=false",
            "-server-resync-interval",
            "1h30m",
            "--enforce-power-off=true",
        ]);
        assert!(options.leader_election.leader_elect && !options.bmc.insecure && options.controllers.enforce_power_off);
        assert_eq!(options.controllers.server_resync_interval.to_string(), "1h30m0s");
        assert!(Options::from_arguments(["--probe-image=p"]).is_err());
        assert!(Options::from_arguments(REQUIRED.iter().chain(&["--server-resync-interval=5"])).is_err());
    }

    #[test]
    fn schemes_and_certificates_follow_the_protocol_rules() {
        for (arguments, scheme, policy) in [
            (vec![], Scheme::Http, CertificatePolicy::Verify),
            (vec!["--insecure=false"], Scheme::Https, CertificatePolicy::AcceptAny),
            (
                vec!["--insecure=false", "--bmc-ca-file=ca.pem"],
                Scheme::Https,
                CertificatePolicy::Verify,
            ),
            (vec!["--protocol=https"], Scheme::Https, CertificatePolicy::Verify),
            (
                vec!["--protocol=https", "--skip-cert-validation"],
                Scheme::Https,
                CertificatePolicy::AcceptAny,
            ),
            (
                vec!["--protocol=http", "--insecure=false"],
                Scheme::Http,
                CertificatePolicy::Verify,
            ),
        ] {
            let options = parse(&arguments);
            assert_eq!(
                (options.default_scheme(), options.certificate_policy()),
                (scheme, policy),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn webhooks_are_served_where_they_are_wanted_or_possible() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = format!("--webhook-cert-path={}", folder.path().display());
        let serves = |arguments: &[&str]| parse(arguments).webhook_certificate().map(|files| files.certificate);
        assert_eq!(serves(&[&path]), Some(folder.path().join("tls.crt")));
        assert_eq!(
            serves(&[&path, "--webhook-cert-name=a.pem"]),
            Some(folder.path().join("a.pem"))
        );
        assert_eq!(serves(&[&path, "--enable-webhooks=false"]), None);
        assert_eq!(
            serves(&["--enable-webhooks=true"]),
            Some(std::env::temp_dir().join("k8s-webhook-server/serving-certs/tls.crt"))
        );
    }

    #[test]
    fn the_registry_url_is_built_or_given() {
        assert_eq!(parse(&[]).registry_url().as_deref(), Ok("http://r"));
        let from_address = |address: &str| {
            let address = format!("--registry-address={address}");
            let arguments = ["--probe-image=p", "--probe-os-image=o", &address];
            Options::from_arguments(arguments).expect("arguments").registry_url()
        };
        assert_eq!(from_address("10.0.0.1").as_deref(), Ok("http://10.0.0.1:10000"));
        assert_eq!(from_address("fd00::1").as_deref(), Ok("http://[fd00::1]:10000"));
        assert_eq!(from_address(""), Err(ConfigError::RegistryUrlMissing));
    }

    #[test]
    fn contradictions_are_named() {
        assert_eq!(parse(&["--leader-elect"]).validate(), Ok(()));
        for (arguments, wanted) in [
            (
                vec!["--leader-elect-renew-deadline=20s"],
                "--leader-elect-renew-deadline (20s) must be shorter than --leader-elect-lease-duration (15s)",
            ),
            (
                vec!["--leader-elect", "--bmc-request-timeout=30s"],
                "--bmc-request-timeout (30s) must be shorter than --leader-elect-lease-duration minus --leader-elect-retry-period (13s)",
            ),
            (
                vec!["--server-resync-interval=0"],
                "--server-resync-interval must be longer than 0",
            ),
            (
                vec!["--endpoint-discovery-leases=kea:/leases.csv"],
                "endpoint discovery knows BMCs by their MAC prefixes: give --mac-prefixes-file",
            ),
            (
                vec!["--metrics-bind-address=nowhere"],
                "--metrics-bind-address: `nowhere` is not an address to listen on; write :8080, 0.0.0.0:8080, [::]:8080 or 0 for none",
            ),
        ] {
            assert_eq!(
                parse(&arguments).validate().map_err(|error| error.to_string()),
                Err(wanted.to_owned())
            );
        }
        assert_eq!(parse(&["--metrics-bind-address=0"]).metrics_bind_address(), Ok(None));
        assert_eq!(parse(&[]).metrics_bind_address(), Ok("127.0.0.1:8080".parse().ok()));
    }
}
