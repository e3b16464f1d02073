//! The operation annotation (contract section 5): a request of a user, consumed when it has been sent.

use crds::kinds::server_status::OperationState;
use crds::{Server, ServerState, keys};

use super::observe::Look;
use super::observed::Holder;
use super::parked::PARKED;
use super::perform;
use crate::bmc::ResetType;
use crate::conditions::{self, Wish};
use crate::context::Context;
use crate::controllers::Error;
use crate::events::{Happening, Told, table};
use crate::ownership::intent;
use crate::ownership::operation::Operation;
use crate::ownership::pacing::{self, EXPLAIN_AFTER};
use crate::ownership::parking;
use crate::ownership::reservation::{Change, requested};

/// Why a server that is to be parked is not.
const DEFERRED: &str = "ParkDeferred";

/// The reset that the annotation of a Server asks for.
pub fn requested_reset(server: &Server) -> Option<ResetType> {
    reset(requested(server)?)
}

/// The reset that a value asks for.
fn reset(request: &str) -> Option<ResetType> {
    Some(match request {
        "graceful-restart-server" => ResetType::GracefulRestart,
        "hard-restart-server" => ResetType::ForceRestart,
        "power-cycle-server" => ResetType::PowerCycle,
        "force-off-server" => ResetType::ForceOff,
        "force-on-server" => ResetType::ForceOn,
        _ => return None,
    })
}

/// Sends what was asked for and removes the request; tells about requests that mean nothing here. `ignore` and `retry` are
/// others' business.
///
/// # Errors
/// See [`Error`].
pub(super) async fn handle(context: &Context, server: &mut Server, look: &mut Look) -> Result<(), Error> {
    let Some(request) = requested(server).map(ToOwned::to_owned) else {
        return Ok(());
    };
    if request == keys::operation::RETRY || request == keys::operation::IGNORE {
        return Ok(());
    }
    if parking::is_to_be_parked(server) {
        return defer_parking(context, server, look).await;
    }
    look.record(context, server).await?;
    // It is not parked.
    if request == keys::operation::UNPARK {
        return clear(context, server).await;
    }
    let Some(reset) = reset(&request) else {
        return give_up_unsupported(context, server, &request).await;
    };
    let operation = Operation::Reset(reset);
    let name = operation.to_string();
    let status = server.status.clone().unwrap_or_default();
    // Elsewhere the machine is the operator's own (discovery, cleanup) or has to stay off: the request waits until it is not.
    if !matches!(status.state, Some(ServerState::Available | ServerState::Reserved)) {
        return Ok(());
    }
    let (epoch, pace) = (server.tenancy_epoch(), &context.settings.resource);
    let record = status.operation.as_ref().filter(|record| record.epoch == epoch);
    // What was sent a moment ago has its time: its record must not be replaced before its outcome shows.
    let others = record.filter(|record| record.operation != name);
    if others.is_some_and(|record| pacing::in_flight(record, context.now(), context.settings.power.patience)) {
        return Ok(());
    }
    let record = record.filter(|record| record.operation == name);
    // On record and the request still there: sent by a pass that did not come to remove it. Not sent twice (S8).
    let sent = record.is_some_and(|record| record.state == OperationState::Issued);
    if !sent {
        let Some(bmc) = &look.bmc else {
            return Ok(());
        };
        let refused = record.filter(|record| record.state == OperationState::Failed);
        if let Some(record) = refused.filter(|record| record.attempts >= EXPLAIN_AFTER) {
            let said = record.message.as_deref().unwrap_or("no reason given");
            let note = format!("Operation {request} was refused by the BMC and was removed: {said}");
            return give_up(context, server, &table::OPERATION_REFUSED, note).await;
        }
        // What is refused is tried a few times, and holds nothing else up meanwhile: the machine may be off, and about to be started.
        let pacing::Verdict::Send { attempt } =
            pacing::next(&name, status.operation.as_ref(), epoch, context.now(), pace)
        else {
            return Ok(());
        };
        *server = intent::issue(
            context,
            &bmc.client,
            &bmc.system.uri,
            server,
            status,
            &operation,
            attempt,
        )
        .await?;
        let record = server.status.as_ref().and_then(|status| status.operation.as_ref());
        if record.is_some_and(|record| record.state == OperationState::Failed) {
            return Ok(());
        }
    }
    clear(context, server).await?;
    // What was read before the reset says nothing about the time after it.
    look.bmc = None;
    Ok(())
}

/// A machine that the operator itself works on is handed over later, which is said once.
async fn defer_parking(context: &Context, server: &Server, look: &mut Look) -> Result<(), Error> {
    let status = look.status(server);
    let ready = match status.state {
        Some(ServerState::Available) => true,
        Some(ServerState::Reserved) => matches!(look.holder, Holder::Claim { .. }),
        _ => false,
    };
    let known = conditions::find(&status.conditions, PARKED).is_some_and(|condition| condition.reason == DEFERRED);
    if ready || known {
        return Ok(());
    }
    let state = status.state.as_ref().map_or("none", ServerState::as_str);
    let note = format!("The Server is in state {state}; it is parked when it is Available, or Reserved by a claim");
    // First: a crash in between may repeat it, which changes nothing, and must not swallow it.
    perform::tell(
        context,
        server,
        &table::PARK_DEFERRED,
        note.clone(),
        server.tenancy_epoch(),
    )
    .await;
    look.note(context, server, &Wish::no(PARKED, DEFERRED, note));
    Ok(())
}

/// Removes the request, and tells why.
pub(super) async fn give_up(
    context: &Context,
    server: &mut Server,
    told: &'static Told,
    note: String,
) -> Result<(), Error> {
    let happening = Happening {
        told,
        note,
        occurrence: server.metadata.generation.unwrap_or_default(),
    };
    // First: a crash in between may repeat it, which changes nothing, and must not swallow it.
    context.events.record(perform::CONTROLLER, server, happening).await;
    clear(context, server).await
}

/// Removes a request that means nothing on a Server.
pub(super) async fn give_up_unsupported(context: &Context, server: &mut Server, request: &str) -> Result<(), Error> {
    let note = format!("Operation {request} is not supported on a Server and was removed");
    give_up(context, server, &table::UNSUPPORTED_OPERATION, note).await
}

/// Removes the request.
pub(super) async fn clear(context: &Context, server: &mut Server) -> Result<(), Error> {
    let patch = Change::ClearRequest.patch(server);
    *server = context.patch_server(server, patch).await?;
    Ok(())
}
