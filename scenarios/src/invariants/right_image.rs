//! S9, judged by the truth: the tenant that starts on a machine is the one whose claim holds it, and it is delivered once; agents of the
//! operator start on no machine that a living claim holds; and on one that a maintenance has starts nothing but what that brings.

use super::{Breach, Invariant, Scene, claim_of};
use crate::engine::world::{World, holder, state, text};
use crate::guest::GuestKind;
use bmc_emulator::{MachineEvent, MachineEventKind, PowerState};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is known about tenants.
#[derive(Default)]
pub struct RightImage {
    /// Whose label it is: the first claim it was delivered for. Claims with the same image and user data have the same label.
    owners: BTreeMap<String, Workload>,
    /// Holders a machine was delivered to on the operator's demand, by machine.
    delivered: BTreeSet<(String, String)>,
    /// Machines somebody has switched on by hand: what is on their drives starts, whatever the operator wants.
    by_hand: BTreeSet<String>,
    /// Machines whose last boot was sent to the network by an override. Without one, a machine with an empty or missing drive boots from
    /// the network as its boot order says, and nobody but its firmware has decided that.
    overridden: BTreeSet<String>,
    /// Machines whose last boot began while a maintenance had them.
    maintained: BTreeSet<String>,
    /// Machines that were switched on for somebody else and whose firmware may be at its self-test still. What they boot then was begun
    /// before any maintenance, as if it ran already.
    begun: BTreeSet<String>,
}

/// What a claim asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Workload {
    image: String,
    secret: String,
}

impl Invariant for RightImage {
    fn name(&self) -> &'static str {
        "a machine runs what its holder asked for, or nothing"
    }

    fn machine(&mut self, event: &MachineEvent, scene: &Scene<'_>) -> Vec<Breach> {
        match &event.kind {
            MachineEventKind::PowerButtonPressed => {
                self.by_hand.insert(event.machine.clone());
                Vec::new()
            }
            MachineEventKind::ResetRequested { .. } => {
                self.by_hand.remove(&event.machine);
                Vec::new()
            }
            MachineEventKind::Power {
                state: PowerState::PoweringOn,
            } => {
                if in_maintenance(&event.machine, scene.world) {
                    self.begun.remove(&event.machine);
                } else {
                    self.begun.insert(event.machine.clone());
                }
                Vec::new()
            }
            MachineEventKind::BootStarted { from_override, .. } => {
                if *from_override {
                    self.overridden.insert(event.machine.clone());
                } else {
                    self.overridden.remove(&event.machine);
                }
                let begun = self.begun.remove(&event.machine);
                if !begun && in_maintenance(&event.machine, scene.world) {
                    self.maintained.insert(event.machine.clone());
                } else {
                    self.maintained.remove(&event.machine);
                }
                Vec::new()
            }
            MachineEventKind::GuestIdentified { kind, label, .. } => {
                let (Some(kind), Some((key, server))) =
                    (GuestKind::parse(kind), scene.world.server_for(&event.machine))
                else {
                    return Vec::new();
                };
                let wrong = if kind == GuestKind::MaintenanceSystem {
                    self.tools(&event.machine, server)
                } else if self.unwanted(&event.machine) {
                    let starts = format!("the {} starts on {}", kind.as_str(), event.machine);
                    Some(format!("{starts}, which a maintenance has"))
                } else if kind.is_tenant() {
                    self.tenant(kind, label, &event.machine, server, scene.world)
                } else {
                    agent(kind, server, scene.world)
                };
                wrong
                    .into_iter()
                    .map(|message| Breach::new(message, [key.to_string(), format!("machine {}", event.machine)]))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl RightImage {
    /// Whether a maintenance has the machine, and what starts there was not what its firmware tried when the override led nowhere.
    fn unwanted(&self, machine: &str) -> bool {
        self.maintained.contains(machine) && !self.by_hand.contains(machine) && !self.overridden.contains(machine)
    }

    /// A maintenance that came while the firmware was at its self-test has the machine, too.
    fn tools(&self, machine: &str, server: &Value) -> Option<String> {
        let named = text(server, "/spec/serverMaintenanceRef/name").is_some();
        let wrong = !named && !self.maintained.contains(machine) && !self.by_hand.contains(machine);
        wrong.then(|| format!("the system of a maintenance starts on {machine}, which no maintenance has"))
    }

    fn tenant(&mut self, kind: GuestKind, label: &str, machine: &str, server: &Value, world: &World) -> Option<String> {
        let starts = format!("{kind} {label} starts on {machine}", kind = kind.as_str());
        if self.by_hand.contains(machine) {
            return None;
        }
        let Some(uid) = holder(server) else {
            return Some(format!("{starts}, which nobody holds"));
        };
        // A claim that is gone keeps its machine until that is off; what it asked for is not known any more.
        let workload = workload_of(server, world)?;
        let owner = self.owners.entry(label.to_owned()).or_insert_with(|| workload.clone());
        if *owner != workload {
            return Some(format!(
                "{starts}, which is held for {workload:?}, and belongs to {owner:?}"
            ));
        }
        let on_demand = kind == GuestKind::DeliveredTenant && self.overridden.contains(machine);
        let again = on_demand && !self.delivered.insert((machine.to_owned(), uid.to_owned()));
        again.then(|| format!("{starts} a second time for the same claim: a provisioned machine was imaged again"))
    }
}

fn in_maintenance(machine: &str, world: &World) -> bool {
    let server = world.server_for(machine);
    server.is_some_and(|(_, server)| state(server) == Some("Maintenance"))
}

fn agent(kind: GuestKind, server: &Value, world: &World) -> Option<String> {
    let claim = claim_of(server, world)?;
    let lives = text(claim, "/metadata/deletionTimestamp").is_none();
    lives.then(|| format!("the {} starts on a machine that a claim holds", kind.as_str()))
}

fn workload_of(server: &Value, world: &World) -> Option<Workload> {
    let claim = claim_of(server, world)?;
    Some(Workload {
        image: text(claim, "/spec/image").unwrap_or_default().to_owned(),
        secret: text(claim, "/spec/ignitionSecretRef/name")
            .unwrap_or_default()
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    struct Theatre {
        stage: Stage,
        invariant: RightImage,
    }

    impl Theatre {
        fn new() -> Self {
            Self {
                stage: Stage::default(),
                invariant: RightImage::default(),
            }
        }

        fn claim(&mut self, uid: &str, secret: &str) {
            let claim = json!({
                "metadata": {"name": "tenant", "namespace": "default", "uid": uid},
                "spec": {"image": "os", "ignitionSecretRef": {"name": secret}},
            });
            self.stage.put(&mut self.invariant, "ServerClaim", claim);
        }

        fn held(&mut self, uid: Option<&str>) {
            let spec = uid.map_or(json!({}), |uid| json!({"serverClaimRef": held_by(uid)}));
            let object = server("s1", "uuid-1", spec, json!({}));
            self.stage.put(&mut self.invariant, "Server", object);
        }

        fn event(&mut self, kind: MachineEventKind) -> usize {
            let event = MachineEvent {
                machine: "node-1".into(),
                at: jiff::Timestamp::UNIX_EPOCH,
                kind,
            };
            let scene = Scene {
                now: jiff::Timestamp::UNIX_EPOCH,
                world: &self.stage.world,
                secrets: &self.stage.secrets,
                truth: None,
            };
            self.invariant.machine(&event, &scene).len()
        }

        fn boots(&mut self, from_override: bool) {
            let devices = vec!["network:eno1".to_owned()];
            self.event(MachineEventKind::BootStarted { devices, from_override });
        }

        fn starts(&mut self, kind: GuestKind, label: &str) -> usize {
            self.event(MachineEventKind::GuestIdentified {
                source: "x".into(),
                kind: kind.as_str().into(),
                label: label.into(),
            })
        }
    }

    #[test]
    fn each_runs_its_own_and_is_delivered_once() {
        let mut theatre = Theatre::new();
        theatre.claim("a", "one");
        theatre.held(Some("a"));
        theatre.boots(false);
        assert_eq!(
            theatre.starts(GuestKind::DeliveredTenant, "os#1"),
            0,
            "it was switched on by hand"
        );
        theatre.boots(true);
        assert_eq!(theatre.starts(GuestKind::DeliveredTenant, "os#1"), 0);
        theatre.boots(false);
        assert_eq!(theatre.starts(GuestKind::InstalledTenant, "os#1"), 0);
        assert_eq!(
            theatre.starts(GuestKind::DeliveredTenant, "os#1"),
            0,
            "its drive is empty, and its boot order has the network next"
        );
        theatre.boots(true);
        assert_eq!(theatre.starts(GuestKind::DeliveredTenant, "os#1"), 1);
        theatre.claim("b", "two");
        theatre.held(Some("b"));
        assert_eq!(
            theatre.starts(GuestKind::InstalledTenant, "os#1"),
            1,
            "of the tenant before"
        );
    }

    #[test]
    fn a_maintenance_starts_nothing_but_its_own() {
        let mut theatre = Theatre::new();
        theatre.claim("a", "one");
        let powers_on = MachineEventKind::Power {
            state: PowerState::PoweringOn,
        };
        let in_state = |theatre: &mut Theatre, state: &str, spec: serde_json::Value| {
            let object = server("s1", "uuid-1", spec, json!({ "state": state }));
            theatre.stage.put(&mut theatre.invariant, "Server", object);
        };
        let held = json!({ "serverClaimRef": held_by("a") });
        let maintained = json!({ "serverClaimRef": held_by("a"), "serverMaintenanceRef": { "name": "m" } });

        in_state(&mut theatre, "Reserved", held.clone());
        theatre.event(powers_on.clone());
        in_state(&mut theatre, "Maintenance", maintained.clone());
        theatre.boots(false);
        let installed = |theatre: &mut Theatre| theatre.starts(GuestKind::InstalledTenant, "os#1");
        assert_eq!(installed(&mut theatre), 0, "switched on for the tenant, before");
        assert_eq!(theatre.starts(GuestKind::MaintenanceSystem, "tools"), 0);
        theatre.boots(false);
        assert_eq!(
            installed(&mut theatre),
            1,
            "restarted while the maintenance has the machine"
        );
        theatre.event(powers_on);
        theatre.boots(false);
        assert_eq!(installed(&mut theatre), 1);

        in_state(&mut theatre, "Reserved", held);
        theatre.boots(false);
        assert_eq!(theatre.starts(GuestKind::MaintenanceSystem, "tools"), 1);
        in_state(&mut theatre, "Discovery", maintained);
        assert_eq!(
            theatre.starts(GuestKind::MaintenanceSystem, "tools"),
            0,
            "it has come since"
        );
    }

    #[test]
    fn nobody_has_no_tenant_and_a_holder_no_agent() {
        let mut theatre = Theatre::new();
        theatre.claim("a", "one");
        theatre.held(None);
        assert_eq!(theatre.starts(GuestKind::ProbeAgent, "u"), 0);
        assert_eq!(theatre.starts(GuestKind::InstalledTenant, "os#1"), 1);
        theatre.event(MachineEventKind::PowerButtonPressed);
        assert_eq!(
            theatre.starts(GuestKind::InstalledTenant, "os#1"),
            0,
            "somebody pressed the button"
        );
        theatre.held(Some("a"));
        assert_eq!(theatre.starts(GuestKind::ProbeAgent, "u"), 1);
        assert_eq!(theatre.starts(GuestKind::WipeAgent, "u"), 1);
    }
}
