//! S2, S10: a maintenance gets a server that a claim holds with the consent of that claim's owner, or where nobody has to be asked; one has
//! it at a time; and while it has, no claim gets the server.

use super::{Breach, Invariant, Scene, claim_of};
use crate::engine::world::{ObjectKey, number, text};
use jiff::{SignedDuration, Timestamp};
use kube_emulator::Commit;
use serde_json::Value;
use std::collections::BTreeMap;

/// An approval that was taken back while the patch of the maintenance was on its way still counts.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(2);

const REFERENCE: &str = "/spec/serverMaintenanceRef";
const APPROVED: &str = "/metadata/labels/metal.ironcore.dev~1maintenance-approved";

/// When claims, by UID, were last approved.
#[derive(Default)]
pub struct MaintenanceConsent(BTreeMap<String, Timestamp>);

impl Invariant for MaintenanceConsent {
    fn name(&self) -> &'static str {
        "a maintenance has its server alone, and with consent"
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        let breach = |message: String| vec![Breach::new(message, [ObjectKey::of(commit).to_string()])];
        match commit.kind.as_str() {
            "ServerClaim" => {
                // Until the last moment, and a little longer.
                let before = commit.previous.as_deref();
                let approved = [Some(&*commit.object), before].into_iter().flatten();
                if approved
                    .map(|claim| claim.pointer(APPROVED))
                    .any(|label| label.is_some())
                    && let Some(uid) = text(&commit.object, "/metadata/uid")
                {
                    self.0.insert(uid.to_owned(), scene.now);
                }
                Vec::new()
            }
            "Server" => {
                let Some(previous) = commit.previous.as_deref() else {
                    return Vec::new();
                };
                match (previous.pointer(REFERENCE), commit.object.pointer(REFERENCE)) {
                    (Some(before), Some(now)) if before != now => {
                        breach(format!("the maintenance {before} is replaced by {now}"))
                    }
                    (Some(reference), Some(_)) => {
                        let bound = |server: &Value| server.pointer("/spec/serverClaimRef").is_some();
                        match !bound(previous) && bound(&commit.object) {
                            true => breach(format!("it is claimed while the maintenance {reference} has it")),
                            false => Vec::new(),
                        }
                    }
                    (None, Some(reference)) => self
                        .unasked(reference, &commit.object, scene)
                        .map(breach)
                        .unwrap_or_default(),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }
}

impl MaintenanceConsent {
    /// What is wrong with a maintenance that begins.
    fn unasked(&self, reference: &Value, server: &Value, scene: &Scene<'_>) -> Option<String> {
        // Nobody can agree for a claim that is not there, is another of its name, or has let go of the server.
        let claim = claim_of(server, scene.world)?;
        let released = number(server, "/spec/tenancyEpoch") > number(server, "/spec/residueEpoch");
        if released || text(claim, "/metadata/deletionTimestamp").is_some() {
            return None;
        }
        let (namespace, name) = (text(reference, "/namespace")?, text(reference, "/name")?);
        let maintenance = scene
            .world
            .list("ServerMaintenance")
            .find(|(key, _)| key.namespace.as_deref() == Some(namespace) && key.name == name)
            .map(|(_, object)| object)?;
        if text(maintenance, "/spec/policy") == Some("Enforced") {
            return None;
        }
        let uid = text(claim, "/metadata/uid").unwrap_or_default();
        let approved = claim.pointer(APPROVED).is_some()
            || self
                .0
                .get(uid)
                .is_some_and(|last| scene.now.duration_since(*last) <= UNDER_WAY);
        let owner = text(claim, "/metadata/name").unwrap_or_default();
        (!approved)
            .then(|| format!("maintenance {namespace}/{name} begins, and the owner of claim {owner} has not agreed"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    fn stage(labels: &Value, policy: &str) -> (Stage, MaintenanceConsent) {
        let (mut stage, mut invariant) = (Stage::default(), MaintenanceConsent::default());
        let claim = json!({
            "metadata": { "name": "tenant", "namespace": "default", "uid": "a", "labels": labels },
            "spec": {},
        });
        stage.put(&mut invariant, "ServerClaim", claim);
        let maintenance = json!({
            "metadata": { "name": "m", "namespace": "default", "uid": "m-1" },
            "spec": { "policy": policy },
        });
        stage.put(&mut invariant, "ServerMaintenance", maintenance);
        let held = json!({ "serverClaimRef": held_by("a") });
        stage.put(&mut invariant, "Server", server("s1", "uuid-1", held, json!({})));
        (stage, invariant)
    }

    fn given(stage: &mut Stage, invariant: &mut MaintenanceConsent, name: Option<&str>, holder: Option<&str>) -> usize {
        let reference = name.map(|name| json!({ "namespace": "default", "name": name, "uid": "m-1" }));
        let mut spec = json!({});
        if let Some(holder) = holder {
            spec["serverClaimRef"] = held_by(holder);
        }
        if let Some(reference) = reference {
            spec["serverMaintenanceRef"] = reference;
        }
        stage
            .put(invariant, "Server", server("s1", "uuid-1", spec, json!({})))
            .len()
    }

    #[test]
    fn the_owner_is_asked() {
        let approved = json!({ "metal.ironcore.dev/maintenance-approved": "yes" });
        for (labels, policy, breaches) in [
            (json!({}), "OwnerApproval", 1),
            (json!({}), "Enforced", 0),
            (approved, "OwnerApproval", 0),
        ] {
            let (mut stage, mut invariant) = stage(&labels, policy);
            let found = given(&mut stage, &mut invariant, Some("m"), Some("a"));
            assert_eq!(found, breaches, "{labels} {policy}");
        }
    }

    #[test]
    fn one_has_it_alone() {
        let (mut stage, mut invariant) = stage(&json!({}), "Enforced");
        assert_eq!(given(&mut stage, &mut invariant, Some("m"), None), 0);
        assert_eq!(given(&mut stage, &mut invariant, Some("n"), None), 1, "another");
        assert_eq!(given(&mut stage, &mut invariant, Some("n"), Some("a")), 1, "claimed");
        assert_eq!(given(&mut stage, &mut invariant, None, Some("a")), 0);
    }
}
