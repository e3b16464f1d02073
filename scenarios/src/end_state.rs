//! What is the case in the end: ground truth of machines, and what the API says of servers and claims. Two runs that differ only in
//! what went wrong on the way must end the same.

use bmc_emulator::Fleet;
use kube_emulator::KubeEmulator;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One line about everything, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndState(BTreeMap<String, String>);

impl EndState {
    pub(crate) fn of(cluster: &KubeEmulator, fleet: &Fleet) -> Self {
        let mut lines = BTreeMap::new();
        for bmc in fleet.bmcs() {
            let truth = bmc.inspect();
            let drives: Vec<String> = truth
                .drives
                .iter()
                .map(|drive| {
                    let records: Vec<&str> = drive.records.keys().map(String::as_str).collect();
                    format!("{} [{}]", drive.name, records.join(" "))
                })
                .collect();
            let line = format!("power {:?}, drives {}", truth.power_state, drives.join(" "));
            lines.insert(format!("machine {}", truth.name), line);
        }
        for server in cluster.objects(crds::GROUP, "servers") {
            let text = |pointer| server.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            let line = format!(
                "{} held by {}",
                text("/status/state"),
                text("/spec/serverClaimRef/name")
            );
            lines.insert(format!("Server {}", text("/metadata/name")), line);
        }
        for claim in cluster.objects(crds::GROUP, "serverclaims") {
            let text = |pointer| claim.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            let line = format!("{} to {}", text("/status/phase"), text("/spec/serverRef/name"));
            lines.insert(format!("ServerClaim {}", text("/metadata/name")), line);
        }
        for configuration in cluster.objects(crds::GROUP, "serverbootconfigurations") {
            let text = |pointer| configuration.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            let line = format!("for {}", text("/spec/serverRef/name"));
            lines.insert(format!("ServerBootConfiguration {}", text("/metadata/name")), line);
        }
        Self(lines)
    }

    /// Where `other` differs, one line each.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let line = |state: &Self, name| state.0.get(name).cloned().unwrap_or_else(|| "absent".to_owned());
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .map(|name| format!("{name}: {} instead of {}", line(other, name), line(self, name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let state = |entries: &[(&str, &str)]| {
            EndState(
                entries
                    .iter()
                    .map(|(name, line)| ((*name).to_owned(), (*line).to_owned()))
                    .collect(),
            )
        };
        let one = state(&[("a", "1"), ("b", "2")]);
        assert_eq!(one.differences(&one), [""; 0]);
        assert_eq!(
            one.differences(&state(&[("a", "1"), ("c", "3")])),
            ["b: absent instead of 2", "c: 3 instead of absent"]
        );
    }
}
