//! S5, S7: from its provisioning boot on, the machine of a claim is switched off when its holder says so, somebody asks for it, or a
//! maintenance has it, and else never.

use super::{Breach, Invariant, PROVISIONING, Scene, claim_of};
use crate::engine::world::{ObjectKey, number, state, text};
use bmc_emulator::{MachineEvent, MachineEventKind};
use jiff::{SignedDuration, Timestamp};
use kube_emulator::Commit;
use std::collections::BTreeMap;

/// What a claim wanted before may be under way for so long: a command that was recorded, sent, and held up.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(15);

/// When what claims want, and what people asked for by annotation, last changed.
#[derive(Default)]
pub struct UndisturbedTenant(BTreeMap<ObjectKey, Timestamp>);

const WANTED_POWER: &str = "/spec/power";
const REQUEST: &str = "/metadata/annotations/metal.ironcore.dev~1operation";

impl Invariant for UndisturbedTenant {
    fn name(&self) -> &'static str {
        "a running tenant is left alone"
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        let watched = match commit.kind.as_str() {
            "ServerClaim" => WANTED_POWER,
            "Server" => REQUEST,
            _ => return Vec::new(),
        };
        let Some(previous) = commit.previous.as_deref() else {
            return Vec::new();
        };
        if previous.pointer(watched) != commit.object.pointer(watched) {
            self.0.insert(ObjectKey::of(commit), scene.now);
        }
        Vec::new()
    }

    fn machine(&mut self, event: &MachineEvent, scene: &Scene<'_>) -> Vec<Breach> {
        let MachineEventKind::ResetRequested { reset_type } = &event.kind else {
            return Vec::new();
        };
        let Some((key, server)) = scene.world.server_for(&event.machine) else {
            return Vec::new();
        };
        let Some(claim) = claim_of(server, scene.world) else {
            return Vec::new();
        };
        let claim_key = ObjectKey {
            kind: "ServerClaim".to_owned(),
            namespace: text(claim, "/metadata/namespace").map(str::to_owned),
            name: text(claim, "/metadata/name").unwrap_or_default().to_owned(),
        };
        let settled = [key, &claim_key].into_iter().all(|object| {
            let changed = self.0.get(object);
            changed.is_none_or(|changed| scene.now.duration_since(*changed) > UNDER_WAY)
        });
        let epoch = number(server, "/spec/tenancyEpoch").unwrap_or_default();
        let provisioned = text(server, PROVISIONING).is_some_and(|value| value.starts_with(&format!("{epoch}:")));
        let wants_on = text(claim, "/metadata/deletionTimestamp").is_none() && text(claim, WANTED_POWER) == Some("On");
        // Whether its owner has agreed is judged elsewhere.
        let maintained = server.pointer("/spec/serverMaintenanceRef").is_some()
            || state(server) == Some("Maintenance")
            // As long as somebody waits for it to be off, it is asked.
            || text(server, REQUEST) == Some("park");
        let switches_off = matches!(reset_type.as_str(), "GracefulShutdown" | "ForceOff");
        if maintained || !(switches_off && provisioned && wants_on && settled) {
            return Vec::new();
        }
        let message = format!(
            "{} of {}, which {claim_key} holds and wants On",
            reset_type, event.machine
        );
        vec![Breach::new(message, [key.to_string(), claim_key.to_string()])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn only_its_holder_switches_it_off() {
        let (mut stage, mut invariant) = (Stage::default(), UndisturbedTenant::default());
        let claim = |power: &str| {
            json!({
                "metadata": { "name": "tenant", "namespace": "default", "uid": "a" },
                "spec": { "power": power },
            })
        };
        let mut held = server(
            "s1",
            "uuid-1",
            json!({ "tenancyEpoch": 3, "serverClaimRef": held_by("a") }),
            json!({}),
        );
        held["metadata"]["annotations"] = json!({ "metal.ironcore.dev/provisioning": "3:Booted" });
        stage.put(&mut invariant, "ServerClaim", claim("On"));
        stage.put(&mut invariant, "Server", held);
        let breaches = |stage: &Stage, invariant: &mut UndisturbedTenant, reset_type: &str, minute: i64| {
            let event = MachineEvent {
                machine: "node-1".into(),
                at: Timestamp::UNIX_EPOCH,
                kind: MachineEventKind::ResetRequested {
                    reset_type: reset_type.into(),
                },
            };
            let scene = Scene {
                now: Timestamp::from_second(minute * 60).expect("a time"),
                world: &stage.world,
                secrets: &stage.secrets,
                truth: None,
            };
            invariant.machine(&event, &scene).len()
        };
        assert_eq!(breaches(&stage, &mut invariant, "ForceOff", 1), 1);
        assert_eq!(breaches(&stage, &mut invariant, "On", 20), 0);
        stage.put(&mut invariant, "ServerClaim", claim("Off"));
        assert_eq!(breaches(&stage, &mut invariant, "GracefulShutdown", 20), 0);
        stage.put(&mut invariant, "ServerClaim", claim("On"));
        assert_eq!(
            breaches(&stage, &mut invariant, "ForceOff", 10),
            0,
            "it may be under way"
        );
        assert_eq!(breaches(&stage, &mut invariant, "ForceOff", 20), 1);
    }
}
