//! One resource's objects, its bounded history and its watchers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::commit::{Change, CommitEvent, Stored};
use super::key::ObjectKey;

/// The revision asked for is older than the history that is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    /// Oldest revision from which changes are still known.
    pub(crate) oldest: u64,
}

struct Watcher {
    sender: mpsc::UnboundedSender<Arc<Change>>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Watcher {
    fn wants(&self, key: &ObjectKey) -> bool {
        key.in_namespace(self.namespace.as_deref()) && self.name.as_deref().is_none_or(|name| name == key.name())
    }
}

pub(crate) struct Table {
    objects: BTreeMap<ObjectKey, Arc<Stored>>,
    history: VecDeque<Arc<Change>>,
    capacity: usize,
    /// Nothing is known of this resource before this revision.
    since: u64,
    /// Changes up to and including this revision are forgotten; 0 if none is.
    forgotten: u64,
    watchers: Vec<Watcher>,
}

impl Table {
    /// An empty table; `since` is the revision before which nothing is known of this resource.
    pub(crate) fn new(capacity: usize, since: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            capacity,
            since,
            forgotten: 0,
            watchers: Vec::new(),
        }
    }

    /// An object that was there before this table was.
    pub(super) fn resume(&mut self, key: ObjectKey, stored: Arc<Stored>) {
        self.objects.insert(key, stored);
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Stored>> {
        self.objects.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Stored>)> {
        self.objects.iter()
    }

    /// Current objects of one namespace (or all), from `start` (inclusive) on, in key order.
    pub(crate) fn range(
        &self,
        namespace: Option<&str>,
        start: Option<&ObjectKey>,
    ) -> impl Iterator<Item = (&ObjectKey, &Arc<Stored>)> {
        let first = namespace.map(|namespace| ObjectKey::from_text(format!("{namespace}/")));
        let first = match (first, start) {
            (Some(first), Some(start)) => Some(first.max(start.clone())),
            (first, start) => first.or_else(|| start.cloned()),
        };
        let bound = first.map_or(Bound::Unbounded, Bound::Included);
        let namespace = namespace.map(str::to_owned);
        self.objects
            .range((bound, Bound::Unbounded))
            .take_while(move |(key, _)| key.in_namespace(namespace.as_deref()))
    }

    /// The content at an older revision: the current one with later changes undone.
    pub(crate) fn at(&self, revision: u64) -> Result<BTreeMap<ObjectKey, Arc<Stored>>, Expired> {
        self.check_known(revision)?;
        let mut objects = self.objects.clone();
        for change in self
            .history
            .iter()
            .rev()
            .take_while(|change| change.revision() > revision)
        {
            match &change.previous {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects)
    }

    /// One object as it was at an older revision: what the first change after it replaced.
    pub(crate) fn get_at(&self, key: &ObjectKey, revision: u64) -> Option<&Arc<Stored>> {
        let mut object = self.objects.get(key);
        for change in self
            .history
            .iter()
            .rev()
            .take_while(|change| change.revision() > revision)
        {
            if change.key == *key {
                object = change.previous.as_ref();
            }
        }
        object
    }

    /// The oldest revision whose content can be told.
    pub(crate) fn oldest(&self) -> u64 {
        self.since.max(self.forgotten)
    }

    fn check_known(&self, revision: u64) -> Result<(), Expired> {
        let oldest = self.oldest();
        if revision < oldest {
            return Err(Expired { oldest });
        }
        Ok(())
    }

    /// Revision of the newest change that was committed at that moment at the latest, as far as the history knows.
    pub(crate) fn newest_at(&self, moment: Instant) -> u64 {
        let older = self.history.partition_point(|change| change.committed <= moment);
        match older.checked_sub(1).and_then(|last| self.history.get(last)) {
            Some(change) => change.revision(),
            None => self.forgotten,
        }
    }

    /// When the change of this revision was committed, if it was one of this table and is still known.
    pub(crate) fn committed_at(&self, revision: u64) -> Option<Instant> {
        let found = self.history.binary_search_by_key(&revision, |change| change.revision());
        Some(self.history.get(found.ok()?)?.committed)
    }

    /// Registers a watcher that gets every change after `revision`.
    pub(crate) fn watch(
        &mut self,
        revision: u64,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<mpsc::UnboundedReceiver<Arc<Change>>, Expired> {
        self.check_known(revision)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let watcher = Watcher {
            sender,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        for change in self
            .history
            .iter()
            .filter(|change| change.revision() > revision && watcher.wants(&change.key))
        {
            // The receiver is in this very function: the send cannot fail.
            let _ = watcher.sender.send(change.clone());
        }
        self.watchers.retain(|watcher| !watcher.sender.is_closed());
        self.watchers.push(watcher);
        Ok(receiver)
    }

    /// Changes objects without telling anybody.
    pub(crate) fn rewrite(&mut self, change: impl Fn(&mut serde_json::Value)) {
        for stored in self.objects.values_mut() {
            let mut value = stored.value().clone();
            change(&mut value);
            if value != *stored.value() {
                *stored = Arc::new(Stored::new(CommitEvent::Modified, value, stored.revision));
            }
        }
    }

    /// Applies a change and tells the watchers.
    pub(crate) fn apply(&mut self, change: Change) -> Arc<Change> {
        let change = Arc::new(change);
        match change.event {
            CommitEvent::Added | CommitEvent::Modified => {
                self.objects.insert(change.key.clone(), change.object.clone());
            }
            CommitEvent::Deleted => {
                self.objects.remove(&change.key);
            }
        }
        self.history.push_back(Arc::new(change.remembered()));
        while self.history.len() > self.capacity {
            if let Some(forgotten) = self.history.pop_front() {
                self.forgotten = forgotten.revision();
            }
        }
        self.watchers
            .retain(|watcher| !watcher.wants(&change.key) || watcher.sender.send(change.clone()).is_ok());
        change
    }
}
