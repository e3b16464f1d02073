//! What kube-controller-manager does in a real cluster, as far as an operator notices it. Driven by commits: nothing
//! polls, and everything happens in one future, in commit order.

mod contents;
mod garbage;
mod namespaces;

use std::sync::Arc;

pub(crate) use contents::publish_ca;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Call};
use crate::apply::Operation;
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
use crate::store::ObjectKey;

/// Runs all controllers until stopped.
pub(crate) async fn run(emulator: &KubeEmulator, stop: CancellationToken) {
    let mut changes = emulator.store().follow();
    let mut garbage = garbage::GarbageCollector::default();
    garbage.start(emulator);
    contents::fill_all(emulator);
    namespaces::sweep_all(emulator);
    loop {
        let change = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        let Some(change) = change else { return };
        garbage.see(emulator, &change);
        contents::see(emulator, &change);
        namespaces::see(emulator, &change);
    }
}

/// Creates an object on behalf of a controller; it may well exist already.
pub(crate) fn create(emulator: &KubeEmulator, group: &str, resource: &str, namespace: Option<&str>, object: Value) {
    let mut call = Call::internal(emulator);
    let Some(resource) = call.registry.find(group, "v1", resource).cloned() else {
        return;
    };
    let created = api::create_object(&mut call, &resource, namespace, object, Operation::Update, false);
    if let Err(error) = created
        && error.reason != "AlreadyExists"
    {
        tracing::warn!(resource = %resource.plural, ?namespace, %error, "a controller could not create its object");
    }
}

/// A commit, as the controllers follow it.
pub(crate) type Followed = Arc<crate::store::Followed>;

/// Changes an object on behalf of a controller; it may well be gone.
fn edit(emulator: &KubeEmulator, resource: &Arc<Resource>, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
    edit_at(emulator, resource, key, None, change);
}

fn edit_subresource(
    emulator: &KubeEmulator,
    resource: &Arc<Resource>,
    key: &ObjectKey,
    subresource: &str,
    change: impl FnOnce(&mut Value),
) {
    edit_at(emulator, resource, key, Some(subresource), change);
}

fn edit_at(
    emulator: &KubeEmulator,
    resource: &Arc<Resource>,
    key: &ObjectKey,
    subresource: Option<&str>,
    change: impl FnOnce(&mut Value),
) {
    let mut call = Call::internal(emulator);
    if let Err(error) = api::edit_object(&mut call, resource, key, subresource, change) {
        tracing::debug!(%key, %error, "the object of a controller is already gone");
    }
}
