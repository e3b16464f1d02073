//! Which Server has which address, as the watch tells. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::Server;
use kube::ResourceExt;

use crate::runtime::Change;

#[derive(Default)]
struct State {
    servers: BTreeMap<String, Arc<Server>>,
    /// More than one name where an address has moved: the inventory of the Server that had it before is as old as its discovery.
    by_address: BTreeMap<IpAddr, BTreeSet<String>>,
}

/// Servers by address.
#[derive(Default)]
pub(super) struct Index(Mutex<State>);

impl Index {
    /// Takes a change of a Server in. What other Servers say of the same address stays (W26).
    pub(super) fn changed(&self, change: &Change<Server>) {
        let server = change.object();
        let name = server.name_any();
        let mut state = self.lock();
        if let Some(before) = state.servers.remove(&name) {
            for address in addresses(&before) {
                if let Some(names) = state.by_address.get_mut(&address) {
                    names.remove(&name);
                    if names.is_empty() {
                        state.by_address.remove(&address);
                    }
                }
            }
        }
        if let Change::Present(server) = change {
            for address in addresses(server) {
                state.by_address.entry(address).or_default().insert(name.clone());
            }
            state.servers.insert(name, server.clone());
        }
    }

    /// The Server with this address. Of several, the one that somebody has; where that does not decide, none: metadata may be secret, and
    /// an identity that is not unique identifies nothing.
    pub(super) fn find(&self, peer: IpAddr) -> Option<Arc<Server>> {
        let state = self.lock();
        let names = state.by_address.get(&peer.to_canonical())?;
        let all: Vec<_> = names.iter().filter_map(|name| state.servers.get(name)).collect();
        let held: Vec<_> = all
            .iter()
            .filter(|server| server.spec.server_claim_ref.is_some())
            .collect();
        match (all.as_slice(), held.as_slice()) {
            ([one], _) => Some(Arc::clone(one)),
            (_, [one]) => Some(Arc::clone(one)),
            _ => {
                tracing::warn!(%peer, servers = ?names, "several Servers have this address");
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dual-stack socket shows an IPv4 peer as an IPv6 address; both are the same here.
fn addresses(server: &Server) -> BTreeSet<IpAddr> {
    let interfaces = server.status.iter().flat_map(|status| &status.network_interfaces);
    interfaces
        .flat_map(|interface| &interface.ips)
        .filter_map(|ip| ip.parse::<IpAddr>().ok())
        .map(|ip| ip.to_canonical())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(name: &str, ips: &[&str], held: bool) -> Change<Server> {
        let claim = held.then(|| json!({ "namespace": "n", "name": "c", "uid": "u" }));
        let server = json!({
            "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Server", "metadata": { "name": name },
            "spec": { "systemUUID": name, "serverClaimRef": claim },
            "status": { "networkInterfaces": [{ "name": "eth0", "macAddress": "m", "ips": ips }] },
        });
        Change::Present(Arc::new(serde_json::from_value(server).expect("a Server")))
    }

    fn found(index: &Index, peer: &str) -> Option<String> {
        index
            .find(peer.parse().expect("an address"))
            .map(|server| server.name_any())
    }

    #[test]
    fn an_address_that_moves_belongs_to_who_is_there() {
        let index = Index::default();
        index.changed(&server("a", &["10.0.0.1", "fd00::1", "nonsense"], false));
        assert_eq!(found(&index, "10.0.0.1").as_deref(), Some("a"));
        assert_eq!(found(&index, "::ffff:10.0.0.1").as_deref(), Some("a"), "IPv4-mapped");
        assert_eq!(found(&index, "fd00::1").as_deref(), Some("a"));
        assert_eq!(found(&index, "10.0.0.2"), None);
        // The address moves to `b`; then `a` is updated, and must not take the entry of `b` with it (W26).
        index.changed(&server("b", &["10.0.0.1"], true));
        assert_eq!(found(&index, "10.0.0.1").as_deref(), Some("b"), "held");
        index.changed(&server("a", &["10.0.0.9"], false));
        assert_eq!(found(&index, "10.0.0.1").as_deref(), Some("b"));
        assert_eq!(found(&index, "fd00::1"), None);
    }

    #[test]
    fn an_address_of_several_tenants_is_nobodys() {
        let index = Index::default();
        index.changed(&server("a", &["10.0.0.1"], true));
        index.changed(&server("b", &["10.0.0.1"], true));
        assert_eq!(found(&index, "10.0.0.1"), None);
        let Change::Present(gone) = server("a", &["10.0.0.1"], true) else {
            unreachable!("the helper makes present servers")
        };
        index.changed(&Change::Gone(gone));
        assert_eq!(found(&index, "10.0.0.1").as_deref(), Some("b"));
    }
}
