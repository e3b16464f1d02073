//! Which BMCs name an Endpoint or a BMCSecret, and which Servers with access of their own name a BMCSecret, so that a change of one of
//! them costs no walk over all BMCs and Servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crds::{BMC, Server};
use kube::ResourceExt;

use crate::runtime::Change;

/// Name of an object to the names of the BMCs that refer to it.
type Index = BTreeMap<String, BTreeSet<String>>;

#[derive(Default)]
struct State {
    by_endpoint: Index,
    by_secret: Index,
    /// What each BMC referred to when it was last seen.
    referred: BTreeMap<String, (Option<String>, String)>,
    servers_by_secret: Index,
    /// The secret that each Server with access of its own referred to.
    servers_referred: BTreeMap<String, String>,
}

/// The references of all BMCs and Servers. Kept up to date by the watch.
#[derive(Default)]
pub struct References(Mutex<State>);

impl References {
    /// Takes a change of a BMC in.
    pub fn bmc_changed(&self, change: &Change<BMC>) {
        let bmc = change.object();
        let name = bmc.name_any();
        let mut state = self.lock();
        if let Some((endpoint, secret)) = state.referred.remove(&name) {
            remove(&mut state.by_secret, &secret, &name);
            if let Some(endpoint) = endpoint {
                remove(&mut state.by_endpoint, &endpoint, &name);
            }
        }
        if let Change::Present(bmc) = change {
            let endpoint = bmc.spec.endpoint_ref.as_ref().map(|endpoint| endpoint.name.clone());
            let secret = bmc.spec.bmc_secret_ref.name.clone();
            if let Some(endpoint) = &endpoint {
                let names = state.by_endpoint.entry(endpoint.clone()).or_default();
                names.insert(name.clone());
            }
            let names = state.by_secret.entry(secret.clone()).or_default();
            names.insert(name.clone());
            state.referred.insert(name, (endpoint, secret));
        }
    }

    /// Takes a change of a Server in.
    pub fn server_changed(&self, change: &Change<Server>) {
        let server = change.object();
        let name = server.name_any();
        let mut state = self.lock();
        if let Some(secret) = state.servers_referred.remove(&name) {
            remove(&mut state.servers_by_secret, &secret, &name);
        }
        let inline = server.spec.bmc.as_ref().filter(|_| server.spec.bmc_ref.is_none());
        if let (Change::Present(_), Some(inline)) = (change, inline) {
            let secret = inline.bmc_secret_ref.name.clone();
            let names = state.servers_by_secret.entry(secret.clone()).or_default();
            names.insert(name.clone());
            state.servers_referred.insert(name, secret);
        }
    }

    /// BMCs that are reached through an Endpoint.
    pub fn of_endpoint(&self, endpoint: &str) -> Vec<String> {
        self.lock()
            .by_endpoint
            .get(endpoint)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// BMCs whose credentials are in a BMCSecret.
    pub fn of_secret(&self, secret: &str) -> Vec<String> {
        self.lock()
            .by_secret
            .get(secret)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Servers that are reached without a BMC object, with credentials from a BMCSecret.
    pub fn servers_of_secret(&self, secret: &str) -> Vec<String> {
        self.lock()
            .servers_by_secret
            .get(secret)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(index: &mut Index, key: &str, name: &str) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn bmc(name: &str, endpoint: &str, secret: &str) -> Arc<BMC> {
        let spec = json!({
            "endpointRef": {"name": endpoint}, "bmcSecretRef": {"name": secret},
            "protocol": {"name": "Redfish", "port": 443},
        });
        Arc::new(BMC::new(name, serde_json::from_value(spec).expect("a BMC")))
    }

    #[test]
    fn references_follow_what_bmcs_say() {
        let references = References::default();
        references.bmc_changed(&Change::Present(bmc("b", "e1", "s")));
        references.bmc_changed(&Change::Present(bmc("a", "e2", "s")));
        assert_eq!(references.of_secret("s"), ["a", "b"]);
        references.bmc_changed(&Change::Present(bmc("b", "e2", "t")));
        assert_eq!(references.of_endpoint("e1"), Vec::<String>::new());
        assert_eq!(references.of_endpoint("e2"), ["a", "b"]);
        references.bmc_changed(&Change::Gone(bmc("a", "e2", "s")));
        assert_eq!(references.of_endpoint("e2"), ["b"]);
        assert_eq!(references.of_secret("s"), Vec::<String>::new());
    }

    fn server(name: &str, spec: serde_json::Value) -> Arc<Server> {
        Arc::new(Server::new(name, serde_json::from_value(spec).expect("a Server")))
    }

    #[test]
    fn servers_with_access_of_their_own_follow_their_secret() {
        let references = References::default();
        let inline = |secret: &str| {
            json!({
                "systemUUID": "u",
                "bmc": {
                    "address": "10.0.0.1", "bmcSecretRef": {"name": secret}, "protocol": {"name": "Redfish", "port": 443},
                },
            })
        };
        references.server_changed(&Change::Present(server("a", inline("s"))));
        references.server_changed(&Change::Present(server(
            "b",
            json!({"systemUUID": "v", "bmcRef": {"name": "b"}}),
        )));
        let mut both = inline("s");
        both["bmcRef"] = json!({"name": "c"});
        references.server_changed(&Change::Present(server("c", both)));
        assert_eq!(references.servers_of_secret("s"), ["a"]);
        references.server_changed(&Change::Present(server("a", inline("t"))));
        assert_eq!(references.servers_of_secret("s"), Vec::<String>::new());
        assert_eq!(references.servers_of_secret("t"), ["a"]);
        references.server_changed(&Change::Gone(server("a", inline("t"))));
        assert_eq!(references.servers_of_secret("t"), Vec::<String>::new());
    }
}
