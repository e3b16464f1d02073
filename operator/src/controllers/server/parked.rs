//! A parked Server (contract section 5, "Parking"): no BMC request, no finalizer, no power, no boot order. Only requests are looked at.

use std::time::Duration;

use crds::{Server, ServerState, keys};

use super::{deletion, perform, requests};
use crate::conditions::Wish;
use crate::context::Context;
use crate::controllers::Error;
use crate::events::table;
use crate::ownership::reservation::{Change, requested};

/// Condition on a Server: whether others have its machine.
pub(super) const PARKED: &str = "Parked";

/// One pass over a parked Server.
///
/// # Errors
/// The API server's.
pub(super) async fn keep(context: &Context, server: &mut Server) -> Result<Duration, Error> {
    let resync = context.settings.resync;
    let request = requested(server).map(ToOwned::to_owned);
    match request.as_deref() {
        Some(keys::operation::UNPARK) => {
            perform::change(context, server, &Change::Unpark).await?;
            return Ok(context.settings.resource.interval);
        }
        // It is.
        Some(keys::operation::PARK) => {
            requests::clear(context, server).await?;
        }
        Some(keys::operation::RETRY) | None => {}
        Some(request) if requests::requested_reset(server).is_some() => {
            let note = format!("Operation {request} was removed: the Server is parked, and others work on its machine");
            requests::give_up(context, server, &table::PARKED_OPERATION_DROPPED, note).await?;
        }
        Some(request) => requests::give_up_unsupported(context, server, request).await?,
    }
    if server.metadata.deletion_timestamp.is_some() {
        let message = "Others work on this machine; the Server goes after the operation unpark";
        perform::note(
            context,
            server,
            &Wish::yes(deletion::DELETION_BLOCKED, "Parked", message),
        )
        .await?;
    }
    let state = server.status.as_ref().and_then(|status| status.state.as_ref());
    if state != Some(&ServerState::Parked) {
        let wish = Wish::yes(
            PARKED,
            PARKED,
            "Others work on this machine; the operator leaves it alone",
        );
        perform::enter_because(context, server, ServerState::Parked, &wish).await?;
    }
    Ok(resync)
}
