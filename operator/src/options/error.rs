//! Options that cannot work.

use super::GoDuration;

/// Options that contradict each other, or cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither a URL nor an address of the registry.
    #[error(
        "probes need to know the registry: give --registry-url, or --registry-address (environment REGISTRY_ADDRESS)"
    )]
    RegistryUrlMissing,
    /// Nothing would become an Endpoint.
    #[error("endpoint discovery knows BMCs by their MAC prefixes: give --mac-prefixes-file")]
    DiscoveryWithoutPrefixes,
    /// Two durations in the wrong order.
    #[error("--{shorter} ({shorter_value}) must be shorter than --{longer} ({longer_value})")]
    Order {
        /// Flag that must be shorter.
        shorter: &'static str,
        /// Its value.
        shorter_value: GoDuration,
        /// Flag that must be longer.
        longer: &'static str,
        /// Its value.
        longer_value: GoDuration,
    },
    /// Zero where time must pass.
    #[error("--{0} must be longer than 0")]
    Zero(&'static str),
    /// Something that is not an address to listen on.
    #[error("--{flag}: `{value}` is not an address to listen on; write :8080, 0.0.0.0:8080, [::]:8080 or 0 for none")]
    BindAddress {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
    },
    /// A file that must be there is not, or is not valid.
    #[error("--{flag}: {path}: {message}")]
    File {
        /// The flag.
        flag: &'static str,
        /// Its value.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// `--log-level` is no filter.
    #[error("--log-level: `{filter}`: {message}")]
    LogFilter {
        /// Its value.
        filter: String,
        /// What is wrong.
        message: String,
    },
    /// The TLS backend does not start.
    #[error("TLS towards BMCs: {0}")]
    Tls(String),
}
