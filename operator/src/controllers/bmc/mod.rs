//! The BMC controller: contract section 3.3.
//!
//! | module | subject |
//! |---|---|
//! | [`access`] | address, port, scheme and credentials |
//! | `status` | what the manager says, as status. Pure |
//! | `references` | which BMCs name an Endpoint or a BMCSecret |
//! | `dns` | the DNS record by template |
//! | `discovery` | Servers for the systems of a BMC |
//! | `subscriptions` | events that the BMC sends |
//! | `reset` | resets of the BMC itself. The decision is pure |
//! | `ssh_reset` | those that Redfish cannot do any more |

pub mod access;
mod discovery;
mod dns;
mod references;
mod reset;
mod ssh_reset;
mod status;
mod subscriptions;

pub use access::AccessError;
pub use dns::DnsRecords;
pub use references::References;

use std::sync::Arc;
use std::time::Duration;

use crds::kinds::bmc::BMCStatus;
use crds::{BMC, Server, keys};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch};
use kube::runtime::controller::Action;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::bmc::{BmcClient, BmcError, Manager, ReportedPower};
use crate::conditions::{self, Wish};
use crate::context::{Context, is_conflict, is_not_found, parameters};
use crate::events::{Happening, Told, table};
use crate::sabotage::{self, Bug};

/// Who reports events.
const CONTROLLER: &str = "bmc-controller";
/// Condition on a BMC: whether it can be used (contract section 1.11).
pub const READY: &str = "Ready";

/// One pass over one BMC.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, bmc: Arc<BMC>) -> Result<Action, Error> {
    let resync = context.options.controllers.bmc_resync_interval.get();
    match pass(&context, BMC::clone(&bmc)).await {
        Ok(pause) => Ok(Action::requeue(
            pause.min(context.event_receiver.resync(&bmc.name_any(), resync)),
        )),
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        // Incident 31.
        Err(Error::Bmc(BmcError::Unauthorized { .. })) if sabotage::active(Bug::SecretMappedByName) => {
            Ok(Action::await_change())
        }
        Err(error) => Err(error),
    }
}

async fn pass(context: &Context, mut bmc: BMC) -> Result<Duration, Error> {
    let resync = context.options.controllers.bmc_resync_interval.get();
    if bmc.metadata.deletion_timestamp.is_some() {
        return delete(context, &bmc).await;
    }
    if is_ignored(&bmc) {
        return Ok(resync);
    }
    if let Some(with_finalizer) = ensure_finalizer(&context.api(), &bmc, keys::finalizer::BMC).await? {
        bmc = with_finalizer;
    }
    if let Some(pause) = reset::waiting(context, &bmc) {
        return Ok(pause);
    }
    let result = connect(context, &bmc).await;
    // Incident 129.
    if sabotage::active(Bug::ConnectFailurePanics) {
        assert!(!matches!(result, Err(Error::Bmc(_))), "incident 129: no client");
    }
    if let Some(pause) = reset::handle(context, &mut bmc, result.as_ref()).await? {
        return Ok(pause);
    }
    let (client, manager) = match result {
        Ok(connected) => connected,
        Err(error) => {
            let wish = not_ready(&error);
            let old = bmc.status.clone().unwrap_or_default();
            let mut new = old.clone();
            // Texts of errors vary from one attempt to the next; only a new reason is news.
            let known = conditions::find(&old.conditions, READY);
            if known.is_none_or(|known| known.reason != wish.reason || known.status != "False") {
                conditions::set(&mut new.conditions, &wish, context.now());
                write(context, &mut bmc, &old, &new).await?;
                tell(context, &bmc, &table::BMC_NOT_READY, &wish).await;
            }
            return Err(error);
        }
    };
    let old = bmc.status.clone().unwrap_or_default();
    let mut new = old.clone();
    status::write(&mut new, &manager, access::network(context, &bmc).ok());
    let ready = Wish::yes(READY, "Connected", "BMC is connected");
    conditions::set(&mut new.conditions, &ready, context.now());
    reset::complete(&mut new, context.now());
    let back = conditions::find(&old.conditions, READY).is_some_and(|known| known.status == "False");
    write(context, &mut bmc, &old, &new).await?;
    if back {
        tell(context, &bmc, &table::BMC_READY, &ready).await;
    }
    if bmc.spec.bmc_uuid.is_none()
        && let Some(uuid) = manager.uuid.filter(|uuid| !uuid.is_empty())
    {
        let patch = json!({ "metadata": { "resourceVersion": bmc.resource_version() }, "spec": { "bmcUUID": uuid } });
        let api: Api<BMC> = context.api();
        bmc = api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    }
    list(context, &bmc, &client).await?;
    subscriptions::keep(context, &mut bmc, &client).await?;
    // Last: a template that does not fit is no reason not to know the machines.
    dns::apply(context, &bmc).await?;
    Ok(context.event_receiver.resync(&bmc.name_any(), resync))
}

/// Tells of a change of the condition. The same reason again is the same event.
async fn tell(context: &Context, bmc: &BMC, told: &'static Told, wish: &Wish) {
    let digest = Sha256::digest(&wish.reason);
    let mut occurrence = [0; 8];
    occurrence.copy_from_slice(&digest[..8]);
    let happening = Happening {
        told,
        note: wish.message.clone(),
        occurrence: i64::from_be_bytes(occurrence),
    };
    context.events.record(CONTROLLER, bmc, happening).await;
}

/// Discovers, unless it would most probably find what it found the last time: the BMC object is the same, no Server of it is gone, and
/// the time for another listing has not come.
async fn list(context: &Context, bmc: &BMC, client: &BmcClient) -> Result<(), Error> {
    let (name, version) = (bmc.name_any(), bmc.resource_version());
    if context.listings.begin(&name, version.as_deref()).is_some() {
        return Ok(());
    }
    discovery::discover(context, bmc, client).await?;
    let interval = context.options.controllers.bmc_discovery_interval.get();
    context.listings.settle(&name, version.as_deref(), interval);
    Ok(())
}

async fn write(context: &Context, bmc: &mut BMC, old: &BMCStatus, new: &BMCStatus) -> Result<(), Error> {
    if let Some(written) = context.write_status(&context.api(), bmc, old, new).await? {
        *bmc = written;
    }
    Ok(())
}

/// A client, and the manager that this BMC object means. `Ready` is only said after the manager was read: a session that opens
/// proves nothing about what it may read (W18).
async fn connect(context: &Context, bmc: &BMC) -> Result<(BmcClient, Manager), Error> {
    let client = context.bmcs.client(&access::of_bmc(context, bmc)?).await?;
    let managers = client.managers().await?;
    let manager = choose(bmc, managers)?;
    // Incident 114.
    if sabotage::active(Bug::ManagerPowerRequired) && manager.power_state != ReportedPower::On {
        return Err(Error::Invalid(format!("BMC {} is not powered on", bmc.name_any())));
    }
    Ok((client, manager))
}

/// By UUID where the object states one; else the first that looks like a BMC, in the order of resource names (section 9.4).
pub(in crate::controllers) fn choose(bmc: &BMC, managers: Vec<Manager>) -> Result<Manager, Error> {
    let chosen = match bmc.spec.bmc_uuid.as_deref().filter(|uuid| !uuid.is_empty()) {
        Some(uuid) => managers.into_iter().find(|manager| {
            manager
                .uuid
                .as_deref()
                .is_some_and(|known| known.eq_ignore_ascii_case(uuid))
        }),
        None => {
            let console = managers.iter().position(|manager| manager.has_graphical_console);
            managers.into_iter().nth(console.unwrap_or(0))
        }
    };
    chosen.ok_or_else(|| {
        Error::Invalid(match &bmc.spec.bmc_uuid {
            Some(uuid) => format!(
                "no manager with UUID {uuid} answers at the address of BMC {}",
                bmc.name_any()
            ),
            None => format!("BMC {} shows no manager", bmc.name_any()),
        })
    })
}

fn not_ready(error: &Error) -> Wish {
    match error {
        Error::Bmc(error) => Wish::no(READY, error.class().reason(), error.condition_message()),
        error => Wish::no(READY, "UnknownError", format!("BMC connection error: {error}")),
    }
}

/// The Servers of a BMC go first, each in its own time: one that a claim holds keeps the BMC, because without it the machine could never
/// be turned off (S13). Then its session is closed.
async fn delete(context: &Context, bmc: &BMC) -> Result<Duration, Error> {
    let resync = context.options.controllers.bmc_resync_interval.get();
    let name = bmc.name_any();
    let servers: Api<Server> = context.api();
    let mut left = false;
    // Incident 38.
    if sabotage::active(Bug::BmcLeavesFirst) {
        remove_finalizer(&context.api(), bmc, keys::finalizer::BMC).await?;
        return Ok(resync);
    }
    for server in context.board.servers_of(&name) {
        // Live: the last one to be gone is what the finalizer waits for.
        let Some(server) = servers.get_opt(&server).await? else {
            continue;
        };
        if server.spec.bmc_ref.as_ref().map(|reference| reference.name.as_str()) != Some(name.as_str()) {
            continue;
        }
        left = true;
        if server.metadata.deletion_timestamp.is_none() {
            match servers.delete(&server.name_any(), &DeleteParams::default()).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if left {
        return Ok(context.settings.power.interval);
    }
    if let Some(pause) = subscriptions::end(context, bmc).await {
        return Ok(pause);
    }
    if let Ok(access) = access::of_bmc(context, bmc) {
        context.bmcs.forget(&access).await;
    }
    remove_finalizer(&context.api(), bmc, keys::finalizer::BMC).await?;
    Ok(resync)
}
