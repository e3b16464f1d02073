//! What is logged, and how. The Go operator's `--zap-*` say the same in other words.

use clap::ValueEnum;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Log lines, on standard error.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct LoggingOptions {
    /// Log filter, as of the `RUST_LOG` environment variable.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log_level: String,

    /// Format of log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// As the Go operator: `true` is --zap-log-level=debug and --zap-encoder=console, `false` info and json.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub zap_devel: Option<bool>,

    /// As the Go operator: --log-format in its words.
    #[arg(long, value_enum, value_name = "ENCODER")]
    pub zap_encoder: Option<ZapEncoder>,

    /// As the Go operator: --log-level in its words (debug, info, error, panic) or a verbosity (1 is debug, more is trace).
    #[arg(long, value_parser = zap_level, value_name = "LEVEL")]
    pub zap_log_level: Option<&'static str>,

    /// As the Go operator. Without effect: there are no stack traces in these logs.
    #[arg(long, value_parser = ["info", "error", "panic"], value_name = "LEVEL")]
    pub zap_stacktrace_level: Option<String>,

    /// As the Go operator. Time stamps are RFC 3339, of which ISO 8601 is the wider name; no other encoding is possible.
    #[arg(long, value_parser = ["iso8601", "rfc3339", "rfc3339nano"], value_name = "ENCODING")]
    pub zap_time_encoding: Option<String>,
}

/// Zap's encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ZapEncoder {
    Console,
    Json,
}

impl LoggingOptions {
    /// The filter: what zap's flags say goes before --log-level.
    pub fn filter(&self) -> &str {
        match (self.zap_log_level, self.zap_devel) {
            (Some(level), _) => level,
            (None, Some(true)) => "debug",
            (None, Some(false)) => "info",
            (None, None) => &self.log_level,
        }
    }

    /// The format, likewise.
    pub fn format(&self) -> LogFormat {
        match (self.zap_encoder, self.zap_devel) {
            (Some(ZapEncoder::Json), _) | (None, Some(false)) => LogFormat::Json,
            (Some(ZapEncoder::Console), _) | (None, Some(true)) => LogFormat::Text,
            (None, None) => self.log_format,
        }
    }
}

fn zap_level(text: &str) -> Result<&'static str, String> {
    match text {
        "debug" | "1" => Ok("debug"),
        "info" => Ok("info"),
        // Nothing is worse than an error here.
        "error" | "panic" => Ok("error"),
        number if number.parse::<u8>().is_ok_and(|verbosity| verbosity > 1) => Ok("trace"),
        _ => Err("write debug, info, error, panic, or a number from 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        logging: LoggingOptions,
    }

    #[test]
    fn zap_speaks_of_the_same_things() {
        for (arguments, filter, format) in [
            (vec![], "info", LogFormat::Text),
            (vec!["--log-level=warn", "--log-format=json"], "warn", LogFormat::Json),
            (vec!["--zap-devel"], "debug", LogFormat::Text),
            (vec!["--zap-devel=false"], "info", LogFormat::Json),
            (
                vec!["--zap-devel=false", "--zap-encoder=console"],
                "info",
                LogFormat::Text,
            ),
            (
                vec!["--zap-log-level=error", "--log-level=debug"],
                "error",
                LogFormat::Text,
            ),
            (vec!["--zap-log-level=1"], "debug", LogFormat::Text),
            (vec!["--zap-log-level=5"], "trace", LogFormat::Text),
            (
                vec!["--zap-stacktrace-level=error", "--zap-time-encoding=rfc3339"],
                "info",
                LogFormat::Text,
            ),
        ] {
            let line = Line::parse_from(std::iter::once("x").chain(arguments.iter().copied()));
            assert_eq!(
                (line.logging.filter(), line.logging.format()),
                (filter, format),
                "{arguments:?}"
            );
        }
        for wrong in [
            "--zap-log-level=0",
            "--zap-log-level=loud",
            "--zap-time-encoding=epoch",
            "--zap-encoder=xml",
        ] {
            assert!(Line::try_parse_from(["x", wrong]).is_err(), "{wrong}");
        }
    }
}
