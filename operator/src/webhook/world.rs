//! What rules know of other objects: caches that are kept while this process runs, and the API server for certainty.

use crds::{Endpoint, MaintenanceState, ServerMaintenance};
use futures::FutureExt;
use kube::Api;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::endpoint;
use super::firmware::Firmware;
use crate::runtime::{Cache, Watch};

pub(super) struct World {
    client: kube::Client,
    endpoints: Peers<Endpoint>,
}

impl World {
    pub(super) fn start(client: &kube::Client, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Self {
        Self {
            client: client.clone(),
            endpoints: Peers::start(client, stop, tasks),
        }
    }

    /// Whether another object of this kind is for the same machine. They are made rarely, and few at a time: no cache is kept of them.
    pub(super) async fn has_firmware(
        &self,
        firmware: Firmware,
        machine: &str,
        other_than: &str,
    ) -> Result<bool, kube::Error> {
        let kind = GroupVersionKind::gvk(crds::GROUP, crds::VERSION, firmware.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, firmware.plural);
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let all = api.list(&ListParams::default()).await?;
        Ok(all
            .iter()
            .any(|other| other.name_any() != other_than && firmware.machine(other) == Some(machine)))
    }

    /// Whether one of these maintenances has its server at this moment.
    pub(super) async fn in_maintenance(&self, maintenances: &[(String, String)]) -> Result<bool, kube::Error> {
        for (namespace, name) in maintenances {
            let api: Api<ServerMaintenance> = Api::namespaced(self.client.clone(), namespace);
            let status = api.get_opt(name).await?.and_then(|maintenance| maintenance.status);
            if status.is_some_and(|status| status.state == Some(MaintenanceState::InMaintenance)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether another Endpoint has this MAC address at this moment.
    pub(super) async fn has_endpoint(&self, address: &str, other_than: &str) -> Result<bool, kube::Error> {
        self.endpoints
            .any(|peer| endpoint::has(peer, other_than, address))
            .await
    }
}

/// All objects of a kind.
struct Peers<K: kube::Resource<DynamicType = ()> + Clone + 'static> {
    api: Api<K>,
    cache: Cache<K>,
}

impl<K> Peers<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    fn start(client: &kube::Client, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Self {
        let api: Api<K> = Api::all(client.clone());
        let watch = Watch::new(api.clone());
        let cache = watch.cache();
        tasks.spawn(watch.run(stop.clone()));
        Self { api, cache }
    }

    /// Whether there is such an object. A cache may show one that is gone or has changed since, and then nobody could be told why they
    /// are refused; one that it does not show yet is a race between two users that no webhook can decide.
    async fn any(&self, matches: impl Fn(&K) -> bool) -> Result<bool, kube::Error> {
        if self.cache.ready().now_or_never() != Some(true) {
            let all = self.api.list(&ListParams::default()).await?;
            return Ok(all.iter().any(matches));
        }
        for peer in self.cache.all().iter().filter(|peer| matches(peer)) {
            let now = self.api.get_opt(&peer.name_any()).await?;
            if now.is_some_and(|now| matches(&now)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
