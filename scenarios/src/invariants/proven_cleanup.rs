//! S4, judged by the record: a claim marks the server with the epoch whose data it will carry, and only a cleanup that names
//! every drive as erased takes the mark away.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, holder, number, text};
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;

/// Stateless: every commit carries the object before it.
pub struct ProvenCleanup;

impl Invariant for ProvenCleanup {
    fn name(&self) -> &'static str {
        "residue is marked by a claim and cleared by a proven cleanup only"
    }

    fn commit(&mut self, commit: &Commit, _scene: &Scene<'_>) -> Vec<Breach> {
        if commit.kind != "Server" || commit.event != CommitEvent::Modified {
            return Vec::new();
        }
        let Some(before) = commit.previous.as_deref() else {
            return Vec::new();
        };
        let now = commit.object.as_ref();
        judge(before, now)
            .into_iter()
            .map(|message| Breach::new(message, [ObjectKey::of(commit).to_string()]))
            .collect()
    }
}

fn judge(before: &Value, now: &Value) -> Option<String> {
    let residue = |server| number(server, "/spec/residueEpoch");
    let claimed = holder(before).is_none() && holder(now).is_some_and(|claim| !claim.is_empty());
    if claimed {
        if let Some(epoch) = residue(before) {
            return Some(format!(
                "claimed while data of epoch {epoch} may be on the drives (residueEpoch)"
            ));
        }
        let epoch = number(now, "/spec/tenancyEpoch");
        if epoch.is_none() || residue(now) != epoch {
            return Some(format!(
                "claimed without marking it: tenancyEpoch is {epoch:?}, residueEpoch {:?}",
                residue(now)
            ));
        }
    }
    let cleared = residue(before).is_some() && residue(now).is_none();
    if cleared && text(now, "/spec/cleanupPolicy") != Some("Skip") {
        if text(now, "/status/cleanup/state") != Some("Succeeded") {
            return Some("residueEpoch was cleared, and no cleanup has succeeded".to_owned());
        }
        let drives = now.pointer("/status/cleanup/drives").and_then(Value::as_array);
        let unproven: Vec<&str> = drives
            .into_iter()
            .flatten()
            .filter(|drive| text(drive, "/state") != Some("Erased"))
            .filter_map(|drive| text(drive, "/id"))
            .collect();
        if !unproven.is_empty() {
            return Some(format!(
                "residueEpoch was cleared, and these drives are not proven erased: {}",
                unproven.join(", ")
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{held_by, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn table() {
        let of = |spec: Value, status: Value| server("s1", "uuid-1", spec, status);
        let evidence = |state: &str| json!({"cleanup": {"state": "Succeeded", "drives": [{"id": "d1", "state": "Erased"}, {"id": "d2", "state": state}]}});
        for (before, now, expected) in [
            (
                of(json!({}), json!({})),
                of(
                    json!({"serverClaimRef": held_by("a"), "tenancyEpoch": 2, "residueEpoch": 2}),
                    json!({}),
                ),
                None,
            ),
            (
                of(json!({"residueEpoch": 1}), json!({})),
                of(
                    json!({"serverClaimRef": held_by("a"), "tenancyEpoch": 2, "residueEpoch": 2}),
                    json!({}),
                ),
                Some("claimed while data of epoch 1"),
            ),
            (
                of(json!({}), json!({})),
                of(json!({"serverClaimRef": held_by("a"), "tenancyEpoch": 2}), json!({})),
                Some("claimed without marking it"),
            ),
            (
                of(json!({"residueEpoch": 1}), json!({})),
                of(json!({}), json!({})),
                Some("no cleanup has succeeded"),
            ),
            (
                of(json!({"residueEpoch": 1}), json!({})),
                of(json!({"cleanupPolicy": "Skip"}), json!({})),
                None,
            ),
            (
                of(json!({"residueEpoch": 1}), json!({})),
                of(json!({}), evidence("Failed")),
                Some("not proven erased: d2"),
            ),
            (
                of(json!({"residueEpoch": 1}), json!({})),
                of(json!({}), evidence("Erased")),
                None,
            ),
        ] {
            let found = judge(&before, &now);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?} instead of {expected:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
