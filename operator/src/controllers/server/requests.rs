//! The operation annotation (contract section 5): a request of a user, consumed when it has been sent.

use crds::kinds::server_status::OperationState;
use crds::{Server, keys};

use super::observe::Look;
use crate::bmc::ResetType;
use crate::context::Context;
use crate::controllers::Error;
use crate::events::{Happening, Severity};
use crate::ownership::intent;
use crate::ownership::operation::Operation;
use crate::ownership::reservation::{Change, requested};

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
    let Some(reset) = reset(&request) else {
        let happening = Happening {
            severity: Severity::Warning,
            reason: "UnsupportedOperation",
            action: "ClearOperationAnnotation",
            note: format!("Operation {request} is not supported on a Server and was removed"),
            occurrence: server.metadata.generation.unwrap_or_default(),
        };
        let patch = Change::ClearRequest.patch(server);
        *server = context.patch_server(server, patch).await?;
        context.events.record("server-controller", server, happening).await;
        return Ok(());
    };
    let operation = Operation::Reset(reset);
    let name = operation.to_string();
    let status = server.status.clone().unwrap_or_default();
    let record = status.operation.filter(|record| record.operation == name);
    // On record and the request still there: sent by a pass that did not come to remove it. Not sent twice (S8).
    let sent = record
        .as_ref()
        .is_some_and(|record| record.epoch == server.tenancy_epoch() && record.state == OperationState::Issued);
    if !sent {
        let Some(bmc) = &look.bmc else {
            return Ok(());
        };
        *server = intent::issue(context, &bmc.client, &bmc.system.uri, server, &[], &operation, 1).await?;
        let refused = server.status.as_ref().and_then(|status| status.operation.as_ref());
        if let Some(record) = refused.filter(|record| record.state == OperationState::Failed) {
            let message = record.message.clone().unwrap_or_default();
            return Err(Error::Invalid(format!("{request} was refused by the BMC: {message}")));
        }
    }
    let patch = Change::ClearRequest.patch(server);
    *server = context.patch_server(server, patch).await?;
    // What was read before the reset says nothing about the time after it.
    look.bmc = None;
    Ok(())
}
