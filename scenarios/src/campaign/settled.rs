//! Where every server and claim has to be once nothing goes wrong any more: where its spec wants it.

use super::user::{LABEL, NAMESPACE};
use crate::engine::world::{ObjectKey, World, holder, state, text};
use bmc_emulator::{Execution, MachineTruth, PowerState};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the cluster and the machines look like.
pub(super) struct Picture<'a> {
    pub world: &'a World,
    pub truths: &'a BTreeMap<String, MachineTruth>,
}

/// Something that is not yet where it has to be.
pub(super) struct Unsettled<'a> {
    pub line: String,
    /// By name, to be shown.
    pub objects: Vec<(String, &'a Value)>,
}

impl<'a> Picture<'a> {
    /// What is not yet where it has to be.
    pub(super) fn unsettled(&self) -> Vec<Unsettled<'a>> {
        let claims: Vec<(String, &'a Value)> = self
            .world
            .list("ServerClaim")
            .map(|(key, claim)| (key.name, claim.as_ref()))
            .collect();
        let by_uid: BTreeMap<&str, &Value> = claims
            .iter()
            .filter_map(|(_, claim)| Some((text(claim, "/metadata/uid")?, *claim)))
            .collect();
        let machines = self.truths.values().filter_map(|truth| {
            Some(Unsettled {
                line: self.machine(truth, &by_uid)?,
                objects: self.server(&truth.name).into_iter().collect(),
            })
        });
        let claims = claims.iter().filter_map(|(name, claim)| {
            let uid = text(claim, "/metadata/uid");
            let servers = self.world.list("Server");
            let held = servers.filter(|(_, server)| uid.is_some() && holder(server) == uid);
            Some(Unsettled {
                line: self.claim(name, claim)?,
                objects: std::iter::once((format!("ServerClaim {NAMESPACE}/{name}"), *claim))
                    .chain(held.map(|(key, server)| (key.to_string(), server.as_ref())))
                    .collect(),
            })
        });
        let left = self
            .world
            .list("ServerBootConfiguration")
            .filter_map(|(key, configuration)| {
                let server = text(configuration, "/spec/serverRef/name").unwrap_or_default();
                let wanted = ObjectKey {
                    kind: "Server".to_owned(),
                    namespace: None,
                    name: server.to_owned(),
                };
                self.world.get(&wanted).is_none().then(|| Unsettled {
                    line: format!("{key} stays although Server {server} is gone"),
                    objects: vec![(key.to_string(), configuration.as_ref())],
                })
            });
        machines.chain(claims).chain(left).collect()
    }

    fn server(&self, machine: &str) -> Option<(String, &'a Value)> {
        let (key, server) = self.world.server_for(machine)?;
        Some((key.to_string(), server.as_ref()))
    }

    fn machine(&self, truth: &MachineTruth, claims: &BTreeMap<&str, &Value>) -> Option<String> {
        let name = &truth.name;
        let Some((_, server)) = self.world.server_for(name) else {
            return Some(format!("machine {name} has no Server"));
        };
        let state = state(server).unwrap_or("no state");
        let claim = holder(server).and_then(|uid| claims.get(uid));
        if text(server, "/metadata/deletionTimestamp").is_some() {
            // A held server stays until its claim is gone.
            return claim
                .is_none()
                .then(|| format!("Server of {name} is being deleted and stays"));
        }
        let Some(claim) = claim else {
            return match (state, holder(server)) {
                ("Available", None) if truth.power_state == PowerState::Off => None,
                ("Available", None) => Some(format!("{name} is Available and {:?}", truth.power_state)),
                ("Released", Some(_)) if text(server, "/spec/reclaimPolicy") == Some("Retain") => None,
                (state, Some(_)) => Some(format!("{name} is {state} for a claim that is gone")),
                (state, None) => Some(format!("{name} is {state} and nobody holds it")),
            };
        };
        if state != "Reserved" {
            return Some(format!("{name} is {state} and held by a claim"));
        }
        let wanted = text(claim, "/spec/power").unwrap_or_default();
        match (wanted, truth.power_state, &truth.execution) {
            ("Off", PowerState::Off, _) => None,
            ("On", PowerState::On, Execution::Guest { .. }) => None,
            (wanted, power, execution) => Some(format!(
                "the claim of {name} wants {wanted}, and the machine is {power:?} and runs {execution:?}"
            )),
        }
    }

    fn claim(&self, name: &str, claim: &Value) -> Option<String> {
        if text(claim, "/metadata/deletionTimestamp").is_some() {
            return Some(format!("claim {name} is being deleted and stays"));
        }
        let uid = text(claim, "/metadata/uid");
        let bound = text(claim, "/status/phase") == Some("Bound");
        let holds = self
            .world
            .list("Server")
            .any(|(_, server)| holder(server) == uid && uid.is_some());
        match (bound, holds) {
            (true, true) => None,
            (true, false) => Some(format!("claim {NAMESPACE}/{name} is Bound and holds no server")),
            (false, true) => Some(format!("claim {NAMESPACE}/{name} holds a server and is not Bound")),
            (false, false) => {
                let (key, _) = self
                    .world
                    .list("Server")
                    .find(|(key, server)| fits(claim, &key.name, server) && is_free(server))?;
                Some(format!("claim {NAMESPACE}/{name} waits, and {key} is free"))
            }
        }
    }
}

fn is_free(server: &Value) -> bool {
    state(server) == Some("Available")
        && holder(server).is_none()
        && text(server, "/metadata/deletionTimestamp").is_none()
        && server.pointer("/spec/unclaimable") != Some(&Value::Bool(true))
}

fn fits(claim: &Value, name: &str, server: &Value) -> bool {
    let by_name = text(claim, "/spec/serverRef/name").is_none_or(|wanted| wanted == name);
    let selects = claim.pointer("/spec/serverSelector").is_some();
    let label = server.pointer("/metadata/labels").and_then(|labels| labels.get(LABEL));
    by_name && (!selects || label.and_then(Value::as_str) == Some("yes"))
}
