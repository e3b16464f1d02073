//! The boot configuration of a maintenance: named as the maintenance, owned by it, made from its template.

use crds::{ObjectReference, Server, ServerBootConfiguration, ServerBootConfigurationSpec, ServerMaintenance};
use kube::api::{Api, Patch, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::context::{Context, parameters};
use crate::controllers::Error;
use crate::controllers::server::boot;
use crate::controllers::server::observed::BootView;

/// What the boot server thinks of it; missing also while it is another's, not as the template says, or not referenced by the server.
pub fn boot_view(context: &Context, server: &Server, maintenance: &ServerMaintenance) -> BootView {
    let (namespace, name) = (maintenance.namespace().unwrap_or_default(), maintenance.name_any());
    let found = context.caches.boot_configurations.get_in(&namespace, &name);
    let referenced = server.spec.maintenance_boot_configuration_ref.as_ref();
    match found {
        Some(found)
            if owned(&found, maintenance)
                && found.metadata.deletion_timestamp.is_none()
                && Some(&found.spec) == wanted(maintenance).as_ref()
                && referenced == Some(&ObjectReference { namespace, name }) =>
        {
            boot::view(&found)
        }
        _ => BootView::Missing,
    }
}

/// The template, for the server of the maintenance.
fn wanted(maintenance: &ServerMaintenance) -> Option<ServerBootConfigurationSpec> {
    let template = maintenance.spec.server_boot_configuration_template.as_ref()?;
    Some(ServerBootConfigurationSpec {
        server_ref: maintenance.spec.server_ref.clone(),
        ..template.spec.clone()
    })
}

fn owned(configuration: &ServerBootConfiguration, maintenance: &ServerMaintenance) -> bool {
    let uid = maintenance.metadata.uid.as_ref();
    configuration
        .owner_references()
        .iter()
        .any(|owner| Some(&owner.uid) == uid)
}

/// Makes or updates it, then lets the server reference it.
///
/// # Errors
/// The API server's; [`Error::Invalid`] when somebody else's object has the name.
pub(super) async fn configure(
    context: &Context,
    maintenance: &ServerMaintenance,
    server: &Server,
) -> Result<(), Error> {
    let (namespace, name) = (maintenance.namespace().unwrap_or_default(), maintenance.name_any());
    let Some(spec) = wanted(maintenance) else {
        return Ok(());
    };
    let api: Api<ServerBootConfiguration> = context.api_in(&namespace);
    match api.get_opt(&name).await? {
        None => {
            let mut new = ServerBootConfiguration::new(&name, spec);
            new.metadata.namespace = Some(namespace.clone());
            new.metadata.owner_references = maintenance.controller_owner_ref(&()).map(|owner| vec![owner]);
            api.create(&PostParams::default(), &new).await?;
        }
        Some(found) if !owned(&found, maintenance) => {
            return Err(Error::Invalid(format!(
                "ServerBootConfiguration {namespace}/{name} exists and does not belong to the maintenance of that name"
            )));
        }
        Some(found) if found.spec != spec => {
            // What the template does not say must not stay.
            let patch = json!({
                "metadata": { "resourceVersion": found.resource_version() },
                "spec": {
                    "serverRef": spec.server_ref,
                    "image": spec.image,
                    "ignitionSecretRef": spec.ignition_secret_ref,
                },
            });
            api.patch(&name, &parameters(), &Patch::Merge(patch)).await?;
        }
        Some(_) => {}
    }
    let reference = ObjectReference { namespace, name };
    if server.spec.maintenance_boot_configuration_ref.as_ref() != Some(&reference) {
        let patch = json!({
            "metadata": { "resourceVersion": server.resource_version() },
            "spec": { "maintenanceBootConfigurationRef": reference },
        });
        context.patch_server(server, patch).await?;
    }
    Ok(())
}

/// Deletes it, if it is the maintenance's own.
///
/// # Errors
/// The API server's.
pub(super) async fn discard(context: &Context, maintenance: &ServerMaintenance) -> Result<(), Error> {
    let api: Api<ServerBootConfiguration> = context.api_in(&maintenance.namespace().unwrap_or_default());
    match api.get_opt(&maintenance.name_any()).await? {
        Some(found) if owned(&found, maintenance) => boot::delete(&api, &found).await,
        _ => Ok(()),
    }
}
