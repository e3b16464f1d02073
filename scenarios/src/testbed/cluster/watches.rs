//! Everything that happens in a real cluster, as events of the world: a watch per kind. In the order of revisions within a kind.

use super::sight::Sight;
use crate::script::kinds::KnownKind;
use crate::testbed::hub::Hub;
use crate::testbed::{TestbedError, WorldEvent};
use futures::TryStreamExt as _;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::Status;
use kube_emulator::{Commit, CommitEvent};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// After a watch has failed.
const PAUSE: Duration = Duration::from_millis(200);
const GONE: u16 = 410;

type Key = (Option<String>, String);

/// What is known of one kind.
pub(super) struct Watch {
    api: Api<DynamicObject>,
    kind: KnownKind,
    hub: Arc<Hub>,
    sight: Arc<Sight>,
    known: BTreeMap<Key, Arc<Value>>,
    /// Where to go on.
    revision: String,
}

impl Watch {
    /// What exists is told as added.
    pub(super) async fn open(
        client: kube::Client,
        kind: KnownKind,
        hub: Arc<Hub>,
        sight: Arc<Sight>,
    ) -> Result<Self, TestbedError> {
        let mut watch = Self {
            api: Api::all_with(client, &kind.api_resource()),
            kind,
            hub,
            sight,
            known: BTreeMap::new(),
            revision: String::new(),
        };
        let listed = watch.list().await;
        listed.map_err(|error| TestbedError::failed(format!("{} cannot be listed", kind.plural), error))?;
        Ok(watch)
    }

    /// Tells what happens, for ever.
    pub(super) async fn follow(&mut self) {
        loop {
            if let Err(error) = self.follow_once().await {
                tracing::debug!(kind = self.kind.kind, %error, "a watch of the testbed ended");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Until the API server ends the watch, as it does every few minutes.
    async fn follow_once(&mut self) -> Result<(), kube::Error> {
        let api = self.api.clone();
        let events = api.watch(&WatchParams::default(), &self.revision).await?;
        let mut events = pin!(events);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => self.exists(object),
                WatchEvent::Deleted(object) => self.is_gone(object),
                WatchEvent::Bookmark(bookmark) => self.revision = bookmark.metadata.resource_version,
                WatchEvent::Error(error) => return self.failed(*error).await,
            }
        }
        Ok(())
    }

    async fn failed(&mut self, error: Status) -> Result<(), kube::Error> {
        if error.code == GONE {
            return self.list().await;
        }
        Err(kube::Error::Api(error.boxed()))
    }

    /// What happened in between is lost, what has become of it is not.
    async fn list(&mut self) -> Result<(), kube::Error> {
        let list = self.api.list(&ListParams::default()).await?;
        let mut vanished = self.known.clone();
        for object in list.items {
            vanished.remove(&key(&object));
            self.exists(object);
        }
        for object in vanished.into_values() {
            if let Ok(object) = serde_json::from_value((*object).clone()) {
                self.is_gone(object);
            }
        }
        self.revision = list.metadata.resource_version.unwrap_or_default();
        Ok(())
    }

    fn exists(&mut self, object: DynamicObject) {
        let (key, document) = (key(&object), Arc::new(self.document(&object)));
        let previous = self.known.insert(key, document.clone());
        let version = |document: &Value| document.pointer("/metadata/resourceVersion").cloned();
        let event = match &previous {
            Some(previous) if version(previous) == version(&document) => return,
            Some(_) => CommitEvent::Modified,
            None => CommitEvent::Added,
        };
        self.tell(event, &object, document, previous);
    }

    fn is_gone(&mut self, object: DynamicObject) {
        let previous = self.known.remove(&key(&object));
        let document = Arc::new(self.document(&object));
        self.tell(CommitEvent::Deleted, &object, document, previous);
    }

    fn tell(&mut self, event: CommitEvent, object: &DynamicObject, document: Arc<Value>, previous: Option<Arc<Value>>) {
        let text = object.metadata.resource_version.clone().unwrap_or_default();
        let revision = text.parse().unwrap_or_default();
        let (manager, subresource) = writer(&document, previous.as_deref());
        // Their managers are who wrote them last, not who deleted them.
        let is_written = event != CommitEvent::Deleted;
        self.hub.tell(WorldEvent::Kube(Commit {
            revision,
            event,
            group: self.kind.group.to_owned(),
            version: self.kind.version.to_owned(),
            resource: self.kind.plural.to_owned(),
            kind: self.kind.kind.to_owned(),
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
            object: document,
            previous,
            user_agent: None,
            field_manager: manager.filter(|_| is_written),
            subresource: subresource.filter(|_| is_written),
        }));
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        self.sight.saw(self.kind, revision, uid, is_written);
        self.revision = text;
    }

    /// Items of lists do not say what they are.
    fn document(&self, object: &DynamicObject) -> Value {
        let mut document = serde_json::to_value(object).unwrap_or_default();
        document["apiVersion"] = json!(self.kind.api_version());
        document["kind"] = json!(self.kind.kind);
        document
    }
}

fn key(object: &DynamicObject) -> Key {
    let metadata = &object.metadata;
    (metadata.namespace.clone(), metadata.name.clone().unwrap_or_default())
}

/// Field manager and subresource of the last write: of the entries of `managedFields` that have changed, the newest.
fn writer(object: &Value, previous: Option<&Value>) -> (Option<String>, Option<String>) {
    let entries = |object: Option<&Value>| -> Vec<Value> {
        let entries = object.and_then(|object| object.pointer("/metadata/managedFields"));
        entries.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let before = entries(previous);
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let changed = entries(Some(object))
        .into_iter()
        .filter(|entry| !before.contains(entry));
    let newest = changed.max_by_key(|entry| text(entry, "time"));
    let of = |field| newest.as_ref().and_then(|entry| text(entry, field));
    (of("manager"), of("subresource"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_is_who_has_changed_something_last() {
        let entry = |manager: &str, time: &str, field: &str| json!({ "manager": manager, "time": time, "fieldsV1": { field: {} } });
        let object = |entries: Value| json!({ "metadata": { "managedFields": entries } });
        let manager = |now: Value, before: Option<Value>| writer(&object(now), before.map(object).as_ref()).0;
        let (user, operator) = (entry("user", "t1", "f:a"), entry("operator", "t2", "f:b"));
        assert_eq!(manager(json!([user]), None).as_deref(), Some("user"));
        assert_eq!(
            manager(json!([user, operator]), Some(json!([user]))).as_deref(),
            Some("operator")
        );
        // A field has changed hands: its former owner has an entry that changed, too.
        let (loser, winner) = (entry("user", "t1", "f:c"), entry("operator", "t3", "f:a"));
        assert_eq!(
            manager(json!([loser, winner]), Some(json!([user, operator]))).as_deref(),
            Some("operator")
        );
        assert_eq!(manager(json!([user]), Some(json!([user]))), None);
    }
}
