//! S13: the operator adds and removes its own finalizers, and no others.

use super::{Breach, Invariant, Scene};
use crate::engine::world::ObjectKey;
use crds::keys::finalizer::SERVER_READINESS_RULE;
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;
use std::collections::BTreeSet;

/// Stateless: every commit carries the object before it.
pub struct ForeignFinalizers;

impl Invariant for ForeignFinalizers {
    fn name(&self) -> &'static str {
        "finalizers of others stay as they are"
    }

    fn commit(&mut self, commit: &Commit, _: &Scene<'_>) -> Vec<Breach> {
        let by_operator = commit.field_manager.as_deref() == Some(crds::keys::FIELD_MANAGER);
        let (true, Some(previous)) = (by_operator, commit.previous.as_deref()) else {
            return Vec::new();
        };
        // With its last finalizer an object is gone.
        let now = match commit.event {
            CommitEvent::Deleted => BTreeSet::new(),
            _ => foreign(&commit.object),
        };
        let before = foreign(previous);
        let changed: Vec<&str> = before.symmetric_difference(&now).copied().collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let key = ObjectKey::of(commit).to_string();
        let message = format!("the operator added or removed {} of {key}", changed.join(", "));
        vec![Breach::new(message, [key])]
    }
}

fn foreign(object: &Value) -> BTreeSet<&str> {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let finalizers = finalizers.into_iter().flatten().filter_map(Value::as_str);
    finalizers
        .filter(|finalizer| !finalizer.starts_with(crds::GROUP) && *finalizer != SERVER_READINESS_RULE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Stage;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_its_own() {
        let (mut stage, mut invariant) = (Stage::default(), ForeignFinalizers);
        let ours = crds::keys::finalizer::SERVER_CLAIM;
        let mut put = |manager: &str, finalizers: &[&str]| {
            let claim = json!({"metadata": {"name": "a", "namespace": "default", "finalizers": finalizers}});
            stage.put_by(&mut invariant, manager, "ServerClaim", claim).len()
        };
        let operator = crds::keys::FIELD_MANAGER;
        assert_eq!(put("user", &[]), 0);
        assert_eq!(put(operator, &[ours]), 0);
        assert_eq!(put("user", &[ours, "x.example/y"]), 0);
        assert_eq!(put(operator, &["x.example/y"]), 0);
        assert_eq!(put(operator, &[]), 1);
        assert_eq!(put(operator, &["x.example/y"]), 1, "it is not put back either");
        assert_eq!(put("user", &[]), 0);
    }
}
