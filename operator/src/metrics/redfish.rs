//! What BMCs tell about themselves: readings and alerts, by BMC (W15: the Go operator's readings of two BMCs overwrote each other). BMCs choose
//! the labels, so each has a limited number of series and characters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::time::Instant;

/// A reading that is older is not shown.
const READING_AGE: Duration = Duration::from_secs(600);
/// Series of one BMC.
const MOST_READINGS: usize = 500;
const MOST_ALERTS: usize = 200;
/// Characters of a label.
const LONGEST_LABEL: usize = 128;

/// One reading of a metric report.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub metric: String,
    pub kind: String,
    pub unit: String,
    pub origin: String,
    pub value: f64,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertSample {
    pub severity: String,
    pub message_id: String,
    pub component: String,
}

/// Metric, kind, unit and origin.
type ReadingLabels = [String; 4];

#[derive(Default)]
struct Bmc {
    readings: BTreeMap<ReadingLabels, (f64, Instant)>,
    alerts: BTreeMap<AlertSample, u64>,
}

#[derive(Default)]
struct State {
    bmcs: BTreeMap<String, Bmc>,
    received: BTreeMap<(&'static str, u16), u64>,
    dropped: u64,
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Redfish(Arc<Mutex<State>>);

impl Redfish {
    /// Replaces readings of a BMC.
    pub fn readings(&self, bmc: &str, readings: Vec<Reading>) {
        let now = Instant::now();
        let mut state = self.lock();
        let known = &mut state.bmcs.entry(bmc.to_owned()).or_default().readings;
        known.retain(|_, (_, at)| now.duration_since(*at) < READING_AGE);
        for reading in readings {
            let labels = [reading.metric, reading.kind, reading.unit, reading.origin].map(label);
            if known.len() < MOST_READINGS || known.contains_key(&labels) {
                known.insert(labels, (reading.value, now));
            }
        }
    }

    /// Counts an alert of a BMC. Whatever is too much for one BMC is counted together.
    pub fn alert(&self, bmc: &str, alert: AlertSample) {
        let mut state = self.lock();
        let known = &mut state.bmcs.entry(bmc.to_owned()).or_default().alerts;
        let alert = AlertSample {
            severity: label(alert.severity),
            message_id: label(alert.message_id),
            component: label(alert.component),
        };
        let too_much = known.len() >= MOST_ALERTS && !known.contains_key(&alert);
        let counted = if too_much { together() } else { alert };
        *known.entry(counted).or_default() += 1;
    }

    /// Counts an answer of the receiver.
    pub fn received(&self, endpoint: &'static str, code: u16) {
        *self.lock().received.entry((endpoint, code)).or_default() += 1;
    }

    /// A BMC has told more than its controllers could look into.
    pub fn dropped(&self) {
        self.lock().dropped += 1;
    }

    /// The BMC is gone.
    pub fn forget(&self, bmc: &str) {
        self.lock().bmcs.remove(bmc);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn together() -> AlertSample {
    let other = || "other".to_owned();
    AlertSample {
        severity: other(),
        message_id: other(),
        component: other(),
    }
}

fn label(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_LABEL));
    text.retain(|character| !character.is_control());
    text
}

impl fmt::Debug for Redfish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redfish")
    }
}

impl Collector for Redfish {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = Instant::now();
        let state = self.lock();
        let mut family = encoder.encode_descriptor(
            "redfish_monitor_reading",
            "Reading of a sensor, as the BMC has reported it",
            None,
            MetricType::Gauge,
        )?;
        for (bmc, known) in &state.bmcs {
            let fresh = known
                .readings
                .iter()
                .filter(|(_, (_, at))| now.duration_since(*at) < READING_AGE);
            for ([metric, kind, unit, origin], (value, _)) in fresh {
                let labels = [
                    ("hostname", bmc.as_str()),
                    ("metric_id", metric),
                    ("type", kind),
                    ("unit", unit),
                    ("origin_context", origin),
                ];
                ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "redfish_event_alert",
            "Events that a BMC has sent",
            None,
            MetricType::Counter,
        )?;
        for (bmc, known) in &state.bmcs {
            for (alert, count) in &known.alerts {
                let labels = [
                    ("hostname", bmc.as_str()),
                    ("severity", &alert.severity),
                    ("message_id", &alert.message_id),
                    ("component", &alert.component),
                ];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "metal_redfish_event_requests",
            "Requests to the event receiver by endpoint and status code",
            None,
            MetricType::Counter,
        )?;
        for ((endpoint, code), count) in &state.received {
            let code = code.to_string();
            let labels = [("endpoint", *endpoint), ("code", code.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let family = encoder.encode_descriptor(
            "metal_redfish_events_dropped",
            "Messages of BMCs that woke nobody because the BMC has sent too many",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(state.dropped).encode(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn reading(metric: &str, value: f64) -> Reading {
        Reading {
            metric: metric.to_owned(),
            kind: "Gauge".to_owned(),
            unit: "Cel".to_owned(),
            origin: "/redfish/v1/Chassis/1".to_owned(),
            value,
        }
    }

    fn alert(message_id: &str) -> AlertSample {
        AlertSample {
            severity: "OK".to_owned(),
            message_id: message_id.to_owned(),
            component: "1".to_owned(),
        }
    }

    fn shown(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.encode().expect("metrics encode");
        text.lines()
            .filter(|line| line.starts_with(name))
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn two_bmcs_do_not_overwrite_each_other_and_old_readings_go() {
        let metrics = Metrics::new();
        metrics.redfish().readings("a", vec![reading("t", 1.5)]);
        tokio::time::advance(Duration::from_secs(300)).await;
        metrics.redfish().readings("b", vec![reading("t", 2.5)]);
        metrics.redfish().alert("a", alert("x"));
        metrics.redfish().alert("a", alert("x"));
        metrics.redfish().alert("b", alert("x"));
        insta::assert_snapshot!(shown(&metrics, "redfish_").join("\n"));
        tokio::time::advance(Duration::from_secs(300)).await;
        assert_eq!(shown(&metrics, "redfish_monitor_reading{").len(), 1);
        metrics.redfish().forget("b");
        assert_eq!(shown(&metrics, "redfish_").len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bmc_cannot_fill_the_memory() {
        let metrics = Metrics::new();
        for number in 0..2000 {
            metrics
                .redfish()
                .alert("a", alert(&format!("{number}{}", "\n".repeat(5000))));
            metrics.redfish().readings("a", vec![reading(&number.to_string(), 1.0)]);
        }
        assert_eq!(shown(&metrics, "redfish_monitor_reading{").len(), MOST_READINGS);
        let alerts = shown(&metrics, "redfish_event_alert_total{");
        assert_eq!(alerts.len(), MOST_ALERTS + 1);
        assert!(
            alerts
                .iter()
                .any(|line| line.contains("other") && line.ends_with(" 1800")),
            "{alerts:?}"
        );
    }
}
