//! Command-line options: contract section 8.1, with Go's flag syntax (`-x v`, `--x=v`, `--flag=false`).
//!
//! Flags of features that do not exist yet are not there: an option that does nothing is a lie.

mod duration;
mod go_flags;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};

pub use duration::{DurationError, GoDuration};

use crate::bmc::Scheme;

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

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
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
    /// Kubeconfig file; without it the in-cluster configuration, else the default kubeconfig.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
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

    #[command(flatten)]
    pub registry: RegistryOptions,

    /// How long a server may stay in Discovery before it starts over.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    pub discovery_timeout: GoDuration,

    /// Template of the discovery ignition (Go template syntax, Butane YAML).
    #[arg(
        long,
        default_value = "/etc/metal-operator/ignition-template.yaml",
        value_name = "FILE"
    )]
    pub discovery_ignition_path: String,

    #[command(flatten)]
    pub controllers: ControllerOptions,

    #[command(flatten)]
    pub cleanup: CleanupOptions,

    #[command(flatten)]
    pub bmc: BmcOptions,

    #[command(flatten)]
    pub serving: ServingOptions,

    #[command(flatten)]
    pub leader_election: LeaderElectionOptions,

    /// Log filter, as of the `RUST_LOG` environment variable.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log_level: String,

    /// Format of log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The HTTP server that probes and wipe agents report to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryOptions {
    /// URL under which probes reach the registry; without it built from protocol, address and port.
    #[arg(long, default_value = "", value_name = "URL")]
    pub registry_url: String,

    /// Scheme of the registry URL built from --registry-address.
    #[arg(long, default_value = "http", value_parser = ["http", "https"])]
    pub registry_protocol: String,

    /// Address under which probes reach the registry; required unless --registry-url is given.
    #[arg(long, env = "REGISTRY_ADDRESS", default_value = "", value_name = "ADDRESS")]
    pub registry_address: String,

    /// Port on which the registry listens.
    #[arg(long, default_value_t = 10_000, value_name = "PORT")]
    pub registry_port: u16,

    /// How old a registration may be, by this operator's clock, when a server becomes Available.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub registry_data_max_age: GoDuration,

    /// Accept registrations without a token, as the Go operator did. Anybody on the network can then forge them (W13, bugs.md #158).
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub registry_allow_unauthenticated: bool,
}

/// How often and how many.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Controllers")]
pub struct ControllerOptions {
    /// Interval between two looks at an unchanged server.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub server_resync_interval: GoDuration,

    /// Interval between two looks at an unchanged BMC.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_resync_interval: GoDuration,

    /// Servers reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub server_max_concurrent_reconciles: u16,

    /// Server claims reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub server_claim_max_concurrent_reconciles: u16,

    /// BMCs reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub bmc_max_concurrent_reconciles: u16,

    /// Interval between two reads of a power state that is changing.
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub power_polling_interval: GoDuration,

    /// How long a power change may take before it counts as failed (and a graceful shutdown is forced).
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub power_polling_timeout: GoDuration,

    /// Interval between two reads of another BMC resource that is changing (task, boot override).
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub resource_polling_interval: GoDuration,

    /// How long such a resource may take.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub resource_polling_timeout: GoDuration,

    /// Reset a BMC that has been failing for this long; 0 means never.
    #[arg(long, default_value = "0", value_name = "DURATION")]
    pub bmc_failure_reset_delay: GoDuration,

    /// Interval between two looks at a BMC that is being reset.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_reset_resync_interval: GoDuration,

    /// How long to leave a BMC alone after its reset.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_reset_waiting_interval: GoDuration,

    /// Power a server that is found running off before its first discovery boot.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub enforce_first_boot: bool,

    /// Force the power off of a server that ignores a graceful shutdown even where its holder asked for Off. A server that is being
    /// released is always forced in the end.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub enforce_power_off: bool,
}

/// What happens between two tenants.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cleanup")]
pub struct CleanupOptions {
    /// Cleanup policy of servers that do not name one.
    #[arg(long, value_enum, default_value_t = CleanupPolicy::Secure)]
    pub cleanup_policy: CleanupPolicy,

    /// How long one cleanup attempt may take.
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub cleanup_timeout: GoDuration,

    /// How long one drive's out-of-band erase may take.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    pub cleanup_drive_timeout: GoDuration,
}

/// How BMCs are reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "BMC access")]
pub struct BmcOptions {
    /// Scheme towards BMCs whose protocol names none: http or https.
    #[arg(long, default_value = "", value_parser = ["", "http", "https"])]
    pub protocol: String,

    /// Do not verify BMC certificates when --protocol=https.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub skip_cert_validation: bool,

    /// Deprecated, only without --protocol: true means http, false means https without certificate verification.
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub insecure: bool,

    /// PEM file with certificates that BMC certificates may be issued by, besides the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub bmc_ca_file: Option<PathBuf>,

    /// Deadline of one BMC request, waiting for its turn included.
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub bmc_request_timeout: GoDuration,

    /// Requests in flight to one BMC.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub bmc_max_concurrent_requests: u16,

    /// Close the session of a BMC that was not used for this long.
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    pub bmc_session_idle_timeout: GoDuration,

    /// Pause before refused credentials are tried again on the same BMC; doubles with every refusal.
    #[arg(long, default_value = "1m", value_name = "DURATION")]
    pub bmc_auth_backoff: GoDuration,

    /// Longest such pause.
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub bmc_auth_backoff_max: GoDuration,
}

/// Where the operator itself listens.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Serving")]
pub struct ServingOptions {
    /// Address on which the registry listens. Machines must reach it in production; the default reaches nobody by accident.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub bind_address: IpAddr,

    /// Address of the Prometheus endpoint; `:8080` is 127.0.0.1:8080, `0` turns it off.
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_bind_address: String,

    /// Address of /healthz and /readyz; `:8081` is 127.0.0.1:8081, `0` turns it off.
    #[arg(long, default_value = ":8081", value_name = "ADDRESS")]
    pub health_probe_bind_address: String,
}

/// One active operator among several.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaderElectionOptions {
    /// Work only while holding the lease `f26702e4.ironcore.dev` in the manager namespace.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub leader_elect: bool,

    /// How long a lease lives without renewal.
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    pub leader_elect_lease_duration: GoDuration,

    /// How long a leader tries to renew before it gives up. Shorter than the lease duration.
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub leader_elect_renew_deadline: GoDuration,

    /// Interval between two tries to acquire or renew.
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    pub leader_elect_retry_period: GoDuration,
}

/// Options that contradict each other, or cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither a URL nor an address of the registry.
    #[error(
        "probes need to know the registry: give --registry-url, or --registry-address (environment REGISTRY_ADDRESS)"
    )]
    RegistryUrlMissing,
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

/// How the transport verifies BMC certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePolicy {
    /// Verify.
    Verify,
    /// Accept every certificate.
    AcceptAny,
}

impl Options {
    /// Parses arguments (without the program name) in Go or GNU syntax.
    ///
    /// # Errors
    /// What clap says; `--help` and `--version` are such errors, too.
    pub fn from_arguments<I, S>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = S>,
        S: Into<std::ffi::OsString>,
    {
        let arguments = go_flags::normalise(arguments.into_iter().map(Into::into));
        Self::try_parse_from(std::iter::once("metal-operator".into()).chain(arguments))
    }

    /// Checks what a single flag cannot know.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.registry_url()?;
        self.metrics_bind_address()?;
        self.health_probe_bind_address()?;
        let election = &self.leader_election;
        for (shorter, shorter_value, longer, longer_value) in [
            (
                "leader-elect-renew-deadline",
                election.leader_elect_renew_deadline,
                "leader-elect-lease-duration",
                election.leader_elect_lease_duration,
            ),
            (
                "leader-elect-retry-period",
                election.leader_elect_retry_period,
                "leader-elect-renew-deadline",
                election.leader_elect_renew_deadline,
            ),
        ] {
            if shorter_value >= longer_value {
                return Err(ConfigError::Order {
                    shorter,
                    shorter_value,
                    longer,
                    longer_value,
                });
            }
        }
        for (flag, value) in [
            ("leader-elect-retry-period", election.leader_elect_retry_period),
            ("bmc-request-timeout", self.bmc.bmc_request_timeout),
            ("server-resync-interval", self.controllers.server_resync_interval),
            ("bmc-resync-interval", self.controllers.bmc_resync_interval),
            ("power-polling-interval", self.controllers.power_polling_interval),
            ("resource-polling-interval", self.controllers.resource_polling_interval),
        ] {
            if value.get() == Duration::ZERO {
                return Err(ConfigError::Zero(flag));
            }
        }
        Ok(())
    }

    /// URL that is handed to probes, without a trailing slash.
    ///
    /// # Errors
    /// [`ConfigError::RegistryUrlMissing`].
    pub fn registry_url(&self) -> Result<String, ConfigError> {
        let registry = &self.registry;
        if !registry.registry_url.is_empty() {
            return Ok(registry.registry_url.trim_end_matches('/').to_owned());
        }
        if registry.registry_address.is_empty() {
            return Err(ConfigError::RegistryUrlMissing);
        }
        // The Go operator did not bracket IPv6, which made the URL unusable.
        let host = match registry.registry_address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => registry.registry_address.clone(),
        };
        Ok(format!(
            "{}://{host}:{}",
            registry.registry_protocol, registry.registry_port
        ))
    }

    /// Scheme towards BMCs whose protocol names none.
    pub fn default_scheme(&self) -> Scheme {
        match self.bmc.protocol.as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ if self.bmc.insecure => Scheme::Http,
            _ => Scheme::Https,
        }
    }

    /// Certificate verification towards BMCs: section 8.1, except that a CA file turns it on always.
    pub fn certificate_policy(&self) -> CertificatePolicy {
        if self.bmc.bmc_ca_file.is_some() && !self.bmc.skip_cert_validation {
            return CertificatePolicy::Verify;
        }
        let unchecked = if self.bmc.protocol.is_empty() {
            !self.bmc.insecure
        } else {
            self.bmc.skip_cert_validation
        };
        if unchecked {
            CertificatePolicy::AcceptAny
        } else {
            CertificatePolicy::Verify
        }
    }

    /// Socket of the Prometheus endpoint, `None` when turned off.
    ///
    /// # Errors
    /// [`ConfigError::BindAddress`].
    pub fn metrics_bind_address(&self) -> Result<Option<std::net::SocketAddr>, ConfigError> {
        bind_address("metrics-bind-address", &self.serving.metrics_bind_address)
    }

    /// Socket of the health endpoint, `None` when turned off.
    ///
    /// # Errors
    /// [`ConfigError::BindAddress`].
    pub fn health_probe_bind_address(&self) -> Result<Option<std::net::SocketAddr>, ConfigError> {
        bind_address("health-probe-bind-address", &self.serving.health_probe_bind_address)
    }
}

/// Go's `host:port` with an empty host, which we take as loopback: whoever wants to be reached says so.
fn bind_address(flag: &'static str, value: &str) -> Result<Option<std::net::SocketAddr>, ConfigError> {
    if value.is_empty() || value == "0" {
        return Ok(None);
    }
    let full = if value.starts_with(':') {
        format!("127.0.0.1{value}")
    } else {
        value.to_owned()
    };
    full.parse().map(Some).map_err(|_| ConfigError::BindAddress {
        flag,
        value: value.to_owned(),
    })
}
