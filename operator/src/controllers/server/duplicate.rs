//! Several Servers with one system UUID (bugs.md #13): written by hand, or made by two BMC objects with the same machine behind them. The one
//! that a tenant has, else the first one, accounts for the machine; the others do nothing to it, not even when they are deleted.

use std::sync::Arc;

use crds::Server;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::context::Context;
use crate::identity::SystemUuid;
use crate::sabotage::{self, Bug};

/// Condition on a Server that is left alone because another one has its UUID.
pub(super) const DUPLICATE_IDENTITY: &str = "DuplicateIdentity";

/// The name of the Server that accounts for the machine instead of this one.
pub(super) fn elder(context: &Context, server: &Server) -> Option<String> {
    if sabotage::active(Bug::DuplicateIdentityAccepted) {
        return None;
    }
    let names = context
        .board
        .systems(&SystemUuid::new(server.spec.system_uuid.as_str()));
    let twins = names.iter().filter_map(|name| context.caches.servers.get(name));
    eldest(server, twins)
}

fn eldest(server: &Server, twins: impl Iterator<Item = Arc<Server>>) -> Option<String> {
    let own = precedence(server);
    let (.., name) = twins.map(|twin| precedence(&twin)).min().filter(|first| *first < own)?;
    Some(name)
}

/// A tenant's before a free one, which a backup may have brought back first; then the older one.
fn precedence(server: &Server) -> (bool, Option<Timestamp>, String) {
    let free = server.spec.server_claim_ref.is_none() && server.spec.residue_epoch.is_none();
    let created = server.creation_timestamp().map(|time| time.0);
    (free, created, server.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn server(name: &str, created: i64) -> Server {
        let mut server = Server::new(name, crds::ServerSpec::default());
        server.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
        server
    }

    #[test]
    fn the_first_one_accounts_for_the_machine() {
        let twins = || {
            [server("b", 1), server("c", 1), server("a", 2)]
                .into_iter()
                .map(Arc::new)
        };
        assert_eq!(eldest(&server("b", 1), twins()), None);
        assert_eq!(eldest(&server("c", 1), twins()).as_deref(), Some("b"));
        assert_eq!(eldest(&server("a", 2), twins()).as_deref(), Some("b"));
        assert_eq!(eldest(&server("a", 2), std::iter::empty()), None);
        let mut held = server("d", 3);
        held.spec.residue_epoch = Some(1);
        assert_eq!(eldest(&held, twins()), None);
        assert_eq!(
            eldest(&server("b", 1), [Arc::new(held)].into_iter()).as_deref(),
            Some("d")
        );
    }
}
