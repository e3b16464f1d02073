//! What follows from the flags: checks across several of them, and values that are built from them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigError, Options};
use crate::bmc::Scheme;
use crate::serve::HttpVersions;
use crate::serve::certificates::CertificateFiles;

/// Below the folder for temporary files: where controller-runtime looks.
const DEFAULT_WEBHOOK_CERTIFICATES: &str = "k8s-webhook-server/serving-certs";

/// How the transport verifies BMC certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePolicy {
    /// Verify.
    Verify,
    /// Accept every certificate.
    AcceptAny,
}

impl Options {
    /// Checks what a single flag cannot know.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.registry_url()?;
        self.metrics_bind_address()?;
        self.health_probe_bind_address()?;
        let discovers = !self.discovery.leases.is_empty() || self.discovery.ssdp.is_some();
        if discovers && self.mac_prefixes_file.is_empty() {
            return Err(ConfigError::DiscoveryWithoutPrefixes);
        }
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
        let request = self.bmc.bmc_request_timeout;
        let certain = election.leader_elect_lease_duration.get() - election.leader_elect_retry_period.get();
        if election.leader_elect && request.get() >= certain {
            return Err(ConfigError::Order {
                shorter: "bmc-request-timeout",
                shorter_value: request,
                longer: "leader-elect-lease-duration minus --leader-elect-retry-period",
                longer_value: certain.into(),
            });
        }
        for (flag, value) in [
            ("leader-elect-retry-period", election.leader_elect_retry_period),
            ("bmc-request-timeout", self.bmc.bmc_request_timeout),
            ("bmc-read-timeout", self.bmc.bmc_read_timeout),
            ("server-resync-interval", self.controllers.server_resync_interval),
            ("bmc-resync-interval", self.controllers.bmc_resync_interval),
            ("event-resync-interval", self.events.event_resync_interval),
            ("endpoint-discovery-interval", self.discovery.interval),
            ("bmc-discovery-interval", self.controllers.bmc_discovery_interval),
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
        Ok(url(
            &registry.registry_protocol,
            &registry.registry_address,
            registry.registry_port,
        ))
    }

    /// URL that is handed to BMCs, without a trailing slash; `None` when they are not to send events.
    pub fn event_url(&self) -> Option<String> {
        let events = &self.events;
        if !events.event_url.is_empty() {
            return Some(events.event_url.trim_end_matches('/').to_owned());
        }
        let address = Some(&events.event_address).filter(|address| !address.is_empty())?;
        Some(url(&events.event_protocol, address, events.event_port))
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
    pub fn metrics_bind_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        bind_address("metrics-bind-address", &self.serving.metrics_bind_address)
    }

    /// Where the certificate of the metrics endpoint is, `None` where one is to be made.
    pub fn metrics_certificate(&self) -> Option<CertificateFiles> {
        let serving = &self.serving;
        let folder = Path::new(&serving.metrics_cert_path);
        (!serving.metrics_cert_path.is_empty()).then(|| CertificateFiles {
            certificate: folder.join(&serving.metrics_cert_name),
            key: folder.join(&serving.metrics_cert_key),
        })
    }

    /// Where the certificate of the webhooks is, `None` where they are not to be served.
    pub fn webhook_certificate(&self) -> Option<CertificateFiles> {
        let webhooks = &self.webhooks;
        let wanted = webhooks.enable_webhooks.as_deref().map(|value| value != "false");
        let folder = if webhooks.webhook_cert_path.is_empty() {
            std::env::temp_dir().join(DEFAULT_WEBHOOK_CERTIFICATES)
        } else {
            PathBuf::from(&webhooks.webhook_cert_path)
        };
        let files = CertificateFiles {
            certificate: folder.join(&webhooks.webhook_cert_name),
            key: folder.join(&webhooks.webhook_cert_key),
        };
        let serve = wanted.unwrap_or_else(|| !webhooks.webhook_cert_path.is_empty() || files.certificate.exists());
        serve.then_some(files)
    }

    /// Which protocols HTTPS servers offer.
    pub fn http_versions(&self) -> HttpVersions {
        if self.serving.enable_http2 {
            HttpVersions::OneAndTwo
        } else {
            HttpVersions::One
        }
    }

    /// Socket of the health endpoint, `None` when turned off.
    ///
    /// # Errors
    /// [`ConfigError::BindAddress`].
    pub fn health_probe_bind_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        bind_address("health-probe-bind-address", &self.serving.health_probe_bind_address)
    }
}

/// The Go operator did not bracket IPv6, which made the URL unusable.
fn url(scheme: &str, address: &str, port: u16) -> String {
    let host = match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => address.to_owned(),
    };
    format!("{scheme}://{host}:{port}")
}

/// Go's `host:port` with an empty host, which we take as loopback: whoever wants to be reached says so.
/// Where to listen: `:PORT` is loopback; empty or `0`, nowhere.
///
/// # Errors
/// No address.
pub fn bind_address(flag: &'static str, value: &str) -> Result<Option<SocketAddr>, ConfigError> {
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
