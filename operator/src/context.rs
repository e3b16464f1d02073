//! What every controller is given.

use std::fmt::Debug;

use crds::{Server, ServerStatus, keys};
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bmc::BmcPool;
use crate::controllers::bmc::DnsRecords;
use crate::controllers::firmware::registries::AttributeRegistries;
use crate::controllers::server::Settings;
use crate::controllers::server_claim::Board;
use crate::controllers::server_maintenance;
use crate::edges::{Clock, Seed};
use crate::events::Recorder;
use crate::freshness::OwnWrites;
use crate::ignition::TemplateSource;
use crate::kinds::Caches;
use crate::leader_election::Leadership;
use crate::mac_prefixes::MacPrefixes;
use crate::merge_patch;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::redfish_events::EventReceiver;
use crate::registry::Registry;
use crate::sabotage::{self, Bug};
use crate::ssh::SshService;
use crate::turns::Turns;

/// Everything a reconciler needs besides its object.
pub struct Context {
    pub client: Client,
    pub caches: Caches,
    pub bmcs: BmcPool,
    pub ssh: SshService,
    pub registry: Registry,
    pub event_receiver: EventReceiver,
    /// `None` without a template.
    pub dns_records: Option<std::sync::Arc<DnsRecords>>,
    pub options: Options,
    pub settings: Settings,
    pub registry_url: String,
    pub template: TemplateSource,
    pub mac_prefixes: MacPrefixes,
    pub clock: Clock,
    pub seed: Seed,
    pub leadership: Leadership,
    pub metrics: Metrics,
    pub events: Recorder,
    pub own_writes: OwnWrites,
    /// Of Servers.
    pub turns: Turns,
    /// Of BMCs, whose systems are listed.
    pub listings: Turns,
    /// Of objects that change firmware and its settings.
    pub firmware_turns: Turns,
    pub attribute_registries: AttributeRegistries,
    pub board: std::sync::Arc<Board>,
    /// Who waits for which server.
    pub maintenances: server_maintenance::Queue,
}

impl Context {
    /// Wall-clock time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A cluster-scoped kind.
    pub fn api<K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// A namespaced kind.
    pub fn api_in<K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>>(
        &self,
        namespace: &str,
    ) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Writes the difference between two statuses of `object`, if there is one, provided that the object is still the one that
    /// was looked at.
    ///
    /// # Errors
    /// The API server's, among them a conflict when the object has changed.
    pub async fn write_status<K, S>(&self, api: &Api<K>, object: &K, old: &S, new: &S) -> Result<Option<K>, kube::Error>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
        S: Serialize + PartialEq,
    {
        // Incident 154.
        if old == new && !sabotage::active(Bug::NoopWrites) {
            return Ok(None);
        }
        let before = serde_json::to_value(old).map_err(kube::Error::SerdeError)?;
        let after = serde_json::to_value(new).map_err(kube::Error::SerdeError)?;
        let difference = merge_patch::diff(&before, &after);
        let Some(status) = difference.or_else(|| sabotage::active(Bug::NoopWrites).then(|| json!({}))) else {
            return Ok(None);
        };
        let mut patch = json!({ "metadata": { "resourceVersion": object.resource_version() }, "status": status });
        // Incident 21.
        if sabotage::active(Bug::StaleCacheBelieved) {
            patch["metadata"]["resourceVersion"] = json!(null);
        }
        let mut written = api
            .patch_status(&object.name_any(), &parameters(), &Patch::Merge(patch))
            .await?;
        written.meta_mut().managed_fields = None;
        Ok(Some(written))
    }

    /// Writes the status of a Server, if it changes. Returns the Server as it is then.
    ///
    /// # Errors
    /// The API server's.
    pub async fn write_server_status(&self, server: &Server, status: &ServerStatus) -> Result<Server, kube::Error> {
        let none = ServerStatus::default();
        let old = server.status.as_ref().unwrap_or(&none);
        let written = self.write_status(&self.api(), server, old, status).await;
        Ok(self.noted(server, written)?.unwrap_or_else(|| server.clone()))
    }

    /// Sends a merge patch that carries its precondition.
    ///
    /// # Errors
    /// The API server's.
    pub async fn patch_server(&self, server: &Server, patch: Value) -> Result<Server, kube::Error> {
        let api: Api<Server> = self.api();
        let written = api
            .patch(&server.name_any(), &parameters(), &Patch::Merge(patch))
            .await
            .map(|mut server: Server| {
                server.metadata.managed_fields = None;
                Some(server)
            });
        Ok(self.noted(server, written)?.unwrap_or_else(|| server.clone()))
    }

    /// Remembers what the cache has to show before the Server is looked at again.
    fn noted(
        &self,
        server: &Server,
        written: Result<Option<Server>, kube::Error>,
    ) -> Result<Option<Server>, kube::Error> {
        let key = server_key(&server.name_any());
        match &written {
            Ok(Some(server)) => self.own_writes.wrote(&key, server.resource_version().as_deref()),
            Ok(None) => {}
            Err(error) if is_conflict(error) => {
                self.own_writes.was_stale(&key, server.resource_version().as_deref());
            }
            Err(_) => {}
        }
        written
    }
}

/// Key of a Server among the own writes.
pub fn server_key(name: &str) -> String {
    format!("servers/{name}")
}

/// Key of a ServerClaim among the own writes.
pub fn claim_key(namespace: &str, name: &str) -> String {
    format!("serverclaims/{namespace}/{name}")
}

/// Parameters of every patch.
pub fn parameters() -> PatchParams {
    PatchParams {
        field_manager: Some(keys::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

/// Whether somebody else wrote the object first.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether the API server certainly did not do what it was asked to. After an error of its own (a timeout, a proxy) it may have.
pub fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 408)
}

/// Whether the API server says positively that there is no such object.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 && status.reason == "NotFound")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_error_of_the_server_refuses_nothing_for_certain() {
        for (code, expected) in [
            (404, true),
            (408, false),
            (409, true),
            (422, true),
            (429, true),
            (500, false),
            (504, false),
        ] {
            let status = Status::failure("", "").with_code(code).boxed();
            assert_eq!(is_refusal(&kube::Error::Api(status)), expected, "{code}");
        }
    }
}
