//! Structured logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::options::{ConfigError, LogFormat, Options};

/// Installs the process-wide log subscriber. Only the binary calls this: tests and simulations bring their own.
///
/// # Errors
/// The filter does not parse, or a subscriber is there already.
pub fn install(options: &Options) -> Result<(), ConfigError> {
    let invalid = |message: String| ConfigError::LogFilter {
        filter: options.logging.filter().to_owned(),
        message,
    };
    let filter = EnvFilter::try_new(options.logging.filter()).map_err(|error| invalid(error.to_string()))?;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match options.logging.format() {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    installed.map_err(|error| invalid(error.to_string()))
}
