//! S3, judged by the truth: between the end of a tenancy and whoever gets the machine next, its power was really Off.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, holder, number, text};
use bmc_emulator::PowerState;
use kube_emulator::{Commit, CommitEvent};
use std::collections::BTreeMap;

/// Power of machines, and tenancies that have ended on machines nobody else has yet.
#[derive(Default)]
pub struct PowerOffBetweenTenancies {
    power: BTreeMap<String, PowerState>,
    ended: BTreeMap<String, Ended>,
}

struct Ended {
    claim: String,
    machine_was_off: bool,
}

impl Invariant for PowerOffBetweenTenancies {
    fn name(&self) -> &'static str {
        "power was Off between two tenancies"
    }

    fn power(&mut self, machine: &str, power: PowerState) {
        self.power.insert(machine.to_owned(), power);
        if power == PowerState::Off
            && let Some(ended) = self.ended.get_mut(machine)
        {
            ended.machine_was_off = true;
        }
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        match commit.kind.as_str() {
            "ServerClaim" => {
                self.claim(commit, scene);
                Vec::new()
            }
            "Server" => self.server(commit, scene).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

impl PowerOffBetweenTenancies {
    /// The tenancy ends when its claim is being deleted.
    fn claim(&mut self, commit: &Commit, scene: &Scene<'_>) {
        let claim = &commit.object;
        let ends = commit.event == CommitEvent::Deleted || text(claim, "/metadata/deletionTimestamp").is_some();
        let (true, Some(uid)) = (ends, text(claim, "/metadata/uid")) else {
            return;
        };
        let Some(server) = text(claim, "/spec/serverRef/name") else {
            return;
        };
        let key = ObjectKey {
            kind: "Server".to_owned(),
            namespace: None,
            name: server.to_owned(),
        };
        let Some(server) = scene.world.get(&key) else { return };
        if holder(server) != Some(uid) {
            return;
        }
        let Some(machine) = scene.world.machine_of(server) else {
            return;
        };
        // Where the truth is not known there is nothing to judge.
        let Some(power) = self.power.get(machine) else { return };
        let machine_was_off = *power == PowerState::Off;
        self.ended.entry(machine.to_owned()).or_insert(Ended {
            claim: uid.to_owned(),
            machine_was_off,
        });
    }

    /// A growing epoch is a new holder, be it a claim, a cleanup or nobody.
    fn server(&mut self, commit: &Commit, scene: &Scene<'_>) -> Option<Breach> {
        let epoch = |server| number(server, "/spec/tenancyEpoch").unwrap_or_default();
        let before = commit.previous.as_deref()?;
        if epoch(&commit.object) <= epoch(before) {
            return None;
        }
        let machine = scene.world.machine_of(&commit.object)?;
        let ended = self.ended.remove(machine)?;
        (!ended.machine_was_off).then(|| {
            Breach::new(
                format!(
                    "the tenancy of claim {} ended, and epoch {} began before machine {machine} was Off",
                    ended.claim,
                    epoch(&commit.object)
                ),
                [ObjectKey::of(commit).to_string(), format!("machine {machine}")],
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    fn scenario(powers: &[PowerState]) -> usize {
        let (mut stage, mut invariant) = (Stage::default(), PowerOffBetweenTenancies::default());
        invariant.power("node-1", PowerState::On);
        stage.put(
            &mut invariant,
            "Server",
            server(
                "s1",
                "uuid-1",
                json!({"tenancyEpoch": 1, "serverClaimRef": held_by("a")}),
                json!({}),
            ),
        );
        let claim = json!({"metadata": {"name": "tenant", "namespace": "default", "uid": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"serverRef": {"name": "s1"}}});
        stage.put(&mut invariant, "ServerClaim", claim);
        for power in powers {
            invariant.power("node-1", *power);
        }
        stage
            .put(
                &mut invariant,
                "Server",
                server("s1", "uuid-1", json!({"tenancyEpoch": 2}), json!({})),
            )
            .len()
    }

    #[test]
    fn only_off_counts() {
        assert_eq!(scenario(&[PowerState::PoweringOff, PowerState::Off]), 0);
        assert_eq!(scenario(&[PowerState::Off, PowerState::On]), 0);
        assert_eq!(scenario(&[PowerState::PoweringOff]), 1);
        assert_eq!(scenario(&[]), 1);
    }
}
