//! S14: what a probe tells counts for the machine and the epoch it ran in. A server leaves discovery only when its probe ran since discovery
//! began.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, number, state};
use crate::guest::GuestKind;
use bmc_emulator::{MachineEvent, MachineEventKind};
use kube_emulator::Commit;
use std::collections::BTreeMap;

/// Name and UID of the Server, and its epoch, when a probe last started on its machine.
#[derive(Default)]
pub struct RegisteredProbe(BTreeMap<ObjectKey, (Option<String>, i64)>);

impl Invariant for RegisteredProbe {
    fn name(&self) -> &'static str {
        "a server was discovered by a probe that ran on it"
    }

    fn machine(&mut self, event: &MachineEvent, scene: &Scene<'_>) -> Vec<Breach> {
        if let MachineEventKind::GuestIdentified { kind, .. } = &event.kind
            && GuestKind::parse(kind) == Some(GuestKind::ProbeAgent)
            && let Some((key, server)) = scene.world.server_for(&event.machine)
        {
            self.0.insert(key.clone(), run(server));
        }
        Vec::new()
    }

    fn commit(&mut self, commit: &Commit, _: &Scene<'_>) -> Vec<Breach> {
        let before = commit.previous.as_deref().and_then(state);
        let discovered =
            commit.kind == "Server" && before == Some("Discovery") && state(&commit.object) == Some("Available");
        let key = ObjectKey::of(commit);
        if !discovered || self.0.get(&key) == Some(&run(&commit.object)) {
            return Vec::new();
        }
        let (_, epoch) = run(&commit.object);
        let message =
            format!("{key} was discovered in epoch {epoch}, and no probe has run on its machine since that began");
        vec![Breach::new(message, [key.to_string()])]
    }
}

fn run(server: &serde_json::Value) -> (Option<String>, i64) {
    let uid = crate::engine::world::text(server, "/metadata/uid").map(str::to_owned);
    (uid, number(server, "/spec/tenancyEpoch").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_probe_of_another_epoch_does_not_count() {
        let (mut stage, mut invariant) = (Stage::default(), RegisteredProbe::default());
        let put = |stage: &mut Stage, invariant: &mut RegisteredProbe, epoch: i64, state: &str| {
            let object = server("s1", "uuid-1", json!({"tenancyEpoch": epoch}), json!({"state": state}));
            stage.put(invariant, "Server", object).len()
        };
        assert_eq!(put(&mut stage, &mut invariant, 1, "Discovery"), 0);
        let probe = MachineEvent {
            machine: "node-1".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: MachineEventKind::GuestIdentified {
                source: "network".into(),
                kind: GuestKind::ProbeAgent.as_str().into(),
                label: "x".into(),
            },
        };
        let scene = Scene {
            now: jiff::Timestamp::UNIX_EPOCH,
            world: &stage.world,
            secrets: &stage.secrets,
            truth: None,
        };
        invariant.machine(&probe, &scene);
        assert_eq!(put(&mut stage, &mut invariant, 1, "Available"), 0);
        assert_eq!(put(&mut stage, &mut invariant, 3, "Discovery"), 0);
        assert_eq!(put(&mut stage, &mut invariant, 3, "Available"), 1);
    }
}
