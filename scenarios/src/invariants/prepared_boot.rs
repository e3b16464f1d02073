//! S9: a machine is started for its tenant the first time when what it is going to boot is ready. Afterwards it boots from its drives.

use super::{Breach, Invariant, PROVISIONING, Scene};
use crate::engine::world::{holder, number, state, text};
use bmc_emulator::{MachineEvent, MachineEventKind};
use kube_emulator::Commit;
use std::collections::BTreeSet;

/// Servers and epochs whose boot configuration was ready at some time: status may be lost, and what was ready once may be booted.
#[derive(Default)]
pub struct PreparedBoot {
    ready: BTreeSet<(String, String)>,
}

const EPOCH: &str = "/metadata/annotations/metal.ironcore.dev~1tenancy-epoch";

impl Invariant for PreparedBoot {
    fn name(&self) -> &'static str {
        "a machine is started for its tenant when what it boots is ready"
    }

    fn commit(&mut self, commit: &Commit, _: &Scene<'_>) -> Vec<Breach> {
        if commit.kind == "ServerBootConfiguration"
            && state(&commit.object) == Some("Ready")
            && let Some(server) = text(&commit.object, "/spec/serverRef/name")
            && let Some(epoch) = text(&commit.object, EPOCH)
        {
            self.ready.insert((server.to_owned(), epoch.to_owned()));
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
        let epoch = number(server, "/spec/tenancyEpoch").unwrap_or_default().to_string();
        let booted = text(server, PROVISIONING) == Some(&format!("{epoch}:Booted"));
        // A cleanup has an epoch later than that of the residue.
        let held = holder(server).is_some() && number(server, "/spec/residueEpoch") == epoch.parse().ok();
        let prepared = self.ready.contains(&(key.name.clone(), epoch));
        // It boots what the maintenance brings.
        let maintained = state(server) == Some("Maintenance");
        if reset_type != "On" || maintained || !held || booted || prepared {
            return Vec::new();
        }
        let message = format!(
            "{} is started for a tenant whose boot configuration was never ready",
            event.machine
        );
        vec![Breach::new(message, [key.to_string()])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_start_waits_for_the_boot_server() {
        let (mut stage, mut invariant) = (Stage::default(), PreparedBoot::default());
        let spec = |epoch| json!({ "tenancyEpoch": epoch, "residueEpoch": 3, "serverClaimRef": held_by("a") });
        stage.put(&mut invariant, "Server", server("s1", "uuid-1", spec(3), json!({})));
        let starts = |stage: &Stage, invariant: &mut PreparedBoot| {
            let event = MachineEvent {
                machine: "node-1".into(),
                at: jiff::Timestamp::UNIX_EPOCH,
                kind: MachineEventKind::ResetRequested {
                    reset_type: "On".into(),
                },
            };
            let scene = Scene {
                now: jiff::Timestamp::UNIX_EPOCH,
                world: &stage.world,
                secrets: &stage.secrets,
                truth: None,
            };
            invariant.machine(&event, &scene).len()
        };
        assert_eq!(starts(&stage, &mut invariant), 1);
        let ready = json!({
            "metadata": { "name": "tenant", "annotations": { "metal.ironcore.dev/tenancy-epoch": "3" } },
            "spec": { "serverRef": { "name": "s1" } },
            "status": { "state": "Ready" },
        });
        stage.put(&mut invariant, "ServerBootConfiguration", ready);
        assert_eq!(starts(&stage, &mut invariant), 0);
        stage.put(&mut invariant, "Server", server("s1", "uuid-1", spec(4), json!({})));
        assert_eq!(starts(&stage, &mut invariant), 0, "a cleanup");
    }
}
