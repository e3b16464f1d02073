//! A maintenance that is being deleted, which is how a user ends it. It needs neither the server nor its BMC to go (L5, bugs.md #34, #35):
//! the server gets its reference taken away, and puts the machine back by itself.

use std::time::Duration;

use crds::kinds::server::IndicatorLed;
use crds::{MaintenanceState, Server, ServerClaim, ServerMaintenance, keys};
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::{Map, Value, json};

use super::{GRANTED, boot, claim_of, is_under_way, queue};
use crate::conditions::Wish;
use crate::context::{Context, parameters};
use crate::controllers::{Error, firmware_version, remove_finalizer};
use crate::ownership::reservation::Change;

/// Ends it, step by step; each may be repeated.
///
/// # Errors
/// The API server's.
pub(super) async fn end(
    context: &Context,
    maintenance: &ServerMaintenance,
    server: Option<&Server>,
) -> Result<Duration, Error> {
    let (soon, resync) = (context.settings.resource.interval, context.settings.resync);
    let finalizer = keys::finalizer::SERVER_MAINTENANCE;
    if !maintenance.finalizers().iter().any(|known| known == finalizer) {
        return Ok(resync);
    }
    // What the cache does not show may be there: a server that names a maintenance which is gone would be left in it for a while.
    let name = &maintenance.spec.server_ref.name;
    let live = match server {
        Some(_) => None,
        None => context.api::<Server>().get_opt(name).await?,
    };
    let server = server.or(live.as_ref());
    if let Some(server) = server.filter(|server| is_under_way(maintenance, Some(server))) {
        if let Some(update) = firmware_version::update_under_way(context, maintenance) {
            let api: Api<ServerMaintenance> = context.api_in(&maintenance.namespace().unwrap_or_default());
            let wish = Wish::yes(GRANTED, "FirmwareUpdate", format!("It ends when {update} is done"));
            super::write(context, &api, maintenance, MaintenanceState::InMaintenance, &wish).await?;
            return Ok(soon);
        }
        let mut patch = Change::EndMaintenance.patch(server);
        let lit = maintenance
            .spec
            .locator_led
            .as_ref()
            .filter(|led| !led.as_str().is_empty());
        if lit.is_some() && server.spec.indicator_led.as_ref() == lit {
            patch["spec"]["indicatorLED"] = json!(IndicatorLed::Off);
        }
        context.patch_server(server, patch).await?;
        tracing::info!(server = %server.name_any(), maintenance = %maintenance.name_any(), "maintenance ends");
        return Ok(soon);
    }
    boot::discard(context, maintenance).await?;
    if let Some(server) = server {
        thank(context, maintenance, server).await?;
    }
    let api: Api<ServerMaintenance> = context.api_in(&maintenance.namespace().unwrap_or_default());
    remove_finalizer(&api, maintenance, finalizer).await?;
    Ok(resync)
}

/// Takes the labels off the claim with the last maintenance that they stand for, never earlier (S10).
async fn thank(context: &Context, maintenance: &ServerMaintenance, server: &Server) -> Result<(), Error> {
    let others = queue::objects(context, &context.maintenances.of(&server.name_any()));
    let more = others
        .iter()
        .any(|other| other.uid() != maintenance.uid() && other.metadata.deletion_timestamp.is_none());
    let Some(claim) = claim_of(context, server).filter(|_| !more) else {
        return Ok(());
    };
    let labels = [keys::maintenance::NEEDED_LABEL, keys::maintenance::APPROVED_LABEL];
    let there: Map<String, Value> = labels
        .iter()
        .filter(|label| claim.labels().contains_key(**label))
        .map(|label| ((*label).to_owned(), Value::Null))
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    let patch = json!({ "metadata": { "resourceVersion": claim.resource_version(), "labels": there } });
    let api: Api<ServerClaim> = context.api_in(&claim.namespace().unwrap_or_default());
    api.patch(&claim.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    Ok(())
}
