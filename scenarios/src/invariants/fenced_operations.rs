//! S5 and S8: a reset that a BMC accepts was recorded before it was sent, for the epoch the server still has, and no attempt of
//! it executes twice.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{number, text};
use bmc_emulator::{MachineEvent, MachineEventKind};
use std::collections::BTreeMap;

/// Resets each intent has led to.
#[derive(Default)]
pub struct FencedOperations {
    executed: BTreeMap<String, i64>,
}

impl Invariant for FencedOperations {
    fn name(&self) -> &'static str {
        "a reset executes for a recorded intent of the current epoch, once per attempt"
    }

    fn machine(&mut self, event: &MachineEvent, scene: &Scene<'_>) -> Vec<Breach> {
        let MachineEventKind::ResetRequested { reset_type } = &event.kind else {
            return Vec::new();
        };
        // A machine the cluster does not know yet has no holder to protect.
        let Some((key, server)) = scene.world.server_for(&event.machine) else {
            return Vec::new();
        };
        let breach = |message: String| {
            vec![Breach::new(
                message,
                [key.to_string(), format!("machine {}", event.machine)],
            )]
        };

        let Some(id) = text(server, "/status/operation/id") else {
            return breach(format!(
                "{reset_type} reached the machine, and no operation was recorded"
            ));
        };
        let (intended, epoch) = (
            number(server, "/status/operation/epoch"),
            number(server, "/spec/tenancyEpoch"),
        );
        if intended.unwrap_or_default() != epoch.unwrap_or_default() {
            return breach(format!(
                "{reset_type} reached the machine for epoch {intended:?}, and the server is at epoch {epoch:?} (operation {id})"
            ));
        }
        let executed = self.executed.entry(format!("{key}/{id}")).or_default();
        *executed += 1;
        let attempts = number(server, "/status/operation/attempts").unwrap_or_default().max(1);
        if *executed > attempts {
            return breach(format!(
                "operation {id} was executed {executed} times and recorded as sent {attempts} times"
            ));
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, server};
    use super::*;
    use serde_json::{Value, json};

    fn reset() -> MachineEvent {
        MachineEvent {
            machine: "node-1".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: MachineEventKind::ResetRequested {
                reset_type: "ForceOff".into(),
            },
        }
    }

    fn judge(stage: &mut Stage, invariant: &mut FencedOperations, operation: Value) -> Vec<String> {
        let object = server(
            "s1",
            "uuid-1",
            json!({"tenancyEpoch": 2}),
            json!({ "operation": operation }),
        );
        stage.put(invariant, "Server", object);
        let scene = Scene {
            now: jiff::Timestamp::UNIX_EPOCH,
            world: &stage.world,
            secrets: &stage.secrets,
            truth: None,
        };
        invariant
            .machine(&reset(), &scene)
            .into_iter()
            .map(|breach| breach.message)
            .collect()
    }

    #[test]
    fn unrecorded_outdated_and_repeated_resets_are_breaches() {
        let (mut stage, mut invariant) = (Stage::default(), FencedOperations::default());
        let mut judge = |operation| judge(&mut stage, &mut invariant, operation);
        assert!(judge(Value::Null)[0].contains("no operation was recorded"));
        assert!(judge(json!({"id": "a", "epoch": 1}))[0].contains("for epoch Some(1)"));
        assert!(judge(json!({"id": "b", "epoch": 2, "attempts": 1})).is_empty());
        assert!(judge(json!({"id": "b", "epoch": 2, "attempts": 2})).is_empty());
        assert!(judge(json!({"id": "b", "epoch": 2, "attempts": 2}))[0].contains("executed 3 times"));
    }
}
