//! The garbage collector: dependents go when all their owners are gone, before their owner in foreground deletion, and
//! lose their reference when they are orphaned (kube-semantics §1.10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Followed, edit};
use crate::api::{self, Call, DeleteOptions, Propagation};
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
use crate::store::{CommitEvent, ObjectKey, StorageId, Stored};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// An object's place.
type Place = (StorageId, ObjectKey);

/// Who depends on whom, kept up to date from the commits.
#[derive(Default)]
pub(super) struct GarbageCollector {
    /// Owner uid to the places of its dependents.
    dependents: BTreeMap<String, BTreeSet<Place>>,
    /// Owner uids of every object that has owners.
    owners: BTreeMap<Place, Vec<String>>,
    /// Where a uid lives: to find owners again when a dependent goes.
    places: BTreeMap<String, Place>,
    /// The newest revision seen of every object. An object that has moved on is judged when its next change is seen:
    /// by then everything that happened before is known.
    seen: BTreeMap<Place, u64>,
}

/// What is known of one owner reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Solid,
    /// In foreground deletion, and waiting for this dependent.
    Waiting,
    Absent,
    /// Its kind is not served, or it is out of reach: nothing is concluded.
    Unknown,
}

impl GarbageCollector {
    /// Takes in everything there is, then judges all of it.
    pub(super) fn start(&mut self, emulator: &KubeEmulator) {
        let mut all = Vec::new();
        for id in emulator.registry().tables().into_keys() {
            let objects = emulator.store().read(&id, |table, _| {
                table
                    .iter()
                    .map(|(key, stored)| (key.clone(), stored.clone()))
                    .collect::<Vec<_>>()
            });
            for (key, stored) in objects {
                let place = (id.clone(), key);
                self.learn(&place, &stored);
                all.push(place);
            }
        }
        for place in all {
            self.judge(emulator, &place);
        }
    }

    pub(super) fn see(&mut self, emulator: &KubeEmulator, followed: &Followed) {
        let place = (followed.table.clone(), followed.change.key.clone());
        if followed.change.event != CommitEvent::Deleted {
            self.learn(&place, &followed.change.object);
            if concerns(followed.change.object.value()) {
                self.judge(emulator, &place);
            }
            return;
        }
        let uid = uid_of(followed.change.object.value());
        self.seen.remove(&place);
        if self.places.get(&uid) == Some(&place) {
            self.places.remove(&uid);
        }
        let owners = self.forget(&place);
        // Dependents of what is gone, and owners that waited for it.
        for dependent in self.dependents.get(&uid).cloned().unwrap_or_default() {
            self.judge(emulator, &dependent);
        }
        for owner in owners {
            if let Some(owner) = self.places.get(&owner).cloned() {
                self.judge(emulator, &owner);
            }
        }
    }

    fn learn(&mut self, place: &Place, stored: &Stored) {
        let owners: Vec<String> = references(stored.value()).map(uid_in).collect();
        match self.seen.get_mut(place) {
            Some(revision) => *revision = stored.revision,
            None => {
                self.seen.insert(place.clone(), stored.revision);
            }
        }
        let uid = uid_of(stored.value());
        if self.places.get(&uid) != Some(place) {
            self.places.insert(uid, place.clone());
        }
        if self.owners.get(place).map_or(&[][..], Vec::as_slice) == owners {
            return;
        }
        self.forget(place);
        for owner in &owners {
            self.dependents.entry(owner.clone()).or_default().insert(place.clone());
        }
        if !owners.is_empty() {
            self.owners.insert(place.clone(), owners);
        }
    }

    fn forget(&mut self, place: &Place) -> Vec<String> {
        let owners = self.owners.remove(place).unwrap_or_default();
        for owner in &owners {
            if let Some(dependents) = self.dependents.get_mut(owner) {
                dependents.remove(place);
                if dependents.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        owners
    }

    /// Does whatever an object's state asks for, by its live content.
    fn judge(&self, emulator: &KubeEmulator, place: &Place) {
        let Some(stored) = emulator.store().get(&place.0, &place.1) else {
            return;
        };
        if self.seen.get(place) != Some(&stored.revision) {
            return;
        }
        let Some(resource) = emulator.registry().of_table(&place.0).cloned() else {
            return;
        };
        let object = stored.value();
        if object["metadata"].get("deletionTimestamp").is_some() {
            let finalizers = api::finalizers_of(object);
            if finalizers.iter().any(|finalizer| finalizer == ORPHAN) {
                self.orphan(emulator, &resource, place, object);
            } else if finalizers.iter().any(|finalizer| finalizer == FOREGROUND) {
                self.finish_foreground(emulator, &resource, place, object);
            }
            return;
        }
        self.collect(emulator, &resource, place, object);
    }

    /// Deletes an object whose owners are all gone or waiting for it.
    fn collect(&self, emulator: &KubeEmulator, resource: &Arc<Resource>, place: &Place, object: &Value) {
        let judged: Vec<(String, Owner)> = references(object)
            .map(|reference| (uid_in(reference), owner(emulator, &place.1, resource, reference)))
            .collect();
        if judged.is_empty() || judged.iter().any(|(_, owner)| *owner == Owner::Unknown) {
            return;
        }
        if judged.iter().any(|(_, owner)| *owner == Owner::Solid) {
            let dangling: Vec<&String> = judged
                .iter()
                .filter(|(_, owner)| *owner != Owner::Solid)
                .map(|(uid, _)| uid)
                .collect();
            if !dangling.is_empty() {
                edit(emulator, resource, &place.1, |object| {
                    drop_references(object, &dangling)
                });
            }
            return;
        }
        let waiting = judged.iter().any(|(_, owner)| *owner == Owner::Waiting);
        let has_dependents = self.dependents.contains_key(&uid_of(object));
        let propagation = if waiting && has_dependents {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        delete(emulator, resource, place, object, propagation);
    }

    fn orphan(&self, emulator: &KubeEmulator, resource: &Arc<Resource>, place: &Place, object: &Value) {
        let uid = uid_of(object);
        for dependent in self.dependents.get(&uid).cloned().unwrap_or_default() {
            if let Some(resource) = emulator.registry().of_table(&dependent.0).cloned() {
                edit(emulator, &resource, &dependent.1, |object| {
                    drop_references(object, &[&uid])
                });
            }
        }
        remove_finalizer(emulator, resource, place, ORPHAN);
    }

    /// The owner stays until every dependent that blocks its deletion is gone.
    fn finish_foreground(&self, emulator: &KubeEmulator, resource: &Arc<Resource>, place: &Place, object: &Value) {
        let uid = uid_of(object);
        for dependent in self.dependents.get(&uid).cloned().unwrap_or_default() {
            self.judge(emulator, &dependent);
        }
        let blocked = self.dependents.get(&uid).into_iter().flatten().any(|(table, key)| {
            emulator.store().get(table, key).is_some_and(|dependent| {
                references(dependent.value())
                    .any(|reference| uid_in(reference) == uid && reference["blockOwnerDeletion"] == true)
            })
        });
        if !blocked {
            remove_finalizer(emulator, resource, place, FOREGROUND);
        }
    }
}

/// Whether there is anything to do about an object: most are nobody's, and stay.
fn concerns(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some() || references(object).next().is_some()
}

fn uid_of(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn uid_in(reference: &Value) -> String {
    reference["uid"].as_str().unwrap_or_default().to_owned()
}

fn references(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]
        .get("ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Looks an owner up where the reference says it is.
fn owner(emulator: &KubeEmulator, dependent: &ObjectKey, resource: &Resource, reference: &Value) -> Owner {
    let text = |name: &str| reference[name].as_str().unwrap_or_default();
    let registry = emulator.registry();
    let Some(kind) = registry.find_kind(text("apiVersion"), text("kind")) else {
        return Owner::Unknown;
    };
    if kind.namespaced && !resource.namespaced {
        return Owner::Unknown;
    }
    let namespace = dependent.namespace().filter(|_| kind.namespaced);
    let Some(found) = emulator
        .store()
        .get(&kind.storage, &ObjectKey::new(namespace, text("name")))
    else {
        return Owner::Absent;
    };
    let metadata = &found.value()["metadata"];
    if metadata["uid"] != reference["uid"] {
        return Owner::Absent;
    }
    let foreground = api::finalizers_of(found.value())
        .iter()
        .any(|finalizer| finalizer == FOREGROUND);
    if metadata.get("deletionTimestamp").is_some() && foreground {
        Owner::Waiting
    } else {
        Owner::Solid
    }
}

fn delete(emulator: &KubeEmulator, resource: &Arc<Resource>, place: &Place, object: &Value, propagation: Propagation) {
    let uid = uid_of(object);
    // Finalizers the object got from an earlier request keep their meaning.
    let propagation = match api::finalizers_of(object) {
        finalizers if finalizers.iter().any(|finalizer| finalizer == ORPHAN) => Propagation::Orphan,
        _ => propagation,
    };
    let options = DeleteOptions {
        propagation,
        uid: Some(uid),
        ..DeleteOptions::default()
    };
    if let Err(error) = api::delete_object(&Call::internal(emulator), resource, &place.1, &options) {
        tracing::debug!(key = %place.1, %error, "a dependent is already gone");
    }
}

fn drop_references(object: &mut Value, uids: &[&String]) {
    let metadata = api::metadata_of(object);
    let Some(Value::Array(references)) = metadata.get_mut("ownerReferences") else {
        return;
    };
    references.retain(|reference| !uids.iter().any(|uid| reference["uid"] == uid.as_str()));
    if references.is_empty() {
        metadata.shift_remove("ownerReferences");
    }
}

fn remove_finalizer(emulator: &KubeEmulator, resource: &Arc<Resource>, place: &Place, finalizer: &str) {
    edit(emulator, resource, &place.1, |object| {
        let metadata = api::metadata_of(object);
        if let Some(Value::Array(finalizers)) = metadata.get_mut("finalizers") {
            finalizers.retain(|known| known != finalizer);
            if finalizers.is_empty() {
                metadata.shift_remove("finalizers");
            }
        }
    });
}
