//! Reaching a power state and a boot override, one recorded operation at a time. Pure.

use std::time::Duration;

use crds::kinds::server_status::{OperationIntent, OperationState};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::bmc::{ReportedPower, ResetType};
use crate::conditions::Wish;
use crate::ownership::operation::{Operation, boots_from_network_once};
use crate::ownership::pacing::{self, EXPLAIN_AFTER, Pace, Verdict};
use crate::sabotage::{self, Bug};

use super::decision::{Decision, Step};
use super::observed::Observed;

/// Condition on a Server whose BMC does not do what it is asked to.
pub const BMC_OPERATION: &str = "BMCOperation";

/// How hard the machine is turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Ask the operating system, again and again.
    Never,
    /// Ask first; pull the plug when it does not obey in time.
    AfterAsking,
    /// Nothing of value runs there.
    AtOnce,
}

/// How much longer the BMC has to say Off until it is believed. BMCs say so for some seconds while the operating system still shuts
/// down, and after they have started themselves (docs/found-by-simulation.md).
pub(super) fn off_unconfirmed(since: Option<&Time>, now: Timestamp, confirmation: Duration) -> Option<Duration> {
    let since = since.map_or(now, |time| time.0);
    let confirmed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    confirmation.checked_sub(confirmed).filter(|left| !left.is_zero())
}

/// `None` once the machine is proven off: by a read of this pass and those before it, with no start on its way.
pub fn off(observed: &Observed<'_>, force: Force) -> Option<Decision> {
    let pace = &observed.settings.power;
    let record = observed.status().operation.as_ref();
    match observed.power() {
        ReportedPower::Off if pacing::start_in_flight(record, observed.now, pace.patience) => {
            return Some(Step::Wait(pace.interval).into());
        }
        ReportedPower::Off => {
            let since = observed.status().power_state_since.as_ref();
            let left = off_unconfirmed(since, observed.now, observed.settings.off_confirmation)?;
            return Some(Step::Wait(left.min(pace.interval)).into());
        }
        // Neither proves that the machine is off nor that it needs to be turned off (bugs.md #51).
        ReportedPower::Unknown => return Some(Step::Wait(pace.interval).into()),
        _ => {}
    }
    let ask = Operation::Reset(ResetType::GracefulShutdown);
    let pull = Operation::Reset(ResetType::ForceOff);
    let epoch = observed.epoch();
    let tried = |operation: &Operation| {
        record.is_some_and(|record| record.epoch == epoch && record.operation == operation.to_string())
    };
    let operation = match force {
        Force::AtOnce => pull,
        // Incident 49.
        _ if sabotage::active(Bug::GracefulPowerOffOnly) => ask,
        _ if tried(&pull) => pull,
        Force::AfterAsking if tried(&ask) && asked_in_vain(observed) => pull,
        _ => ask,
    };
    Some(send(observed, operation, pace))
}

/// The shutdown that was asked for had its time, or was refused.
fn asked_in_vain(observed: &Observed<'_>) -> bool {
    let pace = &observed.settings.power;
    let name = ResetType::GracefulShutdown.as_str();
    let record = observed.status().operation.as_ref();
    match pacing::next(name, record, observed.epoch(), observed.now, pace) {
        Verdict::Send { attempt } => attempt > 1,
        Verdict::Wait(_) => record.is_some_and(|record| record.state == OperationState::Failed),
    }
}

/// `None` once the machine is running.
pub fn on(observed: &Observed<'_>) -> Option<Decision> {
    let pace = &observed.settings.power;
    match observed.power() {
        ReportedPower::On => None,
        ReportedPower::Off => Some(send(observed, Operation::Reset(ResetType::On), pace)),
        _ => Some(Step::Wait(pace.interval).into()),
    }
}

/// `None` once the override that sends the next start to the network was read back.
pub fn network_boot_armed(observed: &Observed<'_>) -> Option<Decision> {
    let system = observed.system?;
    if boots_from_network_once(system) {
        return None;
    }
    // Incident 81.
    let sent = |record: &OperationIntent| {
        let name = Operation::NetworkBoot.to_string();
        record.operation == name && record.epoch == observed.epoch() && record.state != OperationState::Failed
    };
    if sabotage::active(Bug::OverrideNotReadBack) && observed.status().operation.as_ref().is_some_and(sent) {
        return None;
    }
    Some(send(observed, Operation::NetworkBoot, &observed.settings.resource))
}

/// Sends an operation, or waits for it, and explains when it has been tried too often.
pub fn send(observed: &Observed<'_>, operation: Operation, pace: &Pace) -> Decision {
    let record = observed.status().operation.as_ref();
    let name = operation.to_string();
    let decision: Decision = match pacing::next(&name, record, observed.epoch(), observed.now, pace) {
        Verdict::Send { attempt } => Step::Send { operation, attempt }.into(),
        Verdict::Wait(time) => Step::Wait(time).into(),
    };
    match record {
        Some(record)
            if record.operation == name && record.epoch == observed.epoch() && record.attempts >= EXPLAIN_AFTER =>
        {
            let message = record
                .message
                .as_deref()
                .unwrap_or("the BMC accepted it, without effect");
            decision.because(Wish::no(
                BMC_OPERATION,
                "NoEffect",
                format!("{name} was tried {} times: {message}", record.attempts),
            ))
        }
        _ => decision,
    }
}
