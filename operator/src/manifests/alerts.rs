//! Alert rules. They are written by hand in `alerts.yaml`, which `promtool test rules` tries with `alerts_test.yaml`.

use super::{NAME, NAMESPACE};

pub(super) const ALERTS: &str = include_str!("alerts.yaml");

/// For the Prometheus operator.
pub(super) fn prometheus_rule() -> String {
    let rules = ALERTS
        .lines()
        .fold(String::new(), |text, line| text + "  " + line + "\n");
    format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {NAME}\n  namespace: {NAMESPACE}\n\
         spec:\n{rules}"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What alerts of the Go operator were called; other systems wait for these names.
    const OF_THE_CONTRACT: [&str; 8] = [
        "NoAvailableServers",
        "ServersInErrorState",
        "ServersPoweringOnTooLong",
        "ServersPoweringOffTooLong",
        "HighReconciliationErrorRate",
        "LowAvailableServerCapacity",
        "ServerMetricsMissing",
        "ServerReconciliationFailureSpike",
    ];

    /// Every metric with a value, as the test of the metrics has it.
    const METRICS: &str =
        include_str!("../metrics/snapshots/operator__metrics__tests__metrics_have_the_names_of_the_contract.snap");

    /// Names of metrics in a text.
    fn names(text: &str) -> BTreeSet<String> {
        let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        words
            .filter(|word| word.starts_with("metal_"))
            .map(str::to_owned)
            .collect()
    }

    /// As they are registered: without what the type of a metric adds.
    fn registered(name: &str) -> &str {
        ["_total", "_bucket", "_count", "_sum"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name)
    }

    #[test]
    fn alerts_and_dashboard_know_the_metrics_that_there_are() {
        let known: BTreeSet<&str> = METRICS
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        let rules: Value = serde_saphyr::from_str(ALERTS).expect("YAML");
        let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
        let expressions: String = rules.iter().filter_map(|rule| rule["expr"].as_str()).collect();
        for text in [
            expressions.as_str(),
            include_str!("../../deploy/helm/files/dashboard.json"),
        ] {
            let used = names(text);
            assert!(!used.is_empty());
            for name in used {
                assert!(known.contains(registered(&name)), "there is no metric {name}");
            }
        }
    }

    #[test]
    fn alerts_have_the_names_of_the_contract() {
        let rules: Value = serde_saphyr::from_str(ALERTS).expect("YAML");
        let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
        let alerts: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["alert"].as_str()).collect();
        for alert in OF_THE_CONTRACT {
            assert!(alerts.contains(alert), "{alert}");
        }
        // W15: there is a series for every server and state, so a count of series says nothing.
        for rule in &rules {
            let expression = rule["expr"].as_str().expect("an expression");
            assert!(!expression.contains("count(metal_server_state"), "{expression}");
        }
    }
}
