//! One watch of one kind, and the cache that it fills.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, TryStreamExt};
use kube::api::Api;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::sabotage::{self, Bug};

/// Namespace (empty for cluster-scoped kinds) and name.
pub(super) type Key = (String, String);

type Objects<K> = Arc<Mutex<BTreeMap<Key, Arc<K>>>>;

/// The current objects of a kind as far as the watch has told. Iteration is in the order of names, so that whoever chooses
/// from it chooses the same again.
pub struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    store: Store<K>,
    objects: Objects<K>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            objects: self.objects.clone(),
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// A cluster-scoped object.
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        self.get_in("", name)
    }

    /// A namespaced object.
    pub fn get_in(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        lock(&self.objects)
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// All objects, by namespace and name.
    pub fn all(&self) -> Vec<Arc<K>> {
        lock(&self.objects).values().cloned().collect()
    }

    /// kube's view of the same objects, for its scheduler.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Waits for the first complete list. False when the watch ended before.
    pub async fn ready(&self) -> bool {
        self.store.wait_until_ready().await.is_ok()
    }
}

/// What became of an object.
pub enum Change<K> {
    /// New, changed, or seen again in a list.
    Present(Arc<K>),
    /// Gone; its last known content.
    Gone(Arc<K>),
}

impl<K> Change<K> {
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Present(object) | Self::Gone(object) => object,
        }
    }
}

type Handler<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

/// A watch that is about to run: handlers are added first.
pub struct Watch<K: Resource<DynamicType = ()> + Clone + 'static> {
    api: Api<K>,
    writer: reflector::store::Writer<K>,
    cache: Cache<K>,
    handlers: Vec<Handler<K>>,
}

impl<K> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    pub fn new(api: Api<K>) -> Self {
        let (store, writer) = reflector::store();
        Self {
            api,
            writer,
            cache: Cache {
                store,
                objects: Objects::default(),
            },
            handlers: Vec::new(),
        }
    }

    pub fn cache(&self) -> Cache<K> {
        self.cache.clone()
    }

    /// Calls `handler` for every change, after the cache shows it. Must not block.
    pub fn on_change(&mut self, handler: impl Fn(&Change<K>) + Send + Sync + 'static) {
        self.handlers.push(Box::new(handler));
    }

    /// Watches until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            api,
            writer,
            cache,
            handlers,
        } = self;
        let kind = K::kind(&());
        let mut listed = BTreeSet::new();
        let mut events = std::pin::pin!(
            watch(api, watcher::Config::default())
                .default_backoff()
                // Nobody here asks who owns a field, and they are a third of an object.
                .modify(|object| object.meta_mut().managed_fields = None)
                .reflect(writer)
                .inspect_err(|error| tracing::warn!(%error, %kind, "watch interrupted, it will be resumed"))
                .filter_map(|event| std::future::ready(event.ok()))
        );
        loop {
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                None => return,
                Some(Event::Init) => listed.clear(),
                Some(Event::InitApply(object)) => {
                    listed.insert(key(&object));
                }
                Some(Event::InitDone) => {
                    for change in relist(&cache, &std::mem::take(&mut listed)) {
                        handlers.iter().for_each(|handler| handler(&change));
                    }
                }
                Some(Event::Apply(object)) => {
                    // The store holds this very object: one copy for both.
                    let object = cache
                        .store
                        .get(&ObjectRef::from_obj(&object))
                        .unwrap_or_else(|| Arc::new(object));
                    let before = lock(&cache.objects).insert(key(&*object), object.clone());
                    if let Some(before) = before.filter(|before| before.uid() != object.uid()) {
                        let change = Change::Gone(before);
                        handlers.iter().for_each(|handler| handler(&change));
                    }
                    let change = Change::Present(object);
                    handlers.iter().for_each(|handler| handler(&change));
                }
                Some(Event::Delete(object)) => {
                    lock(&cache.objects).remove(&key(&object));
                    let change = Change::Gone(Arc::new(object));
                    handlers.iter().for_each(|handler| handler(&change));
                }
            }
        }
    }
}

/// Takes a complete list over. What disappeared while nobody watched is reported as gone: a lost DELETE must not leave a phantom
/// (bugs.md #22), and an object that was made anew under the name of another one is not that one.
fn relist<K>(cache: &Cache<K>, listed: &BTreeSet<Key>) -> Vec<Change<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let mut objects = lock(&cache.objects);
    let before = std::mem::take(&mut *objects);
    *objects = cache
        .store
        .state()
        .into_iter()
        .map(|object| (key(&*object), object))
        .collect();
    let same = |key: &Key, object: &K| objects.get(key).is_some_and(|now| now.uid() == object.uid());
    let mut changes: Vec<Change<K>> = before
        .into_iter()
        .filter(|(key, object)| !listed.contains(key) || !same(key, object))
        .map(|(_, object)| Change::Gone(object))
        .collect();
    // Incident 23.
    while sabotage::active(Bug::ListTruncated) && objects.len() > 1 {
        objects.pop_last();
    }
    changes.extend(objects.values().cloned().map(Change::Present));
    changes
}

fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Every critical section here leaves its data consistent, so a poisoned lock is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crds::ServerClaim;

    use super::*;

    fn claim(name: &str, uid: &str) -> ServerClaim {
        let mut claim = ServerClaim::new(
            name,
            crds::ServerClaimSpec {
                power: crds::Power::On,
                server_ref: None,
                server_selector: None,
                ignition_secret_ref: None,
                user_data_ref: None,
                image: "image".into(),
                tolerations: Vec::new(),
            },
        );
        claim.metadata.namespace = Some("ns".into());
        claim.metadata.uid = Some(uid.into());
        claim
    }

    fn list(writer: &mut reflector::store::Writer<ServerClaim>, claims: &[ServerClaim]) -> BTreeSet<Key> {
        writer.apply_watcher_event(&Event::Init);
        for claim in claims {
            writer.apply_watcher_event(&Event::InitApply(claim.clone()));
        }
        writer.apply_watcher_event(&Event::InitDone);
        claims.iter().map(key).collect()
    }

    #[test]
    fn what_was_made_anew_while_nobody_watched_is_gone_first() {
        let (store, mut writer) = reflector::store();
        let cache = Cache {
            store,
            objects: Objects::default(),
        };
        let told = |changes: Vec<Change<ServerClaim>>| -> Vec<(bool, String)> {
            let told = changes.iter().map(|change| {
                let gone = matches!(change, Change::Gone(_));
                (gone, change.object().uid().unwrap_or_default())
            });
            told.collect()
        };
        let listed = list(&mut writer, &[claim("a", "1"), claim("b", "2"), claim("c", "3")]);
        assert_eq!(told(relist(&cache, &listed)).len(), 3);
        let listed = list(&mut writer, &[claim("a", "1"), claim("b", "4")]);
        let expected = [(true, "2"), (true, "3"), (false, "1"), (false, "4")];
        let expected = expected.map(|(gone, uid)| (gone, uid.to_owned())).to_vec();
        assert_eq!(told(relist(&cache, &listed)), expected);
    }
}
