//! Gauges per server, produced at scrape time from the server store, so that they never disagree with it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// What one server contributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSample {
    /// Name of the Server.
    pub name: String,
    /// `status.state`.
    pub state: String,
    /// `status.powerState`.
    pub power_state: String,
    /// Type and status of each condition.
    pub conditions: Vec<(String, String)>,
}

/// Lists all servers. Must not block: it reads a store.
pub type ServerSource = Arc<dyn Fn() -> Vec<ServerSample> + Send + Sync>;

/// All states: `Cleanup`, `Released` and `Parked` were missing in Go (W15).
const STATES: [&str; 8] = [
    "Initial",
    "Discovery",
    "Available",
    "Reserved",
    "Cleanup",
    "Released",
    "Error",
    "Parked",
];
const POWER_STATES: [&str; 5] = ["On", "Off", "Paused", "PoweringOn", "PoweringOff"];

#[derive(Clone, Default)]
pub(super) struct Servers(Arc<OnceLock<ServerSource>>);

impl Servers {
    /// The first source stays: there is one store per operator.
    pub(super) fn set_source(&self, source: ServerSource) {
        if self.0.set(source).is_err() {
            tracing::warn!("the source of server metrics was already set");
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers")
    }
}

impl Collector for Servers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let servers = self.0.get().map(|source| source()).unwrap_or_default();
        let mut family = encoder.encode_descriptor(
            "metal_server_state",
            "1 for the state a server is in",
            None,
            MetricType::Gauge,
        )?;
        for server in &servers {
            for state in STATES {
                let labels = [("server", server.name.as_str()), ("state", state)];
                ConstGauge::new(i64::from(server.state == state)).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "metal_server_power_state",
            "1 for the power state a server is in",
            None,
            MetricType::Gauge,
        )?;
        for server in &servers {
            for state in POWER_STATES {
                let labels = [("server", server.name.as_str()), ("power_state", state)];
                ConstGauge::new(i64::from(server.power_state == state)).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "metal_server_condition_status",
            "1 for each condition of a server",
            None,
            MetricType::Gauge,
        )?;
        for server in &servers {
            for (condition, status) in &server.conditions {
                let labels = [
                    ("server", server.name.as_str()),
                    ("condition_type", condition.as_str()),
                    ("status", status.as_str()),
                ];
                ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
