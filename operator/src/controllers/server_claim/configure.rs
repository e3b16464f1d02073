//! The boot configuration of a claim: named as the claim, owned by it, made for the epoch in which it holds its server.

use crds::{
    LocalObjectReference, ObjectReference, Server, ServerBootConfiguration, ServerBootConfigurationSpec, ServerClaim,
    keys,
};
use kube::api::{Api, Patch, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::decision::is_configured;
use crate::context::{Context, parameters};
use crate::controllers::Error;
use crate::controllers::server::boot;
use crate::ownership::reservation::Change;

/// What came of it.
pub(super) enum Outcome {
    Done,
    /// Something old had to go first, or the claim is not what the cache shows.
    Again,
    /// Somebody else's object has the name.
    Conflict(String),
}

/// Makes or updates the boot configuration, then lets the server reference it.
///
/// # Errors
/// The API server's.
pub(super) async fn configure(context: &Context, claim: &ServerClaim, server: &Server) -> Result<Outcome, Error> {
    let namespace = claim.namespace().unwrap_or_default();
    let name = claim.name_any();
    let api: Api<ServerBootConfiguration> = context.api_in(&namespace);
    let wanted = wanted(claim, server)?;
    match api.get_opt(&name).await? {
        None => {
            // What is made for a claim that is gone, the garbage collector takes away at once; a cache that has not noticed would have it
            // made again and again.
            let live = context.api_in::<ServerClaim>(&namespace).get_opt(&name).await?;
            if live.is_none_or(|live| live.uid() != claim.uid()) {
                return Ok(Outcome::Again);
            }
            api.create(&PostParams::default(), &wanted).await?;
        }
        Some(found) => {
            let owner = found
                .owner_references()
                .iter()
                .find(|owner| owner.controller == Some(true));
            match owner {
                Some(owner) if Some(&owner.uid) == claim.metadata.uid.as_ref() => {
                    update(&api, claim, server, &found, &wanted).await?;
                }
                // A claim of the same name that is gone: another tenant's image must not boot here.
                Some(owner) if owner.kind == ServerClaim::kind(&()) => {
                    boot::delete(&api, &found).await?;
                    return Ok(Outcome::Again);
                }
                // Ours, and nobody's since it came back from a backup.
                None if found.annotations().contains_key(keys::EPOCH_ANNOTATION) => {
                    boot::delete(&api, &found).await?;
                    return Ok(Outcome::Again);
                }
                _ => {
                    return Ok(Outcome::Conflict(format!(
                        "ServerBootConfiguration {namespace}/{name} exists and does not belong to this claim"
                    )));
                }
            }
        }
    }
    let reference = ObjectReference { namespace, name };
    if server.spec.boot_configuration_ref.as_ref() != Some(&reference) {
        let patch = Change::Boot(Some(reference)).patch(server);
        context.patch_server(server, patch).await?;
    }
    Ok(Outcome::Done)
}

fn wanted(claim: &ServerClaim, server: &Server) -> Result<ServerBootConfiguration, Error> {
    let name = claim.name_any();
    let mut configuration = ServerBootConfiguration::new(
        &name,
        ServerBootConfigurationSpec {
            server_ref: LocalObjectReference::named(server.name_any()),
            image: Some(claim.spec.image.clone()),
            ignition_secret_ref: claim.spec.ignition_secret_ref.clone(),
        },
    );
    let owner = claim
        .controller_owner_ref(&())
        .ok_or_else(|| Error::Invalid(format!("claim {name} has no UID")))?;
    configuration.metadata.namespace = claim.namespace();
    configuration.metadata.owner_references = Some(vec![owner]);
    let epoch = server.tenancy_epoch().to_string();
    configuration
        .annotations_mut()
        .insert(keys::EPOCH_ANNOTATION.to_owned(), epoch);
    Ok(configuration)
}

async fn update(
    api: &Api<ServerBootConfiguration>,
    claim: &ServerClaim,
    server: &Server,
    found: &ServerBootConfiguration,
    wanted: &ServerBootConfiguration,
) -> Result<(), Error> {
    if is_configured(claim, server, found)
        || found.spec == wanted.spec && boot::epoch_of(found) == boot::epoch_of(wanted)
    {
        return Ok(());
    }
    let patch = json!({
        "metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": { keys::EPOCH_ANNOTATION: server.tenancy_epoch().to_string() },
        },
        "spec": {
            "serverRef": wanted.spec.server_ref,
            "image": wanted.spec.image,
            "ignitionSecretRef": wanted.spec.ignition_secret_ref,
        },
    });
    api.patch(&found.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
