//! What backups do to a cluster, for tests: status is lost, deleted objects come back as others.

use std::sync::Arc;

use serde_json::Value;

use crate::api::{self, Call};
use crate::apply::Operation;
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
use crate::store::{Decision, ObjectKey, StorageId, WriteContext};

/// Under which name restored content is recorded in managedFields.
const MANAGER: &str = "restore";

/// What Velero takes from the metadata of an object before it creates it again, and what only servers write.
const NOT_RESTORED: [&str; 10] = [
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "managedFields",
];

/// Why nothing, or not everything, was restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// No such resource is served.
    #[error("no resource {resource:?} in group {group:?}; install its definition first")]
    UnknownResource {
        /// API group, `""` for core.
        group: String,
        /// Plural name.
        resource: String,
    },
    /// The resource has no status that could be written apart from the object.
    #[error("{resource} has no status subresource")]
    NoStatus {
        /// Qualified plural name.
        resource: String,
    },
    /// The content of that time is not known any more.
    #[error(
        "the history of this resource begins at revision {oldest}; keep a longer watch_history, or restore a younger revision"
    )]
    TooOld {
        /// The oldest revision that can be restored.
        oldest: u64,
    },
    /// The server does not take an object.
    #[error("{key} cannot be restored: {why}")]
    Refused {
        /// Namespace and name.
        key: String,
        /// The words of the server.
        why: String,
    },
}

impl KubeEmulator {
    /// Takes the status from the selected objects of a resource, as a restore without status does: a write each, of
    /// those that have one. Says how many.
    pub fn erase_status(
        &self,
        group: &str,
        resource: &str,
        selected: impl Fn(&Value) -> bool,
    ) -> Result<usize, RestoreError> {
        let mut call = Call::by(self, MANAGER);
        let resource = served(&call, group, resource)?;
        if !resource.status {
            return Err(RestoreError::NoStatus {
                resource: resource.qualified(),
            });
        }
        let keys: Vec<ObjectKey> = self.store().read(&resource.storage, |table, _| {
            let with_status = table
                .iter()
                .filter(|(_, stored)| stored.value().get("status").is_some());
            with_status
                .filter(|(_, stored)| selected(stored.value()))
                .map(|(key, _)| key.clone())
                .collect()
        });
        for key in &keys {
            let erased = api::edit_object(&mut call, &resource, key, Some("status"), |object| {
                if let Some(object) = object.as_object_mut() {
                    object.shift_remove("status");
                }
            });
            erased.map_err(|error| refused(key, &error.message))?;
        }
        Ok(keys.len())
    }

    /// Loses all objects of a resource, as a cluster does that is set up anew: nobody's finalizer is waited for. Says how many.
    pub fn lose(&self, group: &str, resource: &str) -> Result<usize, RestoreError> {
        let call = Call::by(self, MANAGER);
        let resource = served(&call, group, resource)?;
        let keys: Vec<ObjectKey> = self.store().read(&resource.storage, |table, _| {
            table.iter().map(|(key, _)| key.clone()).collect()
        });
        let context = WriteContext {
            version: resource.version.clone(),
            kind: resource.kind.clone(),
            user_agent: None,
            field_manager: Some(MANAGER.to_owned()),
            subresource: None,
            dry_run: false,
        };
        for key in &keys {
            let removed = self.store().write(&resource.storage, key, &context, |_, current| {
                let last = current.map(|stored| stored.value().clone()).unwrap_or_default();
                Ok::<_, RestoreError>(Decision::Remove(last))
            });
            removed?;
        }
        Ok(keys.len())
    }

    /// Brings back, as Velero does, what a resource had at an older [revision](Self::revision) and has no more: with a
    /// new uid, without status, without owners. What exists stays as it is. Says how many came back.
    pub fn restore(&self, group: &str, resource: &str, revision: u64) -> Result<usize, RestoreError> {
        let mut call = Call::by(self, MANAGER);
        let resource = served(&call, group, resource)?;
        let missing: Vec<(ObjectKey, Value)> = self
            .store()
            .read(&resource.storage, |table, _| {
                let old = table.at(revision)?;
                let missing = old.into_iter().filter(|(key, _)| table.get(key).is_none());
                Ok(missing.map(|(key, stored)| (key, stored.value().clone())).collect())
            })
            .map_err(|expired: crate::store::Expired| RestoreError::TooOld { oldest: expired.oldest })?;
        let restored = missing.len();
        for (key, mut value) in missing {
            if let Some(object) = value.as_object_mut() {
                object.shift_remove("status");
            }
            let metadata = api::metadata_of(&mut value);
            metadata.retain(|name, _| !NOT_RESTORED.contains(&name.as_str()));
            let created = api::create_object(&mut call, &resource, key.namespace(), value, Operation::Update, false);
            created.map_err(|error| refused(&key, &error.message))?;
        }
        Ok(restored)
    }
}

fn served(call: &Call, group: &str, resource: &str) -> Result<Arc<Resource>, RestoreError> {
    let found = call.registry.of_table(&StorageId::new(group, resource)).cloned();
    found.ok_or_else(|| RestoreError::UnknownResource {
        group: group.to_owned(),
        resource: resource.to_owned(),
    })
}

fn refused(key: &ObjectKey, why: &str) -> RestoreError {
    RestoreError::Refused {
        key: key.to_string(),
        why: why.to_owned(),
    }
}
