//! A disruptive BMC operation as an intent: recorded before it is sent, sent once, its outcome read back.

use std::time::Duration;

use crds::kinds::server_cleanup::DriveState;
use crds::kinds::server_status::{OperationIntent, OperationState};
use crds::{Server, ServerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::operation::{Operation, outcome_shows, starts_a_machine};
use super::pacing;
use crate::bmc::{BmcClient, BmcError, BootTarget, Lasting, ResetType, System};
use crate::conditions::{self, Wish, seconds_up};
use crate::context::Context;
use crate::controllers::Error;
use crate::controllers::server::requested_reset;
use crate::identity::SystemUri;
use crate::sabotage::{self, Bug};

/// Condition on a Server that was told to start (contract section 1.11; unlike upstream's it becomes False again, W4).
pub const POWERING_ON: &str = "PoweringOn";

/// Records the operation in `status`, which is written, and sends it. The record is refused when anything about the server has changed since `server` was
/// read: the epoch, the holder, the state, or another operation.
///
/// # Errors
/// The API server's. A refusal by the BMC is no error: it is noted in the record, and decides what happens next.
pub async fn issue(
    context: &Context,
    client: &BmcClient,
    system: &SystemUri,
    server: &Server,
    mut status: ServerStatus,
    operation: &Operation,
    attempt: i32,
) -> Result<Server, Error> {
    let now = context.now();
    let name = operation.to_string();
    let epoch = server.tenancy_epoch();
    status.operation = Some(OperationIntent {
        id: format!("{epoch}-{name}-{}", now.as_millisecond()),
        operation: name.clone(),
        epoch,
        state: OperationState::Issued,
        issued_at: Time(seconds_up(now)),
        attempts: attempt,
        message: None,
    });
    match operation {
        Operation::Reset(ResetType::On) => {
            let wish = Wish::yes(POWERING_ON, "ServerPowerOn", "Server is powering on");
            let wish = wish.observing(server.metadata.generation);
            conditions::set(&mut status.conditions, &wish, now);
        }
        Operation::SecureErase(drive) => {
            let drives = status.cleanup.iter_mut().flat_map(|cleanup| &mut cleanup.drives);
            for evidence in drives.filter(|evidence| evidence.id == drive.as_str()) {
                evidence.state = DriveState::Erasing;
                evidence.started_at = Some(Time(seconds_up(now)));
            }
        }
        _ => {}
    }
    let recorded = context.write_server_status(server, &status).await?;
    // The record is one of this moment; what follows must not outlive the lease under which it was made.
    let timeout = context.options.bmc.bmc_request_timeout.get();
    // Incident 33.
    let in_time = context.leadership.valid_for(timeout) || sabotage::active(Bug::ExLeaderSends);
    if !in_time {
        tracing::warn!(server = %server.name_any(), operation = name, "not sent: the leader lease is about to end");
        return note(
            context,
            &recorded,
            OperationState::Failed,
            Some("the leader lease was about to end".to_owned()),
        )
        .await;
    }
    tracing::info!(server = %server.name_any(), operation = name, epoch, attempt, "sending BMC operation");
    let mut sent = send(client, system, operation).await;
    // Incident 132.
    if sabotage::active(Bug::ResetRepeatedBlindly) && sent.as_ref().is_err_and(BmcError::may_have_been_executed) {
        sent = send(client, system, operation).await;
    }
    match sent {
        Ok(Sent::Accepted) => Ok(recorded),
        Ok(Sent::Done) => note(context, &recorded, OperationState::Observed, None).await,
        Ok(Sent::Erasing(task)) => erasing(context, &recorded, operation, task).await,
        Err(error) if error.may_have_been_executed() => {
            // The record stays: the outcome is read back, or its time runs out, before anything is repeated.
            tracing::warn!(server = %server.name_any(), operation = name, %error, "BMC operation may have been carried out");
            Ok(recorded)
        }
        Err(error) => {
            tracing::warn!(server = %server.name_any(), operation = name, %error, "BMC refused the operation");
            note(context, &recorded, OperationState::Failed, Some(stable_text(&error))).await
        }
    }
}

/// What the BMC answered.
enum Sent {
    /// Taken in; a later read shows the outcome.
    Accepted,
    /// The answer itself is all there is to observe.
    Done,
    /// A drive is being erased under this task, or was erased at once.
    Erasing(Option<crate::identity::TaskUri>),
}

async fn send(client: &BmcClient, system: &SystemUri, operation: &Operation) -> Result<Sent, BmcError> {
    match operation {
        Operation::Reset(reset) => {
            client.reset_system(system, *reset).await?;
            Ok(Sent::Accepted)
        }
        Operation::NetworkBoot => client
            .set_boot_override(system, BootTarget::Pxe, Lasting::Once)
            .await
            .map(|_| Sent::Accepted),
        Operation::LastingBoot(target) => client
            .set_boot_override(system, *target, Lasting::Continuous)
            .await
            .map(|_| Sent::Accepted),
        Operation::ClearBootOverride => client.clear_boot_override(system).await.map(|_| Sent::Accepted),
        Operation::BootOrder(order) => client.set_boot_order(system, order).await.map(|_| Sent::Accepted),
        Operation::ResetBios => client.reset_bios(system).await.map(|()| Sent::Done),
        Operation::SecureErase(drive) => client.secure_erase(drive).await.map(Sent::Erasing),
    }
}

/// Error texts with a running number (a back-off in seconds) would make every attempt look new.
fn stable_text(error: &BmcError) -> String {
    match error {
        BmcError::Unauthorized { .. } => error.condition_message(),
        error => error.to_string(),
    }
}

async fn note(
    context: &Context,
    server: &Server,
    state: OperationState,
    message: Option<String>,
) -> Result<Server, Error> {
    let mut status = server.status.clone().unwrap_or_default();
    if let Some(record) = &mut status.operation {
        record.state = state;
        record.message = message;
    }
    Ok(context.write_server_status(server, &status).await?)
}

async fn erasing(
    context: &Context,
    server: &Server,
    operation: &Operation,
    task: Option<crate::identity::TaskUri>,
) -> Result<Server, Error> {
    let Operation::SecureErase(drive) = operation else {
        return Ok(server.clone());
    };
    let mut status = server.status.clone().unwrap_or_default();
    let drives = status.cleanup.iter_mut().flat_map(|cleanup| &mut cleanup.drives);
    for evidence in drives.filter(|evidence| evidence.id == drive.as_str()) {
        match &task {
            Some(task) => evidence.task_uri = Some(task.as_str().to_owned()),
            None => crate::controllers::server::evidence::erased(evidence, context.now()),
        }
    }
    if let Some(record) = &mut status.operation {
        record.state = OperationState::Observed;
    }
    Ok(context.write_server_status(server, &status).await?)
}

/// Notes in `status` what a fresh read of the system shows about the recorded operation. While a request of a user stands, its
/// record stays as it was sent: it is what keeps the request from being sent twice (S8). Pure.
pub fn settle(server: &Server, system: &System, status: &mut ServerStatus, now: jiff::Timestamp, patience: Duration) {
    let requested = requested_reset(server).map(ResetType::as_str);
    if let Some(record) = &mut status.operation
        && record.state == OperationState::Issued
        && record.epoch == server.tenancy_epoch()
        && requested != Some(record.operation.as_str())
    {
        let shown = match outcome_shows(&record.operation, system) {
            None if record.operation == "BootOrder" => Some(boot_order_shows(server, system)),
            // A restart ends as it began. Off in the midst of it proves nothing, so it keeps its time.
            None if starts_a_machine(&record.operation) => Some(!pacing::start_in_flight(Some(record), now, patience)),
            shown => shown,
        };
        if shown == Some(true) {
            record.state = OperationState::Observed;
            record.message = None;
        }
    }
    if system.power_state == crate::bmc::ReportedPower::On && conditions::is_true(&status.conditions, POWERING_ON) {
        let wish = Wish::no(POWERING_ON, "PoweredOn", "Server is powered on").observing(server.metadata.generation);
        conditions::set(&mut status.conditions, &wish, now);
    }
    let settled = status
        .operation
        .as_ref()
        .is_some_and(|record| record.state == OperationState::Observed);
    let explained = crate::controllers::server::BMC_OPERATION;
    if settled && conditions::find(&status.conditions, explained).is_some_and(|condition| condition.status == "False") {
        let wish = Wish::yes(explained, "Observed", "The BMC carried out the last operation");
        conditions::set(&mut status.conditions, &wish, now);
    }
}

fn boot_order_shows(server: &Server, system: &System) -> bool {
    let wanted = crate::controllers::server::wanted_boot_order(server);
    system.boot.next_order() == Some(wanted.as_slice())
}

#[cfg(test)]
mod tests {
    use crds::keys;

    use super::*;
    use crate::bmc::{Boot, ReportedPower};
    use crate::identity::SystemUuid;

    const PATIENCE: Duration = Duration::from_secs(120);

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    fn system(power_state: ReportedPower) -> System {
        System {
            uri: SystemUri::new("/redfish/v1/Systems/1"),
            uuid: SystemUuid::new("u"),
            manufacturer: None,
            model: None,
            sku: None,
            serial_number: None,
            bios_version: None,
            power_state,
            indicator_led: None,
            total_memory_gib: None,
            boot: Boot::default(),
            boot_progress: None,
            has_override_target: true,
            allowable_resets: None,
        }
    }

    fn issued(operation: &str, attempts: i32) -> OperationIntent {
        OperationIntent {
            id: "1".into(),
            operation: operation.into(),
            epoch: 0,
            state: OperationState::Issued,
            issued_at: Time(at(0)),
            attempts,
            message: None,
        }
    }

    fn settled(operation: &str, request: Option<&str>, power: ReportedPower, second: i64) -> OperationState {
        let mut server = Server::new("a", crds::ServerSpec::default());
        if let Some(request) = request {
            server
                .annotations_mut()
                .insert(keys::OPERATION_ANNOTATION.into(), request.into());
        }
        let mut status = ServerStatus {
            operation: Some(issued(operation, 1)),
            ..ServerStatus::default()
        };
        settle(&server, &system(power), &mut status, at(second), PATIENCE);
        status.operation.unwrap().state
    }

    #[test]
    fn what_was_without_effect_and_shows_at_last_is_told() {
        let explained = crate::controllers::server::BMC_OPERATION;
        for (operation, before, expected) in [
            ("ForceOff", Some("False"), Some("True")),
            ("ForceOff", None, None),
            ("On", Some("False"), Some("False")),
        ] {
            let server = Server::new("a", crds::ServerSpec::default());
            let mut status = ServerStatus {
                operation: Some(issued(operation, 3)),
                ..ServerStatus::default()
            };
            if before.is_some() {
                conditions::set(&mut status.conditions, &Wish::no(explained, "NoEffect", ""), at(0));
            }
            settle(&server, &system(ReportedPower::Off), &mut status, at(1), PATIENCE);
            let condition = conditions::find(&status.conditions, explained);
            assert_eq!(
                condition.map(|condition| condition.status.as_str()),
                expected,
                "{operation}"
            );
        }
    }

    #[test]
    fn a_boot_order_is_settled_by_itself() {
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.status.get_or_insert_default().boot_order = vec!["Boot0001".into()];
        let mut system = system(ReportedPower::Off);
        for (order, expected) in [
            ("Boot0002", OperationState::Issued),
            ("Boot0001", OperationState::Observed),
        ] {
            system.boot.boot_order = Some(vec![order.into()]);
            let mut status = server.status.clone().unwrap();
            status.operation = Some(issued("BootOrder", 1));
            settle(&server, &system, &mut status, at(1), PATIENCE);
            assert_eq!(status.operation.unwrap().state, expected, "{order}");
        }
    }

    #[test]
    fn a_record_is_settled_once_its_request_is_gone() {
        use OperationState::{Issued, Observed};
        use ReportedPower::{Off, On};
        for (operation, request, power, second, expected) in [
            ("ForceOff", None, Off, 1, Observed),
            ("ForceOff", None, On, 1, Issued),
            ("ForceOff", Some("force-off-server"), Off, 1, Issued),
            ("ForceOff", Some("hard-restart-server"), Off, 1, Observed),
            ("ForceRestart", Some("hard-restart-server"), On, 500, Issued),
            ("ForceRestart", None, On, 60, Issued),
            ("ForceRestart", None, On, 120, Observed),
            ("PowerCycle", None, Off, 60, Issued),
        ] {
            let state = settled(operation, request, power, second);
            assert_eq!(state, expected, "{operation} {request:?} {power:?} at {second}");
        }
    }
}
