//! The object store: ordered tables, one global revision, bounded history, watchers and observers.
//!
//! All writes pass [`Store::write`], which runs a pure decision under the one lock, so that a decision always sees the
//! newest state and a write never has to be retried.

mod commit;
mod key;
mod past;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::schema::same;
pub(crate) use commit::{Change, Stored, watch_line};
pub use commit::{Commit, CommitEvent, Observer};
pub(crate) use key::{ObjectKey, StorageId};
pub(crate) use table::{Expired, Table};

/// The first revision: the real server never hands out 0, which means "any".
const FIRST_REVISION: u64 = 1;

/// Who writes what: copied into the [`Commit`].
#[derive(Clone, Debug)]
pub(crate) struct WriteContext {
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) user_agent: Option<String>,
    pub(crate) field_manager: Option<String>,
    pub(crate) subresource: Option<String>,
    /// Decide, answer, but store nothing.
    pub(crate) dry_run: bool,
}

/// What a write wants to happen to its object.
pub(crate) enum Decision {
    /// Store this content (a no-op if it equals the current one).
    Put(Value),
    /// Remove the object; this is its last content.
    Remove(Value),
    /// Leave it as it is.
    Keep,
}

/// What happened.
pub(crate) struct Written {
    pub(crate) object: Arc<Stored>,
    pub(crate) changed: bool,
}

/// What a decision may look at, besides its own object.
pub(crate) struct View<'a> {
    state: &'a State,
}

impl View<'_> {
    pub(crate) fn get(&self, id: &StorageId, key: &ObjectKey) -> Option<&Arc<Stored>> {
        self.state.tables.get(id).and_then(|table| table.get(key))
    }
}

/// A change together with its table, for those who follow all of them.
pub(crate) struct Followed {
    pub(crate) table: StorageId,
    pub(crate) change: Arc<Change>,
}

struct State {
    followers: Vec<mpsc::UnboundedSender<Arc<Followed>>>,
    revision: u64,
    tables: BTreeMap<StorageId, Table>,
    history: usize,
    observers: Vec<Observer>,
    /// Commits that observers have not seen yet.
    unobserved: VecDeque<Commit>,
    observing: bool,
}

/// The store. Cheap operations only happen under its lock; nothing awaits while holding it.
pub(crate) struct Store {
    state: Mutex<State>,
}

impl Store {
    pub(crate) fn new(history: usize) -> Self {
        Self {
            state: Mutex::new(State {
                followers: Vec::new(),
                revision: FIRST_REVISION,
                tables: BTreeMap::new(),
                history,
                observers: Vec::new(),
                unobserved: VecDeque::new(),
                observing: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn observe(&self, observer: Observer) {
        self.lock().observers.push(observer);
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Every change from now on, of all tables, in commit order.
    pub(crate) fn follow(&self) -> mpsc::UnboundedReceiver<Arc<Followed>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().followers.push(sender);
        receiver
    }

    /// Changes objects in place, without a new revision: what a read would have shown differently anyway.
    pub(crate) fn rewrite(&self, id: &StorageId, change: impl Fn(&mut Value)) {
        if let Some(table) = self.lock().tables.get_mut(id) {
            table.rewrite(change);
        }
    }

    /// Makes a table known. Its watches start at the current revision, or at the beginning for built-ins.
    pub(crate) fn create_table(&self, id: StorageId) {
        let mut state = self.lock();
        let (capacity, since) = (state.history, state.revision);
        let since = if since == FIRST_REVISION { 0 } else { since };
        state.tables.entry(id).or_insert_with(|| Table::new(capacity, since));
    }

    /// Forgets a table; its watchers see the end of their streams.
    pub(crate) fn drop_table(&self, id: &StorageId) {
        self.lock().tables.remove(id);
    }

    /// Every object of every table, and the last revision.
    pub(crate) fn everything(&self) -> (Vec<(StorageId, ObjectKey, Arc<Stored>)>, u64) {
        let state = self.lock();
        let of = |(id, table): (&StorageId, &Table)| {
            let objects = table
                .iter()
                .map(|(key, stored)| (id.clone(), key.clone(), stored.clone()));
            objects.collect::<Vec<_>>()
        };
        (state.tables.iter().flat_map(of).collect(), state.revision)
    }

    /// From now on exactly this exists, and nothing is known of the time before `revision`.
    pub(crate) fn resume(&self, objects: impl Iterator<Item = (StorageId, ObjectKey, Arc<Stored>)>, revision: u64) {
        let mut state = self.lock();
        let capacity = state.history;
        state.revision = revision;
        for table in state.tables.values_mut() {
            *table = Table::new(capacity, revision);
        }
        for (id, key, stored) in objects {
            let table = state.tables.entry(id);
            table
                .or_insert_with(|| Table::new(capacity, revision))
                .resume(key, stored);
        }
    }

    pub(crate) fn get(&self, id: &StorageId, key: &ObjectKey) -> Option<Arc<Stored>> {
        self.lock().tables.get(id).and_then(|table| table.get(key)).cloned()
    }

    /// Runs `read` on a table (empty if unknown) together with the current revision.
    pub(crate) fn read<R>(&self, id: &StorageId, read: impl FnOnce(&Table, u64) -> R) -> R {
        let state = self.lock();
        match state.tables.get(id) {
            Some(table) => read(table, state.revision),
            None => read(&Table::new(0, 0), state.revision),
        }
    }

    /// Starts a watch.
    pub(crate) fn watch(
        &self,
        id: &StorageId,
        namespace: Option<&str>,
        name: Option<&str>,
        from: WatchFrom,
    ) -> Result<WatchStart, Expired> {
        let mut state = self.lock();
        let current = state.revision;
        let (capacity, since) = (state.history, state.revision);
        let table = state
            .tables
            .entry(id.clone())
            .or_insert_with(|| Table::new(capacity, since));
        let wanted = |key: &ObjectKey| key.in_namespace(namespace) && name.is_none_or(|name| name == key.name());
        let (initial, revision) = match from {
            WatchFrom::Now => {
                let objects = table.range(namespace, None).filter(|(key, _)| wanted(key));
                (objects.map(|(_, stored)| stored.clone()).collect(), current)
            }
            WatchFrom::Past(revision) => {
                let objects = table.at(revision)?.into_iter().filter(|(key, _)| wanted(key));
                (objects.map(|(_, stored)| stored).collect(), revision)
            }
            WatchFrom::After(revision) => (Vec::new(), revision),
        };
        let changes = table.watch(revision, namespace, name)?;
        Ok(WatchStart {
            initial,
            changes,
            revision,
        })
    }

    /// The only way to change an object: `decide` sees its current content and says what shall be.
    pub(crate) fn write<E>(
        &self,
        id: &StorageId,
        key: &ObjectKey,
        context: &WriteContext,
        decide: impl FnOnce(&View<'_>, Option<&Arc<Stored>>) -> Result<Decision, E>,
    ) -> Result<Option<Written>, E> {
        let written = {
            let mut state = self.lock();
            let current = state.tables.get(id).and_then(|table| table.get(key)).cloned();
            let decision = decide(&View { state: &state }, current.as_ref())?;
            state.commit(id, key, context, current, decision)
        };
        self.notify_observers();
        Ok(written)
    }

    /// Hands pending commits to the observers, outside the state lock, so that an observer may read the store. A write
    /// made by an observer is queued behind the commit being observed.
    fn notify_observers(&self) {
        let mut state = self.lock();
        if state.observing {
            return;
        }
        state.observing = true;
        while let Some(commit) = state.unobserved.pop_front() {
            let observers = state.observers.clone();
            drop(state);
            for observer in &observers {
                observer(&commit);
            }
            state = self.lock();
        }
        state.observing = false;
    }
}

/// Where a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchFrom {
    /// With the current objects.
    Now,
    /// With the objects as they were at a revision.
    Past(u64),
    /// After a revision, with no objects.
    After(u64),
}

/// A started watch.
pub(crate) struct WatchStart {
    /// The objects, when the watch starts with them.
    pub(crate) initial: Vec<Arc<Stored>>,
    pub(crate) changes: mpsc::UnboundedReceiver<Arc<Change>>,
    /// Every change after this revision is among the changes.
    pub(crate) revision: u64,
}

impl State {
    fn commit(
        &mut self,
        id: &StorageId,
        key: &ObjectKey,
        context: &WriteContext,
        current: Option<Arc<Stored>>,
        decision: Decision,
    ) -> Option<Written> {
        let (event, mut value) = match (decision, &current) {
            (Decision::Keep, _) => return current.map(|object| Written { object, changed: false }),
            (Decision::Put(value), Some(current)) if same(current.value(), &value) => {
                return Some(Written {
                    object: current.clone(),
                    changed: false,
                });
            }
            (Decision::Put(value), Some(_)) => (CommitEvent::Modified, value),
            (Decision::Put(value), None) => (CommitEvent::Added, value),
            (Decision::Remove(value), Some(_)) => (CommitEvent::Deleted, value),
            (Decision::Remove(_), None) => return None,
        };
        if context.dry_run {
            let revision = current.as_ref().map_or(0, |current| current.revision);
            return Some(Written {
                object: Arc::new(Stored::new(event, value, revision)),
                changed: false,
            });
        }
        self.revision += 1;
        let revision = self.revision;
        set_resource_version(&mut value, revision);
        let object = Arc::new(Stored::new(event, value, revision));
        if !self.observers.is_empty() {
            self.unobserved.push_back(Commit {
                revision,
                event,
                group: id.group.clone(),
                version: context.version.clone(),
                resource: id.resource.clone(),
                kind: context.kind.clone(),
                namespace: key.namespace().map(str::to_owned),
                name: key.name().to_owned(),
                object: object.shared().clone(),
                previous: current.as_ref().map(|current| current.shared().clone()),
                user_agent: context.user_agent.clone(),
                field_manager: context.field_manager.clone(),
                subresource: context.subresource.clone(),
            });
        }
        let (capacity, since) = (self.history, revision - 1);
        let table = self
            .tables
            .entry(id.clone())
            .or_insert_with(|| Table::new(capacity, since));
        let change = table.apply(Change::new(key.clone(), object.clone(), current));
        if !self.followers.is_empty() {
            let followed = Arc::new(Followed {
                table: id.clone(),
                change,
            });
            self.followers
                .retain(|follower| follower.send(followed.clone()).is_ok());
        }
        Some(Written { object, changed: true })
    }
}

fn set_resource_version(value: &mut Value, revision: u64) {
    if let Some(object) = value.as_object_mut() {
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> WriteContext {
        WriteContext {
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            user_agent: None,
            field_manager: None,
            subresource: None,
            dry_run: false,
        }
    }

    fn put(store: &Store, name: &str, content: u64) -> Written {
        let id = StorageId::new("", "configmaps");
        let key = ObjectKey::new(Some("default"), name);
        let decided = store.write(&id, &key, &context(), |_, current| {
            let version = current.map(|current| current.revision.to_string());
            Ok::<_, ()>(Decision::Put(
                json!({"metadata": {"name": name, "resourceVersion": version}, "data": content}),
            ))
        });
        decided.unwrap().unwrap()
    }

    #[test]
    fn a_write_without_a_change_keeps_the_revision_and_tells_nobody() {
        let store = Store::new(10);
        let first = put(&store, "a", 1);
        let mut watch = store
            .watch(&StorageId::new("", "configmaps"), None, None, WatchFrom::Now)
            .unwrap()
            .changes;
        let second = put(&store, "a", 1);
        assert!(!second.changed);
        assert_eq!(first.object.revision, second.object.revision);
        assert!(watch.try_recv().is_err());
    }

    #[test]
    fn old_content_is_rebuilt_until_the_history_forgets_it() {
        let store = Store::new(3);
        let id = StorageId::new("", "configmaps");
        let first = put(&store, "a", 1).object.revision;
        put(&store, "b", 1);
        put(&store, "a", 2);
        let names = |revision| {
            store.read(&id, |table, _| {
                table
                    .at(revision)
                    .map(|objects| objects.values().map(|o| o.value()["data"].clone()).collect::<Vec<_>>())
            })
        };
        assert_eq!(names(first), Ok(vec![json!(1)]));
        let one = |name, revision| {
            let key = ObjectKey::new(Some("default"), name);
            store.read(&id, |table, _| {
                table.get_at(&key, revision).map(|o| o.value()["data"].clone())
            })
        };
        assert_eq!((one("a", first), one("b", first)), (Some(json!(1)), None));
        assert_eq!(
            (one("a", first + 2), one("b", first + 2)),
            (Some(json!(2)), Some(json!(1)))
        );
        put(&store, "c", 1);
        put(&store, "d", 1);
        assert_eq!(names(first), Err(Expired { oldest: first + 1 }));
    }

    #[test]
    fn observers_see_commits_in_order_even_when_they_write() {
        let store = Arc::new(Store::new(10));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (inner, log) = (store.clone(), seen.clone());
        store.observe(Arc::new(move |commit| {
            log.lock().unwrap().push((commit.name.clone(), commit.revision));
            if commit.name == "a" {
                put(&inner, "b", 1);
            }
        }));
        put(&store, "a", 1);
        let seen = seen.lock().unwrap();
        assert_eq!(*seen, vec![("a".to_owned(), 2), ("b".to_owned(), 3)]);
    }
}
