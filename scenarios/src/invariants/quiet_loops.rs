//! L10: an object that is written again and again by the operator, without anybody else having changed anything, is a loop; so is a BMC
//! that is asked again and again.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, text};
use bmc_emulator::{MachineEvent, MachineEventKind};
use kube_emulator::{Commit, CommitEvent};
use std::collections::BTreeMap;

/// So many writes by one field manager in one minute of the world's clock are a loop. A server that is wiped with many drives, or whose
/// BMC comes and goes, has some tens.
const LIMIT: u32 = 200;

/// So many requests to one BMC in ten minutes are a loop, too. A server that is discovered or wiped has some tens in a minute; one that gets
/// BIOS settings has some hundreds in the minute in which it restarts, where machines are faster than in reality and the network is not.
const REQUEST_LIMIT: u32 = 3000;
const REQUEST_MINUTES: i64 = 10;

/// Writes per object in the current minute, and requests per BMC in the current ten minutes.
#[derive(Default)]
pub struct QuietLoops {
    minute: i64,
    writes: BTreeMap<String, u32>,
    requests: BTreeMap<String, u32>,
}

impl QuietLoops {
    fn turn_to(&mut self, now: jiff::Timestamp) {
        let minute = now.as_second().div_euclid(60);
        if minute.div_euclid(REQUEST_MINUTES) != self.minute.div_euclid(REQUEST_MINUTES) {
            self.requests.clear();
        }
        if minute != self.minute {
            self.minute = minute;
            self.writes.clear();
        }
    }
}

/// Counts one more; whether that makes it as many as are a loop, which is told once.
fn reaches(counts: &mut BTreeMap<String, u32>, what: String, limit: u32) -> bool {
    let count = counts.entry(what).or_default();
    *count += 1;
    *count == limit
}

impl Invariant for QuietLoops {
    fn name(&self) -> &'static str {
        "nothing is done again and again"
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        if commit.event != CommitEvent::Modified || text(&commit.object, "/metadata/name").is_none() {
            return Vec::new();
        }
        self.turn_to(scene.now);
        let by = commit.field_manager.as_deref().unwrap_or_default();
        let key = ObjectKey::of(commit).to_string();
        if !reaches(&mut self.writes, format!("{key} by {by}"), LIMIT) {
            return Vec::new();
        }
        vec![Breach::new(
            format!("{by} wrote {key} {LIMIT} times within a minute"),
            [key],
        )]
    }

    fn machine(&mut self, event: &MachineEvent, scene: &Scene<'_>) -> Vec<Breach> {
        if !matches!(event.kind, MachineEventKind::RequestServed { .. }) {
            return Vec::new();
        }
        self.turn_to(scene.now);
        if !reaches(&mut self.requests, event.machine.clone(), REQUEST_LIMIT) {
            return Vec::new();
        }
        let message = format!(
            "the BMC of {} was asked {REQUEST_LIMIT} times within {REQUEST_MINUTES} minutes",
            event.machine
        );
        vec![Breach::new(message, [format!("machine {}", event.machine)])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_loop_is_a_breach_once() {
        let (mut stage, mut invariant) = (Stage::default(), QuietLoops::default());
        let breaches: usize = (0..2 * LIMIT)
            .map(|count| {
                let object = server("s1", "uuid-1", json!({}), json!({ "count": count }));
                stage.put(&mut invariant, "Server", object).len()
            })
            .sum();
        assert_eq!(breaches, 1);
    }
}
