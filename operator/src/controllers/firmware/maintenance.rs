//! The maintenances of an object: asked for, waited for, used, given back.

use std::sync::Arc;

use crds::{LocalObjectReference, ObjectReference, Power, Server, ServerMaintenance, ServerState};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PostParams, Preconditions};
use serde_json::json;

use super::names::fitting;
use super::object::{Maintained, write_references};
use crate::conditions::{self, Wish};
use crate::context::{Context, is_conflict, is_not_found, parameters};
use crate::controllers::Error;
use crate::ownership;

/// What an object may do to its servers now.
#[derive(Clone, Debug, PartialEq)]
pub enum Permit {
    /// At least one of its servers was not asked for.
    Unrequested,
    /// The server that is still waited for.
    Waiting(String),
    /// All servers are in the maintenances of the object, which want this power of them, if they agree.
    Granted(Option<Power>),
}

/// The maintenances of an object, one for each of its servers.
pub struct Maintenances(Vec<Slot>);

struct Slot {
    server: String,
    name: String,
    maintenance: Option<Arc<ServerMaintenance>>,
    granted: bool,
}

/// The name of the maintenance of a server, for an object.
fn name(prefix: &str, object: &str, server: Option<&str>) -> String {
    fitting(match server {
        Some(server) => format!("{prefix}-{object}-{server}"),
        None => format!("{prefix}-{object}"),
    })
}

/// Whether the server is in this maintenance and no other.
pub fn holds(server: &Server, maintenance: &ServerMaintenance) -> bool {
    let in_maintenance =
        server.status.as_ref().and_then(|status| status.state.as_ref()) == Some(&ServerState::Maintenance);
    // Who writes to firmware wants to be certain: references of older operators carry no UID.
    let reference = server.spec.server_maintenance_ref.as_ref();
    let certain = reference.is_some_and(|reference| reference.uid.is_some());
    in_maintenance && certain && ownership::maintenance::has(maintenance, server)
}

fn is_owned(maintenance: &ServerMaintenance, owner: Option<&str>) -> bool {
    let mut owners = maintenance.owner_references().iter();
    owners.any(|reference| Some(reference.uid.as_str()) == owner)
}

impl Maintenances {
    /// As the caches show them. `many`: whether the object can have several servers.
    pub fn look<K: Maintained>(context: &Context, object: &K, servers: &[String], many: bool) -> Self {
        let namespace = &context.options.manager_namespace;
        let known = |namespace: &str, name: &str| context.caches.maintenances.get_in(namespace, name);
        // One that an older operator has made has another name.
        let referenced: Vec<_> = object
            .references()
            .iter()
            .filter_map(|reference| known(&reference.namespace, &reference.name))
            .collect();
        let slots = servers.iter().map(|server| {
            let name = name(K::PREFIX, &object.name_any(), many.then_some(server));
            let maintenance = referenced
                .iter()
                .find(|maintenance| maintenance.spec.server_ref.name == *server)
                .cloned()
                .or_else(|| known(namespace, &name));
            let cached = context.caches.servers.get(server);
            // One that is being deleted counts as long as it has the server: it may wait for us.
            let maintenance = maintenance.filter(|maintenance| {
                let has = cached.as_ref().is_some_and(|server| holds(server, maintenance));
                has || maintenance.metadata.deletion_timestamp.is_none()
            });
            let granted = match (&maintenance, cached) {
                (Some(maintenance), Some(server)) => holds(&server, maintenance),
                _ => false,
            };
            Slot {
                server: server.clone(),
                name,
                maintenance,
                granted,
            }
        });
        Self(slots.collect())
    }

    pub fn permit(&self) -> Permit {
        if self.0.is_empty() || self.0.iter().any(|slot| slot.maintenance.is_none()) {
            return Permit::Unrequested;
        }
        if let Some(slot) = self.0.iter().find(|slot| !slot.granted) {
            return Permit::Waiting(slot.server.clone());
        }
        let mut powers = self.0.iter().filter_map(|slot| slot.maintenance.as_ref());
        let first = powers
            .next()
            .and_then(|maintenance| maintenance.spec.server_power.clone());
        Permit::Granted(first.filter(|first| powers.all(|other| other.spec.server_power.as_ref() == Some(first))))
    }

    /// Asks for what was not asked for yet, with the machines on, and writes down what was asked for.
    ///
    /// # Errors
    /// The API server's, or that the name is taken.
    pub async fn request<K: Maintained>(&self, context: &Context, object: &K) -> Result<K, Error> {
        let mut references = Vec::new();
        for slot in &self.0 {
            let maintenance = match &slot.maintenance {
                Some(maintenance) => ServerMaintenance::clone(maintenance),
                None => create(context, object, slot).await?,
            };
            references.push(reference(&maintenance));
        }
        Ok(write_references(context, object, &references).await?)
    }

    /// Says which power the machines should have.
    ///
    /// # Errors
    /// The API server's.
    pub async fn set_power(&self, context: &Context, power: &Power) -> Result<(), Error> {
        for maintenance in self.0.iter().filter_map(|slot| slot.maintenance.as_ref()) {
            if maintenance.spec.server_power.as_ref() == Some(power) {
                continue;
            }
            let api: Api<ServerMaintenance> = context.api_in(&maintenance.namespace().unwrap_or_default());
            let patch = json!({
                "metadata": { "resourceVersion": maintenance.resource_version() },
                "spec": { "serverPower": power },
            });
            api.patch(&maintenance.name_any(), &parameters(), &Patch::Merge(patch))
                .await?;
        }
        Ok(())
    }

    /// Whether a live read shows that all servers are still in these maintenances, and the leader lease outlives a request: what is sent
    /// to a BMC next meets nobody else's work (S5).
    ///
    /// # Errors
    /// The API server's.
    pub async fn confirm(&self, context: &Context) -> Result<bool, Error> {
        let servers: Api<Server> = context.api();
        for slot in &self.0 {
            let server = servers.get_opt(&slot.server).await?;
            let held = match (server, &slot.maintenance) {
                (Some(server), Some(maintenance)) => holds(&server, maintenance),
                _ => false,
            };
            if !held {
                return Ok(false);
            }
        }
        let timeout = context.options.bmc.bmc_request_timeout.get();
        Ok(!self.0.is_empty() && context.leadership.valid_for(timeout))
    }
}

fn reference(maintenance: &ServerMaintenance) -> ObjectReference {
    ObjectReference {
        namespace: maintenance.namespace().unwrap_or_default(),
        name: maintenance.name_any(),
    }
}

async fn create<K: Maintained>(context: &Context, object: &K, slot: &Slot) -> Result<ServerMaintenance, Error> {
    let api: Api<ServerMaintenance> = context.api_in(&context.options.manager_namespace);
    let mut maintenance = ServerMaintenance::new(
        &slot.name,
        crds::ServerMaintenanceSpec {
            policy: object.policy(),
            server_ref: LocalObjectReference::named(&slot.server),
            server_power: Some(Power::On),
            ..crds::ServerMaintenanceSpec::default()
        },
    );
    maintenance.metadata.owner_references = object.controller_owner_ref(&()).map(|owner| vec![owner]);
    let reason = format!("{} {}", K::kind(&()), object.name_any());
    maintenance
        .annotations_mut()
        .insert(crds::keys::maintenance::REASON_ANNOTATION.to_owned(), reason);
    match api.create(&PostParams::default(), &maintenance).await {
        Ok(created) => Ok(created),
        // Made before a crash, or not in the cache yet. Or that of a namesake that is gone, which goes with it.
        Err(error) if is_conflict(&error) => {
            let existing = api.get(&slot.name).await?;
            if is_owned(&existing, object.uid().as_deref()) && existing.metadata.deletion_timestamp.is_none() {
                Ok(existing)
            } else {
                Err(Error::Invalid(format!(
                    "ServerMaintenance {} is there already and belongs to somebody else; it is waited for",
                    slot.name
                )))
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives every maintenance of the object back, and forgets them when they are gone: `true`.
///
/// # Errors
/// The API server's.
pub async fn release<K: Maintained>(
    context: &Context,
    object: &K,
    servers: &[String],
    many: bool,
) -> Result<(K, bool), Error> {
    let mut names: Vec<_> = object.references();
    for server in servers {
        let own = ObjectReference {
            namespace: context.options.manager_namespace.clone(),
            name: name(K::PREFIX, &object.name_any(), many.then_some(server)),
        };
        if !names.contains(&own) {
            names.push(own);
        }
    }
    let mut left = false;
    for ObjectReference { namespace, name } in names {
        let api: Api<ServerMaintenance> = context.api_in(&namespace);
        // Live: a maintenance that is left behind keeps a server from its tenant.
        let Some(maintenance) = api.get_opt(&name).await? else {
            continue;
        };
        if !is_owned(&maintenance, object.uid().as_deref()) {
            continue;
        }
        left = true;
        if maintenance.metadata.deletion_timestamp.is_none() {
            let parameters = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: maintenance.uid(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match api.delete(&name, &parameters).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) || is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if left {
        return Ok((object.clone(), false));
    }
    Ok((write_references(context, object, &[]).await?, true))
}

/// Conditions that tell how far the maintenance is (contract section 4.3).
pub fn tell(
    conditions: &mut Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
    permit: &Permit,
    now: jiff::Timestamp,
) {
    const WAITING: &str = "ServerMaintenanceWaiting";
    let created = Wish::yes(
        "ServerMaintenanceCreated",
        "ServerMaintenanceHasBeenCreated",
        "ServerMaintenance has been created",
    );
    match permit {
        Permit::Unrequested => {}
        Permit::Waiting(server) => {
            conditions::set(conditions, &created, now);
            let message = format!("Waiting until Server {server} is in the ServerMaintenance");
            let wish = Wish::yes(WAITING, "ServerMaintenanceWaitingOnApproval", message);
            conditions::set(conditions, &wish, now);
        }
        Permit::Granted(_) => {
            conditions::set(conditions, &created, now);
            let message = "Every Server is in its ServerMaintenance";
            let wish = Wish::no(WAITING, "ServerMaintenanceApproval", message);
            conditions::set(conditions, &wish, now);
        }
    }
}

/// The condition of an object that has given its maintenances back.
pub fn released() -> Wish {
    Wish::yes(
        "ServerMaintenanceDeleted",
        "ServerMaintenanceHasBeenDeleted",
        "ServerMaintenance has been deleted",
    )
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::MaintenanceReference;

    use super::*;
    use crate::controllers::firmware::names::NAME_LIMIT;

    #[test]
    fn names_of_maintenances_do_not_collide() {
        // W33: a BIOSSettings and a BIOSVersion of one name.
        assert_ne!(name("biossettings", "a", None), name("biosversion", "a", None));
        assert_eq!(name("bmcversion", "a", Some("s-0")), "bmcversion-a-s-0");
        let long = "x".repeat(253);
        let (one, other) = (
            name("bmcsettings", &long, Some("s-0")),
            name("bmcsettings", &long, Some("s-1")),
        );
        assert_ne!(one, other);
        assert!(one.len() <= NAME_LIMIT);
    }

    #[test]
    fn only_the_very_maintenance_holds_a_server() {
        let mut maintenance = ServerMaintenance::new("m", crds::ServerMaintenanceSpec::default());
        maintenance.metadata.namespace = Some("ns".into());
        maintenance.metadata.uid = Some("1".into());
        for (state, name, uid, expected) in [
            (ServerState::Maintenance, "m", Some("1"), true),
            (ServerState::Maintenance, "m", Some("2"), false),
            (ServerState::Maintenance, "m", None, false),
            (ServerState::Maintenance, "other", Some("1"), false),
            (ServerState::Reserved, "m", Some("1"), false),
        ] {
            let mut server = Server::new("s", crds::ServerSpec::default());
            server.status.get_or_insert_default().state = Some(state.clone());
            server.spec.server_maintenance_ref = Some(MaintenanceReference {
                namespace: "ns".into(),
                name: name.into(),
                uid: uid.map(str::to_owned),
            });
            assert_eq!(holds(&server, &maintenance), expected, "{state} {name} {uid:?}");
        }
    }
}
