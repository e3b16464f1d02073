//! Servers for the systems of a BMC. A Server is bound to a machine by UUID, for ever: its name comes from a position, but a position
//! never decides which machine it is (W6, bugs.md #12).

use std::collections::{BTreeMap, BTreeSet};

use crds::{BMC, LocalObjectReference, Server, ServerSpec, SystemUuid as ApiUuid};
use kube::api::{Api, Patch, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::{Map, json};

use crate::bmc::{BmcClient, System};
use crate::context::{Context, parameters};
use crate::controllers::{Error, is_ignored};
use crate::identity::SystemUuid;
use crate::sabotage::{self, Bug};

/// Creates what is missing, and brings address and labels of what is there up to date. A system that has disappeared keeps its
/// Server: a list that lacks it proves nothing (S6).
///
/// # Errors
/// The first error, after every system was tried.
pub(super) async fn discover(context: &Context, bmc: &BMC, client: &BmcClient) -> Result<(), Error> {
    // A property that is null after a reset is there; a system without it cannot be booted by us at all (bugs.md #69).
    let systems = client.systems().await?;
    let systems: Vec<System> = systems
        .into_iter()
        .filter(|system| system.has_override_target)
        .collect();
    let name = bmc.name_any();
    let mut taken: BTreeSet<String> = context.board.servers_of(&name).into_iter().collect();
    let mut first_error = None;
    for (index, system) in systems.iter().enumerate() {
        if system.uuid.is_empty() {
            tracing::warn!(bmc = name, system = %system.uri, "system without UUID skipped, it cannot be told from others");
            continue;
        }
        let result = match known(context, &name, &system.uuid) {
            // Incident 13.
            Known::Elsewhere(_) if sabotage::active(Bug::DuplicateIdentityAccepted) => {
                create(context, bmc, system, index, &mut taken).await
            }
            Known::No => create(context, bmc, system, index, &mut taken).await,
            Known::Here(server) => update(context, bmc, &server, system).await,
            Known::Elsewhere(server) => {
                tracing::warn!(bmc = name, system = %system.uri, server, "its UUID belongs to a Server of another BMC");
                Ok(())
            }
        };
        if let Err(error) = result {
            first_error.get_or_insert(error);
        }
    }
    first_error.map_or(Ok(()), Err)
}

enum Known {
    No,
    Here(Box<Server>),
    Elsewhere(String),
}

fn known(context: &Context, bmc: &str, uuid: &SystemUuid) -> Known {
    let names = context.board.systems(uuid);
    let mut elsewhere = None;
    for name in names {
        let Some(server) = context.caches.servers.get(&name) else {
            continue;
        };
        if server
            .spec
            .bmc_ref
            .as_ref()
            .is_some_and(|reference| reference.name == bmc)
        {
            return Known::Here(Box::new(Server::clone(&server)));
        }
        elsewhere = Some(name);
    }
    elsewhere.map_or(Known::No, Known::Elsewhere)
}

async fn create(
    context: &Context,
    bmc: &BMC,
    system: &System,
    index: usize,
    taken: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let api: Api<Server> = context.api();
    let bmc_name = bmc.name_any();
    let mut index = index;
    let name = loop {
        let name = format!("{bmc_name}-system-{index}");
        if !taken.contains(&name) {
            break name;
        }
        // The position is taken by another machine.
        index += 1;
    };
    let mut server = Server::new(
        &name,
        ServerSpec {
            system_uuid: ApiUuid::new(system.uuid.as_str()),
            system_uri: Some(system.uri.as_str().to_owned()),
            bmc_ref: Some(LocalObjectReference::named(&bmc_name)),
            ..ServerSpec::default()
        },
    );
    server.metadata.labels = bmc.metadata.labels.clone();
    server.metadata.owner_references = bmc.controller_owner_ref(&()).map(|owner| vec![owner]);
    match api.create(&PostParams::default(), &server).await {
        Ok(_) => {
            tracing::info!(bmc = bmc_name, server = name, uuid = %system.uuid, "server discovered");
            taken.insert(name);
            Ok(())
        }
        // The cache is behind: this very machine, or another one under the name. The next pass sees which.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            taken.insert(name);
            // Incident 26.
            if sabotage::active(Bug::OwnCreateNotRecognised) {
                return Box::pin(create(context, bmc, system, index + 1, taken)).await;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn update(context: &Context, bmc: &BMC, server: &Server, system: &System) -> Result<(), Error> {
    if is_ignored(server) || server.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let empty = BTreeMap::new();
    let labels = bmc.metadata.labels.as_ref().unwrap_or(&empty);
    let missing: Map<_, _> = labels
        .iter()
        .filter(|(key, value)| server.labels().get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let moved = server.spec.system_uri.as_deref() != Some(system.uri.as_str());
    if missing.is_empty() && !moved {
        return Ok(());
    }
    let mut patch = json!({ "metadata": { "resourceVersion": server.resource_version(), "labels": missing } });
    if moved {
        patch["spec"] = json!({ "systemURI": system.uri.as_str() });
    }
    let api: Api<Server> = context.api();
    api.patch(&server.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
