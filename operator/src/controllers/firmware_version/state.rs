//! What a BIOSVersion or BMCVersion decides in each of its states (contract section 4.5). Pure.

use crds::firmware::VersionState;
use crds::{Power, VersionStatus};

use super::observed::{Decision, Effect, Observed, Reading};
use super::task;
use crate::bmc::{Component, ReportedPower, TaskState};
use crate::conditions::{self, Wish};
use crate::controllers::firmware::maintenance::{self, Permit};
use crate::controllers::firmware::restart::{self, Restart};
use crate::controllers::firmware::retry::{Failure, RETRIED, is_request};
use crate::controllers::firmware::{since, versions};

/// Whether the BMC was restarted before the update.
pub const RESET_ISSUED: &str = "ResetIssued";
/// Whether the BMC was restarted after its own update.
pub const REBOOTED: &str = "VersionUpgradeReboot";
pub(super) const ISSUED: &str = "VersionUpgradeIssued";
pub(super) const COMPLETED: &str = "VersionUpgradeCompleted";
const POWERED_OFF: &str = "VersionUpgradePowerOff";
const POWERED_ON: &str = "VersionUpgradePowerOn";
const VERIFIED: &str = "VersionUpgradeVerification";
const DRIFT: &str = "VersionDrift";

fn state(observed: &Observed<'_>) -> VersionState {
    observed.status.state.clone().unwrap_or(VersionState::Pending)
}

/// Whether a decision needs to know what the machine says.
pub fn needs_reading(observed: &Observed<'_>) -> bool {
    match state(observed) {
        VersionState::Pending => observed.has_target,
        VersionState::InProgress => {
            matches!(observed.permit, Permit::Granted(_))
                && matches!(observed.restart, Restart::Done | Restart::Over(_))
        }
        VersionState::Completed => observed.has_target && !observed.changed && !is_held(observed),
        VersionState::Failed | VersionState::Other(_) => false,
    }
}

/// What to do now.
pub fn decide(observed: &Observed<'_>) -> Decision {
    let state = state(observed);
    let mut decision = match state {
        VersionState::Pending => pending(observed),
        VersionState::InProgress => in_progress(observed),
        VersionState::Completed => completed(observed),
        VersionState::Failed => failed(observed),
        // A state of another version of the operator: hands off.
        VersionState::Other(_) => wait(observed.status.clone(), observed),
    };
    if !matches!(state, VersionState::Failed | VersionState::Other(_)) {
        decision.status.observed_generation = observed.generation;
    }
    decision
}

fn wait(status: VersionStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.resync)
}

fn look_soon(status: VersionStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.interval)
}

fn enter(mut status: VersionStatus, state: VersionState) -> Decision {
    status.state = Some(state);
    Decision::go_on(status)
}

fn note(status: &mut VersionStatus, observed: &Observed<'_>, wish: Wish) {
    conditions::set(&mut status.conditions, &wish, observed.now);
}

fn give_up(mut status: VersionStatus, observed: &Observed<'_>, wish: Wish) -> Decision {
    note(&mut status, observed, wish);
    enter(status, VersionState::Failed)
}

fn runs_it(observed: &Observed<'_>, reading: &Reading) -> bool {
    versions::same(reading.version.as_deref(), &observed.template.version)
}

/// Whether the update was sent, or may have been, and is not over.
pub fn may_be_written(status: &VersionStatus) -> bool {
    let sent = status.upgrade_intent.is_some() || conditions::is_true(&status.conditions, ISSUED);
    sent && status.state == Some(VersionState::InProgress)
}

/// How long ago a condition became what it is.
fn age(observed: &Observed<'_>, type_: &str) -> std::time::Duration {
    let condition = conditions::find(&observed.status.conditions, type_);
    condition.map_or_else(Default::default, |condition| {
        since(condition.last_transition_time.0, observed.now)
    })
}

/// Nothing of an earlier run counts in this one, but that it is a retry.
fn begin(status: &mut VersionStatus) {
    status.conditions.retain(|condition| condition.type_ == RETRIED);
    status.upgrade_task = None;
    status.upgrade_intent = None;
}

fn pending(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status.clone();
    status.state = Some(VersionState::Pending);
    if observed.request.is_some_and(is_request) {
        return Decision::acting(status, Effect::ClearRequest);
    }
    let Some(reading) = &observed.reading else {
        return wait(status, observed);
    };
    if runs_it(observed, reading) {
        return enter(status, VersionState::Completed);
    }
    begin(&mut status);
    enter(status, VersionState::InProgress)
}

fn in_progress(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status.clone();
    maintenance::tell(&mut status.conditions, &observed.permit, observed.now);
    let power = match &observed.permit {
        Permit::Unrequested => return Decision::acting(status, Effect::RequestMaintenance),
        Permit::Waiting(_) => return wait(status, observed),
        Permit::Granted(power) => power.as_ref(),
    };
    match &observed.restart {
        Restart::Done => {}
        Restart::Over(wish) => note(&mut status, observed, wish.clone()),
        Restart::Request(wish) => return Decision::acting(status, Effect::RestartBmc(wish.clone())),
        Restart::Wait => return wait(status, observed),
        Restart::TimedOut => return give_up(status, observed, restart::timed_out(RESET_ISSUED)),
    }
    let is = |type_| conditions::is_true(&status.conditions, type_);
    if !is(ISSUED) {
        issue(status, observed, power)
    } else if !is(COMPLETED) {
        task::follow(status, observed)
    } else {
        activate(status, observed, power)
    }
}

/// Before the update is on its way.
fn issue(mut status: VersionStatus, observed: &Observed<'_>, power: Option<&Power>) -> Decision {
    let Some(reading) = &observed.reading else {
        return look_soon(status, observed);
    };
    if status.upgrade_intent.is_some() {
        return task::recover(status, observed, reading);
    }
    // Somebody else was faster (bugs.md #112).
    if runs_it(observed, reading) {
        return enter(status, VersionState::Completed);
    }
    if observed.component == Component::Bios && reading.power != ReportedPower::On {
        return powering(status, observed, power, Power::On);
    }
    if reading.staged {
        if conditions::find(&status.conditions, ISSUED).is_some() && age(observed, ISSUED) > observed.limits.task {
            let message = "The BMC has had an update of somebody else staged for too long";
            return give_up(status, observed, Wish::no(ISSUED, "UpgradeIssueFailed", message));
        }
        let message = "The BMC has an update staged already; it is waited for";
        note(&mut status, observed, Wish::no(ISSUED, "UpdateStaged", message));
        return look_soon(status, observed);
    }
    let known = reading.tasks.iter().flatten().map(|(uri, _)| uri.as_str().to_owned());
    Decision {
        effect: Effect::Send { known: known.collect() },
        ..look_soon(status, observed)
    }
}

fn powering(status: VersionStatus, observed: &Observed<'_>, power: Option<&Power>, wanted: Power) -> Decision {
    let effect = match power == Some(&wanted) {
        true => Effect::Nothing,
        false => Effect::SetPower(wanted),
    };
    Decision {
        effect,
        ..look_soon(status, observed)
    }
}

/// The image is written. What runs it is restarted, unless it has restarted itself, and then has to say so.
fn activate(mut status: VersionStatus, observed: &Observed<'_>, power: Option<&Power>) -> Decision {
    if age(observed, COMPLETED) > observed.limits.verification {
        // W23.
        let message = format!("The version was not {} in time", observed.template.version);
        return give_up(status, observed, Wish::no(VERIFIED, "VerificationTimedOut", message));
    }
    if let Some(reading) = &observed.reading
        && runs_it(observed, reading)
    {
        // The version may be shown while the rest is still being written.
        if matches!(&reading.task, Some(super::observed::TaskLook::Seen(report)) if report.state == TaskState::Active) {
            return look_soon(status, observed);
        }
        if observed.component == Component::Bios && reading.power != ReportedPower::On {
            return powering(status, observed, power, Power::On);
        }
        let message = format!("The version is {}", observed.template.version);
        note(
            &mut status,
            observed,
            Wish::yes(VERIFIED, "VersionUpdateVerified", message),
        );
        status.failed_attempts = None;
        return enter(status, VersionState::Completed);
    }
    match observed.component {
        Component::Bios => power_cycle(status, observed, power),
        Component::Bmc => match &observed.reboot {
            Restart::Done => verify(status, observed),
            Restart::Over(wish) => {
                note(&mut status, observed, wish.clone());
                verify(status, observed)
            }
            Restart::Request(wish) => Decision::acting(status, Effect::RestartBmc(wish.clone())),
            Restart::Wait | Restart::TimedOut => look_soon(status, observed),
        },
    }
}

fn power_cycle(mut status: VersionStatus, observed: &Observed<'_>, power: Option<&Power>) -> Decision {
    let Some(reading) = &observed.reading else {
        return look_soon(status, observed);
    };
    let is = |type_| conditions::is_true(&status.conditions, type_);
    let (wanted, wish) = if !is(POWERED_OFF) {
        let wish = Wish::yes(
            POWERED_OFF,
            "RebootPowerOff",
            "Server is powered off to start its new BIOS",
        );
        (ReportedPower::Off, wish)
    } else if !is(POWERED_ON) {
        let wish = Wish::yes(POWERED_ON, "RebootPowerOn", "Server is powered on with its new BIOS");
        (ReportedPower::On, wish)
    } else {
        return verify(status, observed);
    };
    if reading.power == wanted {
        note(&mut status, observed, wish);
        return Decision::go_on(status);
    }
    let wanted = match wanted {
        ReportedPower::Off => Power::Off,
        _ => Power::On,
    };
    powering(status, observed, power, wanted)
}

fn verify(mut status: VersionStatus, observed: &Observed<'_>) -> Decision {
    if let Some(reading) = &observed.reading {
        let running = reading.version.as_deref().unwrap_or("unknown");
        let message = format!("The version is {running} and not {} yet", observed.template.version);
        note(
            &mut status,
            observed,
            Wish::no(VERIFIED, "VersionVerificationFailed", message),
        );
    }
    look_soon(status, observed)
}

/// Whether there is a maintenance that was not given back.
fn is_held(observed: &Observed<'_>) -> bool {
    let is = |type_| conditions::is_true(&observed.status.conditions, type_);
    let given_back = is("ServerMaintenanceDeleted");
    observed.has_references || observed.permit != Permit::Unrequested || (is("ServerMaintenanceCreated") && !given_back)
}

fn completed(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status.clone();
    if is_held(observed) {
        return Decision::acting(status, Effect::Release);
    }
    if observed.changed || observed.request.is_some_and(is_request) {
        return enter(status, VersionState::Pending);
    }
    let drifted = observed.reading.as_ref().filter(|reading| !runs_it(observed, reading));
    if let Some(reading) = drifted {
        // W37: somebody had a reason. Nobody's machine is flashed again unasked.
        let running = reading.version.as_deref().unwrap_or("unknown");
        let message = format!(
            "The version is {running} again and not {}; annotate with {}={} to update once more",
            observed.template.version,
            crds::keys::OPERATION_ANNOTATION,
            crds::keys::operation::RETRY
        );
        note(&mut status, observed, Wish::yes(DRIFT, "VersionChanged", message));
    } else if observed.reading.is_some() && conditions::find(&status.conditions, DRIFT).is_some() {
        let message = format!("The version is {}", observed.template.version);
        note(&mut status, observed, Wish::no(DRIFT, "VersionAsWanted", message));
    }
    Decision::later(status, observed.limits.drift_interval)
}

/// A machine whose update has failed stays in its maintenance: somebody has to look at it (bugs.md #103).
fn failed(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status.clone();
    let failure = Failure {
        request: observed.request,
        changed: observed.changed,
        attempts: status.failed_attempts.unwrap_or_default(),
        policy: observed.template.retry_policy.as_ref(),
        default_limit: observed.limits.retries,
    };
    let Some(retry) = failure.retry() else {
        return wait(status, observed);
    };
    begin(&mut status);
    retry.note(&mut status.conditions, &mut status.failed_attempts, observed.now);
    status.observed_generation = observed.generation;
    enter(status, VersionState::Pending)
}

#[cfg(test)]
mod tests;
