//! The Server controller: contract section 3.4 with Cleanup.
//!
//! | module | subject |
//! |---|---|
//! | [`state`] | one pure `decide` per state |
//! | [`observed`], [`decision`] | what it is given, what it answers |
//! | [`power`], [`evidence`], `inventory`, `indicator` | pure parts of decisions |
//! | `observe` | the look at the world: claim first, then BMC |
//! | `perform` | carries a step out |
//! | [`boot`] | the operator's own boot configurations |
//! | `requests` | the operation annotation |
//! | `parked` | a Server whose machine others work on |
//! | `deletion` | a Server that is being deleted |
//! | `duplicate` | several Servers with one UUID |

pub mod boot;
pub mod decision;
mod deletion;
mod duplicate;
pub mod evidence;
mod indicator;
mod inventory;
mod observe;
pub mod observed;
mod parked;
mod perform;
pub mod power;
mod requests;
pub mod state;

pub(in crate::controllers) use observe::find_system;
use observed::Holder;
pub use observed::Settings;
pub use power::BMC_OPERATION;
pub use requests::requested_reset;

use std::sync::Arc;
use std::time::Duration;

use crds::{Server, ServerState, ServerStatus, keys};
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;

use super::{Error, ensure_finalizer, is_ignored, server_readiness_rule};
use crate::conditions::{self, Wish};
use crate::context::{Context, is_conflict, server_key};
use crate::freshness::View;
use crate::metrics::ServerReconciliation;
use crate::ownership::parking;
use crate::sabotage::{self, Bug};

/// Steps of one pass. A pass goes on as long as its steps only write to the API server; this bounds a mistake.
const STEPS_PER_PASS: usize = 12;

/// One pass over one Server.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, server: Arc<Server>) -> Result<Action, Error> {
    let resync = context.settings.resync;
    let soon = context.settings.resource.interval;
    let key = server_key(&server.name_any());
    let view = context
        .own_writes
        .view(&key, server.resource_version().as_deref(), soon);
    let server = match view {
        // Incident 21.
        _ if sabotage::active(Bug::StaleCacheBelieved) => server,
        View::Current => server,
        // The event of our own last write is on its way and brings us back.
        View::Lagging => return Ok(Action::requeue(soon)),
        View::Lost => match Api::<Server>::get_opt(&context.api(), &server.name_any()).await? {
            Some(server) => {
                context.own_writes.wrote(&key, server.resource_version().as_deref());
                Arc::new(server)
            }
            None => return Ok(Action::await_change()),
        },
    };
    if !sabotage::active(Bug::BmcPolledHard)
        && let Some(left) = context
            .turns
            .begin(&server.name_any(), server.resource_version().as_deref())
    {
        return Ok(Action::requeue(left));
    }
    let result = pass(&context, Server::clone(&server)).await;
    match &result {
        Ok(_) => context.metrics.server_reconciled(ServerReconciliation::Success),
        Err(error) if is_stale(error) => {
            context.own_writes.was_stale(&key, server.resource_version().as_deref());
            return Ok(Action::requeue(soon));
        }
        Err(_) => context.metrics.server_reconciled(ServerReconciliation::ErrorReconcile),
    }
    result.map(|pause| match pause.min(at_rest(&context, &server)) {
        // Incidents 30 and 134.
        pause if sabotage::active(Bug::ResyncNeverRuns) && pause == resync => Action::await_change(),
        _ if sabotage::active(Bug::BmcPolledHard) => Action::requeue(Duration::from_secs(1)),
        pause => Action::requeue(pause),
    })
}

/// The interval between two looks at a server where nothing happens: longer where its BMC says so when something does. Only where no
/// deadline runs that a look has to notice.
fn at_rest(context: &Context, server: &Server) -> Duration {
    let resync = context.settings.resync;
    let state = server.status.as_ref().and_then(|status| status.state.as_ref());
    match (&server.spec.bmc_ref, state) {
        (Some(bmc), Some(ServerState::Available | ServerState::Reserved)) => {
            context.event_receiver.resync(&bmc.name, resync)
        }
        _ => resync,
    }
}

/// Somebody else wrote first: not an error, the next look decides anew.
fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Kube(error) if is_conflict(error))
}

async fn pass(context: &Context, mut server: Server) -> Result<Duration, Error> {
    // Also while it is parked: taints are about who may have it, not about the machine.
    if server.metadata.deletion_timestamp.is_none() && !is_ignored(&server) {
        server_readiness_rule::apply(context, &mut server).await?;
    }
    // Also while it is being deleted: others work on the machine.
    if parking::is_parked(&server) && (server.metadata.deletion_timestamp.is_none() || deletion::is_ours(&server)) {
        return match is_ignored(&server) {
            true => Ok(context.settings.resync),
            false => parked::keep(context, &mut server).await,
        };
    }
    if server.metadata.deletion_timestamp.is_some() {
        match deletion::reconcile(context, server).await? {
            deletion::Course::Wait(pause) => return Ok(pause),
            deletion::Course::GoOn(kept) => server = *kept,
        }
    }
    if is_ignored(&server) {
        return Ok(context.settings.resync);
    }
    if let Some(elder) = duplicate::elder(context, &server) {
        let message = format!("Server {elder} has the same system UUID and precedes this one; delete one of them");
        let wish = Wish::yes(duplicate::DUPLICATE_IDENTITY, "SameSystemUUID", message);
        perform::note(context, &mut server, &wish).await?;
        return Ok(context.settings.resync);
    }
    let doubted = |status: &ServerStatus| conditions::is_true(&status.conditions, duplicate::DUPLICATE_IDENTITY);
    if server.status.as_ref().is_some_and(doubted) {
        let wish = Wish::no(
            duplicate::DUPLICATE_IDENTITY,
            "Unique",
            "No other Server has this system UUID",
        );
        perform::note(context, &mut server, &wish).await?;
    }
    // It has its finalizer if it is being deleted, and nobody may add one then.
    if server.metadata.deletion_timestamp.is_none()
        && let Some(with_finalizer) = ensure_finalizer(&context.api(), &server, keys::finalizer::SERVER).await?
    {
        server = with_finalizer;
    }
    let mut look = observe::look(context, &mut server).await?;
    let unfound = |status: &ServerStatus| {
        let condition = conditions::find(&status.conditions, state::HOLDER_FOUND);
        condition.is_some_and(|condition| condition.status == "False")
    };
    if look.holder != Holder::Missing && unfound(&look.status(&server)) {
        let wish = Wish::yes(
            state::HOLDER_FOUND,
            "Settled",
            "The Server names no ServerClaim that is missing",
        );
        look.note(context, &server, &wish);
    }
    requests::handle(context, &mut server, &mut look).await?;
    let saw_bmc = look.bmc.is_some();
    for _ in 0..STEPS_PER_PASS {
        let decision = look.decide(context, &server).await;
        match perform::step(context, &mut server, &mut look, decision).await? {
            perform::Next::Continue => {}
            perform::Next::Later(pause) => return look.finish(pause),
            perform::Next::Settled(pause) => {
                let pause = look.finish(pause)?;
                // Whoever has nothing else to wait for than the next look waits longer where events arrive.
                let pause = match pause >= context.settings.resync {
                    true => at_rest(context, &server),
                    false => pause,
                };
                // Without a look at the BMC there is one to come.
                if saw_bmc {
                    let version = server.resource_version();
                    context.turns.settle(&server.name_any(), version.as_deref(), pause);
                }
                return Ok(pause);
            }
        }
    }
    look.finish(context.settings.resource.interval)
}

/// The boot order a machine should have: as declared, else as found before the first tenant.
pub fn wanted_boot_order(server: &Server) -> Vec<String> {
    let declared = declared_boot_order(server);
    if !declared.is_empty() {
        return declared;
    }
    let status = server.status.as_ref();
    status.map(|status| status.boot_order.clone()).unwrap_or_default()
}

/// Boot devices that `spec.bootOrder` declares, by priority.
pub fn declared_boot_order(server: &Server) -> Vec<String> {
    let mut entries: Vec<_> = server.spec.boot_order.iter().collect();
    entries.sort_by_key(|entry| entry.priority);
    entries.into_iter().map(|entry| entry.device.clone()).collect()
}
