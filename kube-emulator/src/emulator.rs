//! The server as a whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::Router;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Call, DeleteOptions, Issued};
use crate::controllers;
use crate::edges::{Clock, Entropy, rfc3339_seconds};
use crate::front_end::FrontEnd;
use crate::resource::builtin::{self, Documents};
use crate::resource::registry::Registry;
use crate::resource::{Resource, definition, install};
use crate::store::{Decision, ObjectKey, Observer, StorageId, Store, Stored, WriteContext};

/// How a server is set up.
#[derive(Clone)]
pub struct Settings {
    /// Wall clock for timestamps and ages.
    pub clock: Clock,
    /// Seed of uids and generated names.
    pub seed: u64,
    /// The bearer token that may do everything.
    pub admin_token: String,
    /// Events kept per resource: watches from older revisions are told 410.
    pub watch_history: usize,
}

/// An API server in this process. Clones are handles to the same server.
#[derive(Clone)]
pub struct KubeEmulator {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    admin_token: String,
    entropy: Entropy,
    store: Store,
    /// Schema of ObjectMeta, shared by all kinds.
    object_meta: Value,
    registry: RwLock<Arc<Registry>>,
    /// CA certificate that clients find in `kube-root-ca.crt`, once the server is bound to a socket.
    ca: Mutex<String>,
    /// Those of service accounts.
    tokens: Mutex<BTreeMap<String, Issued>>,
}

/// Namespaces every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl KubeEmulator {
    /// A server with the built-in kinds and the usual namespaces. Spawns nothing; ready at once.
    pub fn new(settings: Settings) -> Self {
        let documents = Documents::load();
        let mut registry = Registry::default();
        let store = Store::new(settings.watch_history);
        for resource in builtin::resources(&documents) {
            store.create_table(resource.storage.clone());
            registry.insert(resource);
        }
        let emulator = Self {
            inner: Arc::new(Inner {
                clock: settings.clock,
                admin_token: settings.admin_token,
                entropy: Entropy::new(settings.seed),
                store,
                object_meta: documents.get("ObjectMeta"),
                registry: RwLock::new(Arc::new(registry)),
                ca: Mutex::new(String::new()),
                tokens: Mutex::default(),
            }),
        };
        for name in NAMESPACES {
            controllers::create(
                &emulator,
                "",
                "namespaces",
                None,
                serde_json::json!({"metadata": {"name": name}}),
            );
        }
        emulator
    }

    /// The complete API. Requests need `Authorization: Bearer <token>`, except for version and health.
    pub fn router(&self) -> Router {
        self.front_end().router()
    }

    /// One more API server over the same log, whose watch cache can be made to lag.
    pub fn front_end(&self) -> FrontEnd {
        FrontEnd::new(self.clone())
    }

    /// Runs garbage collection, the namespace life cycle, and what every namespace contains (ServiceAccount `default`,
    /// ConfigMap `kube-root-ca.crt`), until stopped.
    pub async fn run_controllers(&self, stop: CancellationToken) {
        controllers::run(self, stop).await;
    }

    /// Registers an observer: called synchronously, in commit order, after every committed write.
    pub fn observe(&self, observer: Observer) {
        self.inner.store.observe(observer);
    }

    /// The current objects of a resource, in key order.
    pub fn objects(&self, group: &str, resource: &str) -> Vec<Arc<Value>> {
        self.inner.store.read(&StorageId::new(group, resource), |table, _| {
            table.iter().map(|(_, stored)| stored.shared().clone()).collect()
        })
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.inner.store.revision()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn entropy(&self) -> &Entropy {
        &self.inner.entropy
    }

    pub(crate) fn admin_token(&self) -> &str {
        &self.inner.admin_token
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, BTreeMap<String, Issued>> {
        self.inner.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        (self.inner.clock)()
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.inner
            .registry
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn ca(&self) -> String {
        self.inner.ca.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_ca(&self, pem: &str) {
        pem.clone_into(&mut self.inner.ca.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What follows from a committed write: a definition is installed.
    pub(crate) fn after_write(&self, resource: &Resource, stored: &Stored) {
        if resource.plural == "customresourcedefinitions" {
            self.install(resource, stored);
        }
    }

    /// What follows from a removed object: a definition that waited for it may go.
    pub(crate) fn after_remove(&self, resource: &Arc<Resource>) {
        if resource.terminating {
            self.finish_definition(resource);
        }
    }

    /// Serves the resources of a definition, and says so in its conditions.
    fn install(&self, crd: &Resource, stored: &Stored) {
        let definition = stored.value();
        let now = rfc3339_seconds(self.now());
        let deleting = definition["metadata"].get("deletionTimestamp").is_some();
        let resources = match definition::resources(definition, &self.inner.object_meta) {
            Ok(resources) => resources,
            Err(errors) => {
                tracing::error!(definition = %definition["metadata"]["name"], ?errors, "accepted definition cannot be served");
                return;
            }
        };
        let served: Vec<StorageId> = resources.iter().map(|resource| resource.storage.clone()).collect();
        {
            let mut registry = self.inner.registry.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = (**registry).clone();
            if let Some(id) = served.first() {
                next.remove(&id.group, &id.resource);
            }
            for resource in resources {
                self.inner.store.create_table(resource.storage.clone());
                next.insert(resource);
            }
            *registry = Arc::new(next);
        }
        self.default_stored(&served);
        let context = WriteContext {
            version: crd.version.clone(),
            kind: crd.kind.clone(),
            user_agent: None,
            field_manager: Some("kube-apiserver".to_owned()),
            subresource: Some("status".to_owned()),
            dry_run: false,
        };
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        let key = ObjectKey::new(None, name);
        let settled = self.inner.store.write(&crd.storage, &key, &context, |_, current| {
            Ok::<_, std::convert::Infallible>(match current {
                Some(current) if deleting => Decision::Put(install::terminating(current.value(), &now)),
                Some(current) => Decision::Put(install::established(current.value(), &now)),
                None => Decision::Keep,
            })
        });
        drop(settled);
        if deleting {
            self.delete_instances(&served);
        }
    }

    /// New defaults show in objects stored before: the real server fills them in on every read.
    fn default_stored(&self, tables: &[StorageId]) {
        let registry = self.registry();
        for id in tables {
            let Some(resource) = registry.of_table(id).cloned() else {
                continue;
            };
            self.inner
                .store
                .rewrite(id, |value| crate::schema::apply_defaults(&resource.schema, value));
        }
    }

    /// Deletes every object of a definition that is going away.
    fn delete_instances(&self, tables: &[StorageId]) {
        let call = Call::internal(self);
        for id in tables {
            let Some(resource) = call.registry.of_table(id).cloned() else {
                continue;
            };
            let keys = self.inner.store.read(id, |table, _| {
                table.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
            });
            for key in keys {
                if let Err(error) = api::delete_object(&call, &resource, &key, &DeleteOptions::default()) {
                    tracing::debug!(%key, %error, "object of a deleted definition is already gone");
                }
            }
            self.finish_definition(&resource);
        }
    }

    /// Removes a deleted definition once it has no objects any more.
    fn finish_definition(&self, resource: &Arc<Resource>) {
        let empty = self.inner.store.read(&resource.storage, |table, _| table.len() == 0);
        if !empty {
            return;
        }
        let id = StorageId::new("apiextensions.k8s.io", "customresourcedefinitions");
        let key = ObjectKey::new(None, &format!("{}.{}", resource.plural, resource.group));
        let context = WriteContext {
            version: "v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            user_agent: None,
            field_manager: Some("kube-apiserver".to_owned()),
            subresource: None,
            dry_run: false,
        };
        let mut removed = false;
        let settled = self.inner.store.write(&id, &key, &context, |_, current| {
            let Some(current) = current else {
                return Ok::<_, std::convert::Infallible>(Decision::Keep);
            };
            let mut definition = current.value().clone();
            let metadata = api::metadata_of(&mut definition);
            let mut remaining = Vec::new();
            if let Some(finalizers) = metadata.get("finalizers").and_then(Value::as_array) {
                remaining = finalizers
                    .iter()
                    .filter(|name| *name != install::CLEANUP_FINALIZER)
                    .cloned()
                    .collect();
            }
            removed = remaining.is_empty();
            metadata.insert("finalizers".to_owned(), Value::Array(remaining));
            if removed {
                metadata.shift_remove("finalizers");
                return Ok(Decision::Remove(definition));
            }
            Ok(Decision::Put(definition))
        });
        drop(settled);
        if removed {
            let mut registry = self.inner.registry.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = (**registry).clone();
            next.remove(&resource.group, &resource.plural);
            *registry = Arc::new(next);
            drop(registry);
            self.inner.store.drop_table(&resource.storage);
        }
    }
}
