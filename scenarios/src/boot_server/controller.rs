//! Writes Ready or Error to the status of every ServerBootConfiguration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::{ServerBootConfiguration, ServerBootConfigurationStatus};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Shared;
use super::resolution::inspect;
use super::validation::apply;

/// Reconciles at the same time; bounded, because every wake-up of an unbounded controller polls all of them.
const CONCURRENCY: u16 = 8;
/// Delay after an API error or a conflict.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Writes of one condition before a busy object is left alone.
const CONFLICT_ATTEMPTS: usize = 5;

/// Runs the controller until `stop`.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let configurations = Api::<ServerBootConfiguration>::all(shared.client.clone());
    let secrets = Api::<Secret>::all(shared.client.clone());
    let controller = Controller::new(configurations, watcher::Config::default());
    let store = controller.store();
    let users = shared.clone();
    controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches(secrets, watcher::Config::default(), move |secret| {
            users.users.of(&store, &secret)
        })
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, |_, _, _| Action::requeue(RETRY_DELAY), shared)
        .for_each(|outcome| {
            match outcome {
                Ok((object, _)) => debug!(configuration = %object, "boot configuration checked"),
                Err(error) => warn!(%error, "boot configuration not checked, trying again"),
            }
            std::future::ready(())
        })
        .await;
}

/// Which configurations use a Secret as their ignition. A configuration is entered when it is checked; one that never was will be,
/// and reads its Secret then.
#[derive(Default)]
pub(super) struct Users(Mutex<BTreeMap<(String, String), BTreeSet<String>>>);

impl Users {
    fn enter(&self, configuration: &ServerBootConfiguration) {
        if let Some(secret) = &configuration.spec.ignition_secret_ref {
            let key = (configuration.namespace().unwrap_or_default(), secret.name.clone());
            self.lock().entry(key).or_default().insert(configuration.name_any());
        }
    }

    /// In the order of names.
    fn of(&self, store: &Store<ServerBootConfiguration>, secret: &Secret) -> Vec<ObjectRef<ServerBootConfiguration>> {
        let key = (secret.namespace().unwrap_or_default(), secret.name_any());
        let mut users = self.lock();
        let Some(names) = users.get_mut(&key) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        names.retain(|name| {
            let configuration = store.get(&ObjectRef::new(name).within(&key.0));
            let uses = configuration.filter(|configuration| {
                let reference = configuration.spec.ignition_secret_ref.as_ref();
                reference.is_some_and(|reference| reference.name == key.1)
            });
            found.extend(uses.as_deref().map(ObjectRef::from_obj));
            uses.is_some()
        });
        if names.is_empty() {
            users.remove(&key);
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reconcile(configuration: Arc<ServerBootConfiguration>, shared: Arc<Shared>) -> Result<Action, kube::Error> {
    if configuration.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    shared.users.enter(&configuration);
    let verdict = inspect(&shared, &configuration).await?;
    let mut status = configuration.status.clone().unwrap_or_default();
    if apply(&mut status, verdict.as_ref().map(|_| ()), (shared.clock)()) {
        match write_status(&shared, &configuration, &status).await {
            // Another writer was first, which is no news to anybody; its event brings this back, too.
            Err(kube::Error::Api(status)) if status.is_conflict() => return Ok(Action::requeue(RETRY_DELAY)),
            outcome => outcome?,
        }
        match verdict {
            Ok(bootable) => info!(configuration = %configuration.name_any(), image = %bootable.image, "ready to boot"),
            Err(error) => warn!(configuration = %configuration.name_any(), %error, "cannot be booted"),
        }
    }
    Ok(Action::await_change())
}

/// Replaces the status that was read; conditions are one atomic list with several writers.
async fn write_status(
    shared: &Shared,
    read: &ServerBootConfiguration,
    status: &ServerBootConfigurationStatus,
) -> Result<(), kube::Error> {
    let Some(namespace) = read.namespace() else {
        return Ok(());
    };
    let patch = json!({
        "metadata": { "resourceVersion": read.resource_version() },
        // An empty list must reach the server, or the last condition would stay.
        "status": { "state": status.state, "conditions": status.conditions },
    });
    Api::<ServerBootConfiguration>::namespaced(shared.client.clone(), &namespace)
        .patch_status(&read.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await
        .map(|_| ())
}

/// Notes on a configuration that a machine has fetched something. The machine is served in any case.
pub(super) async fn note_fetch(shared: &Shared, served: ServerBootConfiguration, condition: &str, reason: &str) {
    let (name, namespace) = (served.name_any(), served.namespace().unwrap_or_default());
    let configurations = Api::<ServerBootConfiguration>::namespaced(shared.client.clone(), &namespace);
    let mut current = served;
    for _ in 0..CONFLICT_ATTEMPTS {
        let mut status = current.status.clone().unwrap_or_default();
        let message = "fetched by the machine";
        if !super::conditions::set(
            &mut status.conditions,
            condition,
            true,
            reason,
            message,
            (shared.clock)(),
        ) {
            return;
        }
        let error = match write_status(shared, &current, &status).await {
            Ok(()) => return,
            Err(error) => error,
        };
        let is_conflict = matches!(&error, kube::Error::Api(status) if status.code == 409);
        match configurations.get_opt(&name).await {
            // Another object under the same name was not fetched by anybody.
            Ok(Some(fresh)) if is_conflict && fresh.uid() == current.uid() => current = fresh,
            _ => {
                warn!(configuration = %name, condition, %error, "fetch not noted");
                return;
            }
        }
    }
    warn!(configuration = %name, condition, "fetch not noted, the object changes too often");
}
