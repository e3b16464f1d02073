//! How a server takes up what was kept of it.

use std::sync::Arc;

use serde_json::Value;

use super::Objects;
use crate::emulator::KubeEmulator;
use crate::store::{CommitEvent, ObjectKey, StorageId, Stored};

impl KubeEmulator {
    /// What exists, and the last revision.
    pub(super) fn everything(&self) -> (Objects, u64) {
        let (objects, revision) = self.store().everything();
        let objects = objects.into_iter().map(|(id, key, stored)| {
            let content = (stored.revision, stored.shared().clone());
            ((id, key.as_str().to_owned()), content)
        });
        (objects.collect(), revision)
    }

    /// From now on exactly this exists; nothing of the time before is known.
    pub(super) fn resume(&self, objects: &Objects, revision: u64) {
        let stored = |(id, key): &(StorageId, String), (revision, object): &(u64, Arc<Value>)| {
            let stored = Stored::new(CommitEvent::Modified, (**object).clone(), *revision);
            (id.clone(), ObjectKey::from_text(key.clone()), Arc::new(stored))
        };
        self.store()
            .resume(objects.iter().map(|(place, content)| stored(place, content)), revision);
        // Kinds are served again; nothing about them has changed, so nothing is written.
        let registry = self.registry();
        let definitions = StorageId::new("apiextensions.k8s.io", "customresourcedefinitions");
        let Some(resource) = registry.of_table(&definitions).cloned() else {
            return;
        };
        let definitions: Vec<Arc<Stored>> = self.store().read(&definitions, |table, _| {
            table.iter().map(|(_, stored)| stored.clone()).collect()
        });
        for definition in definitions {
            self.after_write(&resource, &definition);
        }
    }
}
