//! S5, its base: the tenancy epoch is a clock of holders.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, holder, number};
use kube_emulator::{Commit, CommitEvent};

/// Stateless: every commit carries the object before it.
pub struct EpochGrows;

impl Invariant for EpochGrows {
    fn name(&self) -> &'static str {
        "the tenancy epoch grows with every holder"
    }

    fn commit(&mut self, commit: &Commit, _scene: &Scene<'_>) -> Vec<Breach> {
        if commit.kind != "Server" || commit.event != CommitEvent::Modified {
            return Vec::new();
        }
        let Some(previous) = commit.previous.as_deref() else {
            return Vec::new();
        };
        let before = number(previous, "/spec/tenancyEpoch").unwrap_or_default();
        let now = number(&commit.object, "/spec/tenancyEpoch").unwrap_or_default();
        let new_holder = holder(previous).is_none() && holder(&commit.object).is_some_and(|claim| !claim.is_empty());
        let message = if now < before {
            format!("tenancyEpoch went from {before} back to {now}")
        } else if new_holder && now == before {
            format!("a claim got the server and tenancyEpoch is still {now}")
        } else {
            return Vec::new();
        };
        vec![Breach::new(message, [ObjectKey::of(commit).to_string()])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn backwards_and_standing_still_are_breaches() {
        let (mut stage, mut invariant) = (Stage::default(), EpochGrows);
        let mut put = |spec| {
            stage
                .put(&mut invariant, "Server", server("s1", "uuid-1", spec, json!({})))
                .len()
        };
        assert_eq!(put(json!({})), 0);
        assert_eq!(put(json!({"tenancyEpoch": 4, "serverClaimRef": held_by("a")})), 0);
        assert_eq!(put(json!({"tenancyEpoch": 5})), 0);
        assert_eq!(put(json!({"tenancyEpoch": 5, "serverClaimRef": held_by("b")})), 1);
        assert_eq!(put(json!({"tenancyEpoch": 3, "serverClaimRef": held_by("b")})), 1);
    }
}
