//! The objects of the cluster as of the last event, and which machine each Server stands for.

use crate::testbed::MachineInfo;
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What identifies an object at one time. Over time, only the UID does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectKey {
    pub fn of(commit: &Commit) -> Self {
        Self {
            kind: commit.kind.clone(),
            namespace: commit.namespace.clone(),
            name: commit.name.clone(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

type Named = BTreeMap<(Option<String>, String), Arc<Value>>;

/// All objects by kind.
#[derive(Clone, Debug, Default)]
pub struct World {
    objects: BTreeMap<String, Named>,
    machines: Machines,
    server_by_machine: BTreeMap<String, ObjectKey>,
}

impl World {
    pub(crate) fn new(machines: &[MachineInfo]) -> Self {
        Self {
            machines: Machines::new(machines),
            ..Self::default()
        }
    }

    pub(crate) fn apply(&mut self, commit: &Commit) {
        if commit.kind == "Server" {
            self.index(
                &ObjectKey::of(commit),
                &commit.object,
                commit.event == CommitEvent::Deleted,
            );
        }
        let objects = self.objects.entry(commit.kind.clone()).or_default();
        let key = (commit.namespace.clone(), commit.name.clone());
        match commit.event {
            CommitEvent::Added | CommitEvent::Modified => {
                objects.insert(key, Arc::clone(&commit.object));
            }
            CommitEvent::Deleted => {
                objects.remove(&key);
            }
        }
    }

    /// What existed before the first event. What is known already is newer.
    pub(crate) fn adopt(&mut self, key: ObjectKey, object: Value) {
        if key.kind == "Server" {
            self.index(&key, &object, false);
        }
        self.objects
            .entry(key.kind)
            .or_default()
            .entry((key.namespace, key.name))
            .or_insert_with(|| Arc::new(object));
    }

    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.objects
            .get(&key.kind)?
            .get(&(key.namespace.clone(), key.name.clone()))
    }

    /// All objects of a kind, in order of namespace and name.
    pub fn list(&self, kind: &str) -> impl Iterator<Item = (ObjectKey, &Arc<Value>)> {
        let kind = kind.to_owned();
        self.objects
            .get(&kind)
            .into_iter()
            .flatten()
            .map(move |((namespace, name), object)| {
                (
                    ObjectKey {
                        kind: kind.clone(),
                        namespace: namespace.clone(),
                        name: name.clone(),
                    },
                    object,
                )
            })
    }

    /// Every object of every kind.
    pub fn all(&self) -> impl Iterator<Item = (ObjectKey, &Arc<Value>)> {
        self.objects.keys().flat_map(|kind| self.list(kind))
    }

    /// The machine a Server object stands for.
    pub fn machine_of(&self, server: &Value) -> Option<&str> {
        self.machines.of(server)
    }

    /// The Server object that stands for a machine.
    pub fn server_for(&self, machine: &str) -> Option<(&ObjectKey, &Arc<Value>)> {
        let key = self.server_by_machine.get(machine)?;
        Some((key, self.get(key)?))
    }

    fn index(&mut self, key: &ObjectKey, server: &Value, gone: bool) {
        let Some(machine) = self.machines.of(server) else {
            return;
        };
        if gone {
            self.server_by_machine.remove(machine);
        } else if !self.server_by_machine.contains_key(machine) {
            self.server_by_machine.insert(machine.to_owned(), key.clone());
        }
    }
}

/// Machines by SMBIOS UUID, which is how a Server refers to its hardware.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machines(BTreeMap<String, String>);

impl Machines {
    pub(crate) fn new(machines: &[MachineInfo]) -> Self {
        Self(
            machines
                .iter()
                .map(|machine| (machine.system_uuid.to_lowercase(), machine.name.clone()))
                .collect(),
        )
    }

    pub(crate) fn of(&self, server: &Value) -> Option<&str> {
        self.0
            .get(&text(server, "/spec/systemUUID")?.to_lowercase())
            .map(String::as_str)
    }
}

/// The text at a JSON pointer.
pub fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// The whole number at a JSON pointer.
pub fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// Server state, where the object is a Server that has one.
pub fn state(server: &Value) -> Option<&str> {
    text(server, "/status/state")
}

/// UID of the claim that holds a Server; empty for a reference an older operator wrote.
pub fn holder(server: &Value) -> Option<&str> {
    server
        .pointer("/spec/serverClaimRef")
        .filter(|reference| reference.is_object())?;
    Some(text(server, "/spec/serverClaimRef/uid").unwrap_or_default())
}
