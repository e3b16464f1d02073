//! The operator's own boot configuration of a server (discovery, cleanup): Secrets first, so that the boot server never sees a
//! configuration without its ignition, then the ServerBootConfiguration, then the Secrets become its own.

use crds::kinds::server_boot_configuration::BootConfigurationState;
use crds::{LocalObjectReference, Server, ServerBootConfiguration, ServerBootConfigurationSpec, keys};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, Patch, PostParams, Preconditions};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::observed::BootView;
use crate::conditions;
use crate::context::{Context, is_not_found, parameters};
use crate::controllers::Error;
use crate::identity::SystemUuid;
use crate::ignition::{BootSecretsRequest, boot_secrets, is_made_for};
use crate::ownership::reservation::Change;
use crate::registry::{Purpose, Term};

/// The epoch that a boot configuration was made for.
pub fn epoch_of(configuration: &ServerBootConfiguration) -> Option<i64> {
    configuration.annotations().get(keys::EPOCH_ANNOTATION)?.parse().ok()
}

/// What the boot server thinks of a configuration.
pub fn view(configuration: &ServerBootConfiguration) -> BootView {
    let status = configuration.status.clone().unwrap_or_default();
    match status.state {
        Some(BootConfigurationState::Ready) => BootView::Ready,
        Some(BootConfigurationState::Error) => BootView::Refused {
            message: conditions::find(&status.conditions, "ImageValidation").map_or_else(
                || "The boot server refuses the boot configuration".to_owned(),
                |condition| condition.message.clone(),
            ),
        },
        _ => BootView::Pending,
    }
}

/// Makes what is missing. Returns the Server, which references the configuration afterwards.
///
/// # Errors
/// The API server's; a template or token that cannot be made.
pub async fn prepare(context: &Context, server: &Server, purpose: Purpose) -> Result<Server, Error> {
    let name = server.name_any();
    let namespace = context.settings.manager_namespace.clone();
    let epoch = server.tenancy_epoch();
    let configurations: Api<ServerBootConfiguration> = context.api_in(&namespace);
    let secrets: Api<Secret> = context.api_in(&namespace);

    // Live: what a cache does not show may well be there.
    let found = configurations.get_opt(&name).await?;
    let found = match found {
        // A claim in the manager namespace that is named as the server: its tenant boots from this.
        Some(foreign) if !is_own(&foreign) => {
            return Err(Error::Invalid(format!(
                "ServerBootConfiguration {namespace}/{name} exists and does not belong to the operator"
            )));
        }
        Some(stale) if epoch_of(&stale) != Some(epoch) => {
            // Its Secrets go with it unless they are new already.
            make_secrets(context, server, purpose, &secrets).await?;
            delete(&configurations, &stale).await?;
            None
        }
        Some(current) => Some(current),
        None => None,
    };
    let ssh = format!("{name}-ssh");
    make_secrets(context, server, purpose, &secrets).await?;
    let configuration = match found {
        Some(configuration) => configuration,
        None => {
            let new = configuration(context, server, &name, epoch);
            configurations.create(&PostParams::default(), &new).await?
        }
    };
    for secret in [&name, &ssh] {
        adopt(&secrets, secret, &configuration).await?;
    }
    let reference = crds::ObjectReference { namespace, name };
    if server.spec.boot_configuration_ref.as_ref() == Some(&reference) {
        return Ok(server.clone());
    }
    let patch = Change::Boot(Some(reference)).patch(server);
    Ok(context.patch_server(server, patch).await?)
}

/// Both Secrets for this epoch and purpose, made once.
async fn make_secrets(
    context: &Context,
    server: &Server,
    purpose: Purpose,
    secrets: &Api<Secret>,
) -> Result<(), Error> {
    let name = server.name_any();
    let term = Term::of(server);
    let mut complete = true;
    for secret in [name.clone(), format!("{name}-ssh")] {
        let found = secrets.get_opt(&secret).await?;
        complete &= found.is_some_and(|secret| is_made_for(&secret, &term, purpose));
    }
    if complete {
        return Ok(());
    }
    let uuid = SystemUuid::new(server.spec.system_uuid.as_str());
    let token = context.registry.tokens().issue(&uuid, &term, purpose)?;
    let template = context.template.read()?;
    let made = boot_secrets(
        &template,
        &BootSecretsRequest {
            server: &name,
            namespace: &context.settings.manager_namespace,
            system_uuid: server.spec.system_uuid.as_str(),
            term: &term,
            purpose,
            image: &context.options.probe_image,
            registry_url: &context.registry_url,
            token: &token,
            password_hash_cost: context.options.password_hash_cost,
            owner: None,
        },
        &context.seed,
    )?;
    // Without owner: that of an earlier epoch must not take them along when it goes.
    for secret in [made.ssh, made.ignition] {
        let name = secret.name_any();
        let mut content = serde_json::to_value(&secret).map_err(kube::Error::SerdeError)?;
        content["metadata"]["ownerReferences"] = json!(null);
        if secrets.get_opt(&name).await?.is_some() {
            secrets.patch(&name, &parameters(), &Patch::Merge(content)).await?;
        } else {
            secrets.create(&PostParams::default(), &secret).await?;
        }
    }
    Ok(())
}

fn configuration(context: &Context, server: &Server, name: &str, epoch: i64) -> ServerBootConfiguration {
    let mut configuration = ServerBootConfiguration::new(
        name,
        ServerBootConfigurationSpec {
            server_ref: LocalObjectReference::named(server.name_any()),
            image: Some(context.options.probe_os_image.clone()),
            ignition_secret_ref: Some(LocalObjectReference::named(name)),
        },
    );
    configuration.metadata.namespace = Some(context.settings.manager_namespace.clone());
    configuration.annotations_mut().extend([
        (keys::TYPE_ANNOTATION.to_owned(), keys::TYPE_INTERNAL.to_owned()),
        (keys::DEFAULT_OS_IMAGE_ANNOTATION.to_owned(), "true".to_owned()),
        (keys::EPOCH_ANNOTATION.to_owned(), epoch.to_string()),
    ]);
    configuration
}

async fn adopt(secrets: &Api<Secret>, name: &str, owner: &ServerBootConfiguration) -> Result<(), Error> {
    let reference = OwnerReference {
        block_owner_deletion: Some(true),
        ..owner
            .controller_owner_ref(&())
            .ok_or_else(|| Error::Invalid(format!("boot configuration {} has no UID yet", owner.name_any())))?
    };
    let secret = secrets.get(name).await?;
    if secret.owner_references().iter().any(|known| known.uid == reference.uid) {
        return Ok(());
    }
    let patch = json!({ "metadata": {
        "resourceVersion": secret.resource_version(),
        "ownerReferences": [reference],
    } });
    secrets.patch(name, &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Deletes the operator's own boot configuration of a server, whatever epoch it was made for. Its Secrets go with it.
///
/// # Errors
/// The API server's.
pub async fn discard(context: &Context, server: &Server) -> Result<(), Error> {
    let configurations: Api<ServerBootConfiguration> = context.api_in(&context.settings.manager_namespace);
    let Some(configuration) = configurations.get_opt(&server.name_any()).await? else {
        return Ok(());
    };
    if is_own(&configuration) {
        delete(&configurations, &configuration).await?;
    }
    Ok(())
}

/// Whether the operator made it, and not a claim or a user.
pub fn is_own(configuration: &ServerBootConfiguration) -> bool {
    configuration
        .annotations()
        .get(keys::TYPE_ANNOTATION)
        .is_some_and(|type_| type_ == keys::TYPE_INTERNAL)
}

/// Deletes exactly this object, not one that has taken its name since.
pub async fn delete(
    configurations: &Api<ServerBootConfiguration>,
    configuration: &ServerBootConfiguration,
) -> Result<(), Error> {
    let parameters = DeleteParams::default().preconditions(Preconditions {
        uid: configuration.uid(),
        resource_version: None,
    });
    match configurations.delete(&configuration.name_any(), &parameters).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
