//! Kubernetes Events, in their present form (`events.k8s.io/v1`) and the older core one.

use super::Redact;
use crate::report::model::{KubeEventLine, Millis};
use indexmap::IndexMap;
use kube_emulator::Commit;
use serde_json::Value;

/// Events beyond this are counted, not kept.
const KEPT_EVENTS: usize = 2_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// By namespace and name: a repetition changes the object instead of making a new one.
    kept: IndexMap<(Option<String>, String), KubeEventLine>,
    pub(super) left_out: u64,
}

impl Events {
    /// Remembers an Event that appeared or changed. Returned if it is new and was kept.
    pub(super) fn changed(&mut self, at: Millis, commit: &Commit, redact: Redact<'_>) -> Option<&KubeEventLine> {
        let line = line(at, &commit.object, redact);
        let key = (commit.namespace.clone(), commit.name.clone());
        if let Some(known) = self.kept.get_mut(&key) {
            *known = KubeEventLine { at: known.at, ..line };
            return None;
        }
        if self.kept.len() == KEPT_EVENTS {
            self.left_out += 1;
            return None;
        }
        Some(self.kept.entry(key).or_insert(line))
    }

    pub(super) fn finish(&self) -> Vec<KubeEventLine> {
        self.kept.values().cloned().collect()
    }
}

fn line(at: Millis, event: &Value, redact: Redact<'_>) -> KubeEventLine {
    let first = |pointers: &[&str]| {
        pointers
            .iter()
            .find_map(|pointer| event.pointer(pointer)?.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let kind = first(&["/regarding/kind", "/involvedObject/kind"]);
    let name = first(&["/regarding/name", "/involvedObject/name"]);
    let namespace = first(&["/regarding/namespace", "/involvedObject/namespace"]);
    let count = ["/series/count", "/deprecatedCount", "/count"]
        .iter()
        .find_map(|pointer| event.pointer(pointer)?.as_u64())
        .unwrap_or(1);
    KubeEventLine {
        at,
        type_: first(&["/type"]),
        reason: first(&["/reason"]),
        regarding: if namespace.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} {namespace}/{name}")
        },
        note: redact(&first(&["/note", "/message"])),
        count,
    }
}
