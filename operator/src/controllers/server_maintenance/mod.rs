//! The ServerMaintenance controller: contract section 4.2. It decides who gets a server when, and asks its owner; what is done to the
//! machine is the Server controller's business.
//!
//! | module | subject |
//! |---|---|
//! | [`decision`] | what a maintenance needs next |
//! | [`queue`] | who waits for which server, and in which order |
//! | `boot` | the boot configuration of a maintenance |
//! | `ending` | a maintenance that is being deleted |

mod boot;
pub mod decision;
mod ending;
pub mod queue;

pub use boot::boot_view;
pub use queue::{Queue, is_queued};

use std::sync::Arc;
use std::time::Duration;

use crds::{MaintenanceState, Server, ServerClaim, ServerMaintenance, ServerMaintenanceStatus, keys};
use kube::ResourceExt;
use kube::api::{Api, Patch};
use kube::runtime::controller::Action;
use serde_json::json;

use self::decision::{Owner, Seen, Step};
use super::{Error, ensure_finalizer, is_ignored};
use crate::conditions::{self, Wish};
use crate::context::{Context, is_conflict, parameters};
use crate::events::{Happening, table};
use crate::ownership::maintenance::{has, reference};
use crate::ownership::reservation::{Change, Tenancy};

/// Condition on a ServerMaintenance: whether it has its server, or what it waits for.
pub const GRANTED: &str = "Granted";

const CONTROLLER: &str = "servermaintenance-controller";

/// One pass over one ServerMaintenance.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, maintenance: Arc<ServerMaintenance>) -> Result<Action, Error> {
    match pass(&context, &maintenance).await {
        Ok(pause) => Ok(Action::requeue(pause.min(context.settings.resync))),
        // Somebody else wrote first; its event brings us back, or time does.
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        Err(error) => Err(error),
    }
}

async fn pass(context: &Context, maintenance: &ServerMaintenance) -> Result<Duration, Error> {
    let (soon, resync) = (context.settings.resource.interval, context.settings.resync);
    let server = context.caches.servers.get(&maintenance.spec.server_ref.name);
    if maintenance.metadata.deletion_timestamp.is_some() {
        return ending::end(context, maintenance, server.as_deref()).await;
    }
    if is_ignored(maintenance) {
        return Ok(resync);
    }
    let namespace = maintenance.namespace().unwrap_or_default();
    let api: Api<ServerMaintenance> = context.api_in(&namespace);
    // The event of the finalizer brings us back.
    if ensure_finalizer(&api, maintenance, keys::finalizer::SERVER_MAINTENANCE)
        .await?
        .is_some()
    {
        return Ok(soon);
    }
    let claim = server.as_deref().and_then(|server| claim_of(context, server));
    let others = context.maintenances.of(&maintenance.spec.server_ref.name);
    let others = queue::objects(context, &others);
    let seen = Seen {
        maintenance,
        server: server.as_deref(),
        owner: server
            .as_deref()
            .map_or(Owner::Nobody, |server| owner(server, claim.as_deref())),
        others: &others,
        boot: server
            .as_deref()
            .map(|server| boot::boot_view(context, server, maintenance)),
    };
    let decision = decision::decide(&seen);
    write(context, &api, maintenance, decision.state, &decision.wish).await?;
    let Some(server) = server.as_deref() else {
        return Ok(resync);
    };
    match decision.step {
        Step::Wait => Ok(resync),
        Step::Ask => {
            if let Some(claim) = &claim {
                ask(context, claim).await?;
            }
            Ok(resync)
        }
        Step::Grant => {
            // An approval that was taken back counts no more, whatever the cache shows (S10).
            if let Some(claim) = &claim
                && !still_agrees(context, maintenance, claim).await?
            {
                return Ok(soon);
            }
            let change = Change::BeginMaintenance(reference(maintenance));
            context.patch_server(server, change.patch(server)).await?;
            tracing::info!(server = %server.name_any(), maintenance = %maintenance.name_any(), %namespace, "maintenance begins");
            let happening = Happening {
                told: &table::MAINTENANCE_BEGAN,
                note: format!("The maintenance has Server {}", server.name_any()),
                occurrence: context.now().as_second(),
            };
            context.events.record(CONTROLLER, maintenance, happening).await;
            Ok(soon)
        }
        Step::Configure => {
            boot::configure(context, maintenance, server).await?;
            Ok(soon)
        }
        Step::Light(led) => {
            let patch = json!({
                "metadata": { "resourceVersion": server.resource_version() },
                "spec": { "indicatorLED": led },
            });
            context.patch_server(server, patch).await?;
            Ok(resync)
        }
    }
}

/// The live claim that holds the server, by UID.
fn claim_of(context: &Context, server: &Server) -> Option<Arc<ServerClaim>> {
    let reference = server.spec.server_claim_ref.as_ref()?;
    let claim = context.caches.claims.get_in(&reference.namespace, &reference.name)?;
    let same = reference.uid.is_some() && claim.uid() == reference.uid;
    (same && claim.metadata.deletion_timestamp.is_none()).then_some(claim)
}

/// Whom to ask. Whose claim is not there (yet) may still be leaving: nobody is asked, and nothing begins (S6, bugs.md #6).
fn owner<'a>(server: &Server, claim: Option<&'a ServerClaim>) -> Owner<'a> {
    match (Tenancy::of(server), claim) {
        (Tenancy::Free | Tenancy::Residue { released: true }, _) => Owner::Nobody,
        (Tenancy::Held, Some(claim)) => Owner::Claim(claim),
        _ => Owner::Leaving,
    }
}

/// Whether the owner agrees by a live read.
async fn still_agrees(context: &Context, maintenance: &ServerMaintenance, claim: &ServerClaim) -> Result<bool, Error> {
    let api: Api<ServerClaim> = context.api_in(&claim.namespace().unwrap_or_default());
    let live = api.get_opt(&claim.name_any()).await?;
    Ok(live.is_some_and(|live| {
        let same = live.uid() == claim.uid() && live.metadata.deletion_timestamp.is_none();
        same && decision::may_begin(maintenance, &Owner::Claim(&live))
    }))
}

/// Labels the claim, so that its owner sees that somebody waits.
async fn ask(context: &Context, claim: &ServerClaim) -> Result<(), Error> {
    if claim.labels().contains_key(keys::maintenance::NEEDED_LABEL) {
        return Ok(());
    }
    let patch = json!({ "metadata": {
        "resourceVersion": claim.resource_version(),
        "labels": { keys::maintenance::NEEDED_LABEL: "true" },
    } });
    let api: Api<ServerClaim> = context.api_in(&claim.namespace().unwrap_or_default());
    api.patch(&claim.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Writes state and condition, where they change.
async fn write(
    context: &Context,
    api: &Api<ServerMaintenance>,
    maintenance: &ServerMaintenance,
    state: MaintenanceState,
    wish: &Wish,
) -> Result<(), Error> {
    let old = maintenance.status.clone().unwrap_or_default();
    let mut new = ServerMaintenanceStatus {
        state: Some(state),
        ..old.clone()
    };
    conditions::set(&mut new.conditions, wish, context.now());
    context.write_status(api, maintenance, &old, &new).await?;
    Ok(())
}

/// Whether the maintenance has a server that says so.
fn is_under_way(maintenance: &ServerMaintenance, server: Option<&Server>) -> bool {
    server.is_some_and(|server| has(maintenance, server))
}
