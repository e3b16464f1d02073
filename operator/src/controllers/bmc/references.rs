//! Which BMCs name an Endpoint or a BMCSecret, so that a change of one of them costs no walk over all BMCs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crds::BMC;
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
}

/// The references of all BMCs. Kept up to date by the watch.
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
}
