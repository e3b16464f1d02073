//! Who waits for which server, kept by the watch, and in which order they get it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crds::{MaintenancePolicy, MaintenanceState, Server, ServerMaintenance};
use kube::ResourceExt;

use super::decision::{Owner, may_begin};
use crate::context::Context;
use crate::controllers::is_ignored;
use crate::ownership::maintenance::has;
use crate::runtime::Change;

/// Namespace and name.
type Key = (String, String);

/// Maintenances by the server that they name.
#[derive(Default)]
pub struct Queue(Mutex<BTreeMap<String, BTreeSet<Key>>>);

impl Queue {
    /// Takes a change in. `serverRef` may have been edited, so the object is looked for everywhere. Returns the servers that it names, or named.
    pub fn changed(&self, change: &Change<ServerMaintenance>) -> BTreeSet<String> {
        let maintenance = change.object();
        let key = (maintenance.namespace().unwrap_or_default(), maintenance.name_any());
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut touched: BTreeSet<String> = BTreeSet::new();
        servers.retain(|server, waiting| {
            if waiting.remove(&key) {
                touched.insert(server.clone());
            }
            !waiting.is_empty()
        });
        let named = &maintenance.spec.server_ref.name;
        touched.insert(named.clone());
        if matches!(change, Change::Present(_)) {
            servers.entry(named.clone()).or_default().insert(key);
        }
        touched
    }

    /// The maintenances of a server.
    pub fn of(&self, server: &str) -> Vec<Key> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.get(server).into_iter().flatten().cloned().collect()
    }
}

/// The objects, as the cache shows them.
pub(super) fn objects(context: &Context, keys: &[Key]) -> Vec<Arc<ServerMaintenance>> {
    let cache = &context.caches.maintenances;
    keys.iter()
        .filter_map(|(namespace, name)| cache.get_in(namespace, name))
        .collect()
}

/// Whether a maintenance may begin on this server as soon as none has it.
pub fn is_queued(context: &Context, server: &Server) -> bool {
    let claim = super::claim_of(context, server);
    let owner = super::owner(server, claim.as_deref());
    objects(context, &context.maintenances.of(&server.name_any()))
        .iter()
        .any(|maintenance| waits(maintenance, server) && may_begin(maintenance, &owner))
}

/// Whether it waits for this server.
pub(super) fn waits(maintenance: &ServerMaintenance, server: &Server) -> bool {
    let state = maintenance.status.as_ref().and_then(|status| status.state.as_ref());
    maintenance.metadata.deletion_timestamp.is_none()
        && !is_ignored(maintenance)
        && state != Some(&MaintenanceState::Failed)
        && !has(maintenance, server)
}

/// The order in which a server is given away: by priority, those that ask nobody, by age, by name.
pub(super) fn rank(maintenance: &ServerMaintenance) -> impl Ord + use<> {
    let enforced = maintenance.spec.policy == Some(MaintenancePolicy::Enforced);
    let created = maintenance.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (
        Reverse(maintenance.spec.priority.unwrap_or_default()),
        !enforced,
        created,
        maintenance.namespace(),
        maintenance.name_any(),
    )
}

/// Whether the maintenance has nobody before it who could begin now. One whose owner has not agreed holds nobody up.
pub(super) fn is_first(
    maintenance: &ServerMaintenance,
    server: &Server,
    owner: &Owner<'_>,
    others: &[Arc<ServerMaintenance>],
) -> bool {
    let own = rank(maintenance);
    !others
        .iter()
        .filter(|other| other.uid() != maintenance.uid())
        .any(|other| waits(other, server) && may_begin(other, owner) && rank(other) < own)
}
