//! Carries a step out. Every write has a precondition; a crash between two writes leaves a state that the next pass understands.

use std::time::Duration;

use crds::kinds::server_status::OperationState;
use crds::{Server, ServerState, ServerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::decision::{Decision, Step};
use super::observe::{Look, live_holder};
use super::observed::{HARDWARE_CHANGED, Holder};
use super::{boot, indicator, inventory};
use crate::bmc::{BmcError, ReportedPower, ResetType};
use crate::conditions::{self, Wish, seconds};
use crate::context::Context;
use crate::controllers::Error;
use crate::events::{Happening, Told, table};
use crate::identity::SystemUuid;
use crate::ownership::operation::Operation;
use crate::ownership::reservation::{Change, Tenancy};
use crate::ownership::{intent, pacing};
use crate::registry::Term;
use crate::sabotage::{self, Bug};

/// Who events are from (contract section 1.11).
pub(super) const CONTROLLER: &str = "server-controller";

/// What follows a step.
pub(super) enum Next {
    /// The server has changed: decide again.
    Continue,
    /// The pass ends; look again after this time at the latest, or when the event of what was written comes.
    Later(Duration),
    /// The pass ends, and only time or somebody else can bring news.
    Settled(Duration),
}

/// Carries out one step.
///
/// # Errors
/// See [`Error`].
pub(super) async fn step(
    context: &Context,
    server: &mut Server,
    look: &mut Look,
    decision: Decision,
) -> Result<Next, Error> {
    let Decision { step, conditions } = decision;
    let mut status = look.hand_over(server);
    let now = context.now();
    for wish in &conditions {
        conditions::set(&mut status.conditions, wish, now);
    }
    match step {
        Step::Rest => {
            write(context, server, &status).await?;
            idle(context, server, look).await
        }
        Step::Wait(pause) => {
            write(context, server, &status).await?;
            Ok(Next::Settled(pause))
        }
        Step::Enter(state) => enter(context, server, status, state).await,
        Step::AcceptRegistration => {
            let uuid = SystemUuid::new(server.spec.system_uuid.as_str());
            if let Some(registration) = context.registry.registration(&uuid, &Term::of(server)) {
                let hardware = registration.hardware();
                status.network_interfaces = inventory::network_interfaces(&hardware);
                status.drives = hardware.drives;
            }
            status.discovery_attempts = None;
            if conditions::is_true(&status.conditions, HARDWARE_CHANGED) {
                let wish = Wish::no(
                    HARDWARE_CHANGED,
                    "Discovered",
                    "The probe has seen the machine as it is",
                );
                conditions::set(&mut status.conditions, &wish, now);
            }
            let next = enter(context, server, status, ServerState::Available).await?;
            // Incident 142.
            if !sabotage::active(Bug::StaleRegistrationAccepted) {
                context.registry.forget(&uuid);
            }
            Ok(next)
        }
        Step::RestartDiscovery => {
            status.discovery_attempts = Some(status.discovery_attempts.unwrap_or(0).saturating_add(1));
            // First the epoch: a probe that is late must not find its discovery still open.
            let patch = Change::EndDiscovery.patch(server);
            *server = context.patch_server(server, patch).await?;
            enter(context, server, status, ServerState::Initial).await
        }
        Step::RecordInventory => {
            // Whatever becomes of the inventory.
            write(context, server, &status).await?;
            let Some(bmc) = &look.bmc else {
                return Ok(Next::Later(context.settings.resync));
            };
            let found = bmc.client.inventory(&bmc.system.uri).await?;
            let before = status.clone();
            inventory::write(&mut status, &bmc.system, &found);
            // Nobody holds the machine and nothing of a tenant is on it: this is the order to come back to.
            if Tenancy::of(server) == Tenancy::Free {
                status.boot_order = bmc.system.boot.boot_order.clone().unwrap_or_default();
            }
            // The probe will look at it anew where it comes next.
            let others = matches!(before.state, Some(ServerState::Maintenance | ServerState::Parked));
            if others && before.inventory_time.is_some() && inventory::tells_of_other_hardware(&before, &status) {
                let wish = Wish::yes(
                    HARDWARE_CHANGED,
                    "FoundOtherHardware",
                    "Others have changed the machine since the probe saw it",
                );
                conditions::set(&mut status.conditions, &wish, context.now());
            }
            status.inventory_time = Some(Time(seconds(context.now())));
            write(context, server, &status).await?;
            Ok(Next::Continue)
        }
        Step::Change(change) => {
            write(context, server, &status).await?;
            self::change(context, server, &change).await?;
            // What the look was about is over: the next pass looks anew.
            Ok(if matches!(change, Change::Park | Change::EndMaintenance) {
                Next::Later(Duration::ZERO)
            } else {
                Next::Continue
            })
        }
        Step::Send { operation, attempt } => send(context, server, look, status, &operation, attempt).await,
        Step::PrepareBoot(purpose) => {
            write(context, server, &status).await?;
            *server = boot::prepare(context, server, purpose).await?;
            // Whether the boot server accepts it is told by an event.
            Ok(Next::Later(context.settings.resource.interval))
        }
        Step::DiscardBoot => {
            write(context, server, &status).await?;
            boot::discard(context, server).await?;
            Ok(Next::Later(context.settings.resource.interval))
        }
        Step::RecordCleanup(cleanup) => {
            status.cleanup = Some(*cleanup);
            write(context, server, &status).await?;
            Ok(Next::Continue)
        }
        Step::FailCleanup { cleanup, reason } => {
            let note = cleanup.message.clone().unwrap_or(reason);
            status.cleanup = Some(*cleanup);
            let happening = Happening {
                told: &table::CLEANUP_FAILED,
                note,
                occurrence: server.tenancy_epoch(),
            };
            // First: a crash in between may repeat it, which changes nothing, and must not swallow it.
            context.events.record(CONTROLLER, server, happening).await;
            enter(context, server, status, ServerState::Error).await
        }
    }
}

/// Writes a change of holder, or of another part of spec.
///
/// # Errors
/// The API server's.
pub(super) async fn change(context: &Context, server: &mut Server, change: &Change) -> Result<(), Error> {
    let patch = change.patch(server);
    *server = context.patch_server(server, patch).await?;
    tracing::info!(server = %server.name_any(), epoch = server.tenancy_epoch(), ?change, "server changed");
    let (told, note) = match change {
        Change::Park => (&table::PARKED, "The machine is off, and others may work on it"),
        Change::Unpark => (&table::UNPARKING, "The operator takes the machine back"),
        _ => return Ok(()),
    };
    let now = context.now().as_second();
    tell(context, server, told, note.to_owned(), now).await;
    Ok(())
}

/// Tells what has happened. What has the same `occurrence` is told once.
pub(super) async fn tell(context: &Context, server: &Server, told: &'static Told, note: String, occurrence: i64) {
    let happening = Happening { told, note, occurrence };
    context.events.record(CONTROLLER, server, happening).await;
}

async fn write(context: &Context, server: &mut Server, status: &ServerStatus) -> Result<(), Error> {
    *server = context.write_server_status(server, status).await?;
    Ok(())
}

async fn enter(
    context: &Context,
    server: &mut Server,
    mut status: ServerStatus,
    state: ServerState,
) -> Result<Next, Error> {
    let now = context.now();
    let left = status.state.replace(state.clone());
    let since = status.state_since.replace(Time(seconds(now)));
    write(context, server, &status).await?;
    let from = left.as_ref().map_or("none", ServerState::as_str);
    tracing::info!(server = %server.name_any(), from, to = %state, epoch = server.tenancy_epoch(), "server state");
    if let (Some(left), Some(since)) = (&left, since) {
        let stayed = Duration::try_from(now.duration_since(since.0)).unwrap_or_default();
        context.metrics.state_left(left.as_str(), stayed);
    }
    let note = format!("Server state changed from {from} to {state}");
    // A tenancy may see any number of parkings and maintenances.
    let (told, occurrence) = match (&left, &state) {
        (_, ServerState::Parked) => (&table::STATE_CHANGED, context.now().as_second()),
        (Some(ServerState::Parked), _) => (&table::RESUMED, context.now().as_second()),
        (_, ServerState::Maintenance) | (Some(ServerState::Maintenance), _) => {
            (&table::STATE_CHANGED, context.now().as_second())
        }
        (_, ServerState::Error) => (&table::FAILED, server.tenancy_epoch()),
        _ => (&table::STATE_CHANGED, server.tenancy_epoch()),
    };
    tell(context, server, told, note, occurrence).await;
    Ok(Next::Continue)
}

/// Enters a state that no decision about the machine leads to.
///
/// # Errors
/// The API server's.
pub(super) async fn enter_because(
    context: &Context,
    server: &mut Server,
    state: ServerState,
    wish: &Wish,
) -> Result<(), Error> {
    let mut status = server.status.clone().unwrap_or_default();
    conditions::set(&mut status.conditions, wish, context.now());
    enter(context, server, status, state).await.map(drop)
}

async fn send(
    context: &Context,
    server: &mut Server,
    look: &Look,
    status: ServerStatus,
    operation: &Operation,
    attempt: i32,
) -> Result<Next, Error> {
    let Some(bmc) = &look.bmc else {
        write(context, server, &status).await?;
        return Ok(Next::Later(context.settings.resync));
    };
    // A cache may show a claim that is on its way out; its machine must not be started for it.
    if matches!(look.holder, Holder::Claim { .. })
        && matches!(operation, Operation::Reset(ResetType::On) | Operation::NetworkBoot)
        && !matches!(live_holder(context, server).await?, Holder::Claim { .. })
    {
        write(context, server, &status).await?;
        return Ok(Next::Later(Duration::ZERO));
    }
    *server = intent::issue(
        context,
        &bmc.client,
        &bmc.system.uri,
        server,
        status,
        operation,
        attempt,
    )
    .await?;
    // Incident 149.
    if sabotage::active(Bug::WorkerWaitsForPower) && matches!(operation, Operation::Reset(_)) {
        tokio::time::sleep(context.settings.power.patience).await;
    }
    let record = server.status.as_ref().and_then(|status| status.operation.as_ref());
    let sent = record.is_some_and(|record| record.state == OperationState::Issued);
    Ok(match operation {
        // Machines take their time.
        Operation::Reset(_) if sent => Next::Settled(context.settings.power.interval),
        Operation::Reset(_) => Next::Later(context.settings.power.interval),
        // Settings can be read back at once; the event of the record brings us here.
        _ => Next::Later(context.settings.resource.interval),
    })
}

/// Nothing to do for the state: indicator and declared boot order.
async fn idle(context: &Context, server: &mut Server, look: &Look) -> Result<Next, Error> {
    let resync = context.settings.resync;
    let state = server.status.as_ref().and_then(|status| status.state.clone());
    let (Some(bmc), Some(ServerState::Available | ServerState::Reserved | ServerState::Maintenance)) =
        (&look.bmc, &state)
    else {
        return Ok(Next::Later(resync));
    };
    match indicator::decide(server, bmc.system.indicator_led.as_deref()) {
        indicator::Verdict::Nothing => {}
        indicator::Verdict::Settled(wish) => note(context, server, &wish).await?,
        indicator::Verdict::Set(led, mut wish) => {
            match bmc.client.set_indicator_led(&bmc.system.uri, led).await {
                Ok(()) => {}
                // It would say the same again.
                Err(error @ (BmcError::Http { .. } | BmcError::Unsupported { .. })) => {
                    tracing::warn!(server = %server.name_any(), %error, "the indicator LED was not changed");
                    wish.reason = "Refused".to_owned();
                }
                Err(error) => return Err(error.into()),
            }
            note(context, server, &wish).await?;
            return Ok(Next::Later(context.settings.resource.interval));
        }
    }
    let order = super::declared_boot_order(server);
    let known = bmc.system.boot.next_order();
    // Never while it starts: BMCs refuse boot settings during POST (bugs.md #67).
    let settled = matches!(bmc.system.power_state, ReportedPower::On | ReportedPower::Off);
    // Incident 65.
    let unlike = known.is_some_and(|known| known != order || sabotage::active(Bug::BootOrderRewritten));
    if !order.is_empty() && settled && unlike && state != Some(ServerState::Maintenance) {
        let operation = Operation::BootOrder(order);
        let status = server.status.clone().unwrap_or_default();
        let name = operation.to_string();
        let pace = &context.settings.resource;
        return match pacing::next(
            &name,
            status.operation.as_ref(),
            server.tenancy_epoch(),
            context.now(),
            pace,
        ) {
            pacing::Verdict::Send { attempt } => send(context, server, look, status, &operation, attempt).await,
            pacing::Verdict::Wait(pause) => Ok(Next::Later(pause)),
        };
    }
    Ok(Next::Settled(resync))
}

/// Writes one condition.
///
/// # Errors
/// The API server's.
pub(super) async fn note(context: &Context, server: &mut Server, wish: &Wish) -> Result<(), Error> {
    let mut status = server.status.clone().unwrap_or_default();
    conditions::set(&mut status.conditions, wish, context.now());
    write(context, server, &status).await
}
