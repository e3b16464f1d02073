//! What a BMCSettings decides in each of its states (contract section 4.6). Pure.

use std::collections::BTreeMap;

use crds::firmware::SettingsState;
use crds::kinds::bmc_settings::BMCSettingsStatus;

use super::observed::{Binding, Decision, Effect, Observed, Reading};
use crate::bmc::ReportedPower;
use crate::bmc::manager_attributes::ManagerAttributes;
use crate::conditions::{self, Wish};
use crate::controllers::firmware::maintenance::{self, Permit};
use crate::controllers::firmware::object::{is_changed, request};
use crate::controllers::firmware::restart::{self, Restart};
use crate::controllers::firmware::retry::{Failure, RETRIED, is_request};
use crate::controllers::firmware::{since, versions};

/// Whether the BMC was restarted before the settings are written.
pub const RESET_ISSUED: &str = "ResetIssued";
/// Whether it was restarted afterwards, if it has to be.
pub const RESET_AFTER: &str = "ResetPostSettingApply";
/// Reason of that condition before anybody was asked.
pub const RESET_REQUIRED: &str = "ResetRequired";
const ISSUED: &str = "ChangesIssued";
const VERIFIED: &str = "ChangesVerified";
const PENDING: &str = "PendingSettingsCheck";
const INVALID: &str = "SettingsValidationFailed";
const RESOLVED: &str = "VariablesResolved";

fn state(observed: &Observed<'_>) -> SettingsState {
    let status = observed.settings.status.as_ref();
    status
        .and_then(|status| status.state.clone())
        .unwrap_or(SettingsState::Pending)
}

/// Whether a decision needs to know what the settings are and what the BMC says.
pub fn needs_reading(observed: &Observed<'_>) -> bool {
    observed.binding == Binding::Own
        && match state(observed) {
            SettingsState::Pending => true,
            SettingsState::InProgress => match observed.permit {
                // Whether there is anything to ask for.
                Permit::Unrequested => true,
                Permit::Waiting(_) => false,
                Permit::Granted(_) => {
                    let busy = |restart: &Restart| matches!(restart, Restart::Wait | Restart::TimedOut);
                    !busy(&observed.restart)
                }
            },
            SettingsState::Applied => {
                !is_changed(observed.settings) && observed.settings.spec.server_maintenance_refs.is_empty()
            }
            SettingsState::Failed | SettingsState::Other(_) => false,
        }
}

/// What to do now.
pub fn decide(observed: &Observed<'_>) -> Decision {
    let state = state(observed);
    let mut decision = match state {
        SettingsState::Pending => pending(observed),
        SettingsState::InProgress => in_progress(observed),
        SettingsState::Applied => applied(observed),
        SettingsState::Failed => failed(observed),
        // A state of another version of the operator: hands off.
        SettingsState::Other(_) => wait(status(observed), observed),
    };
    if !matches!(state, SettingsState::Failed | SettingsState::Other(_)) {
        decision.status.observed_generation = observed.settings.metadata.generation;
    }
    decision
}

fn status(observed: &Observed<'_>) -> BMCSettingsStatus {
    observed.settings.status.clone().unwrap_or_default()
}

fn wait(status: BMCSettingsStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.resync)
}

fn look_soon(status: BMCSettingsStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.interval)
}

fn enter(mut status: BMCSettingsStatus, state: SettingsState) -> Decision {
    status.state = Some(state);
    Decision::go_on(status)
}

fn note(status: &mut BMCSettingsStatus, observed: &Observed<'_>, wish: Wish) {
    conditions::set(&mut status.conditions, &wish, observed.now);
}

fn give_up(mut status: BMCSettingsStatus, observed: &Observed<'_>, wish: Wish) -> Decision {
    note(&mut status, observed, wish);
    enter(status, SettingsState::Failed)
}

/// Whether a condition has been what it is for longer than settings may take.
fn is_overdue(observed: &Observed<'_>, type_: &str) -> bool {
    let conditions = observed.settings.status.as_ref().map(|status| &status.conditions);
    let condition = conditions.and_then(|conditions| conditions::find(conditions, type_));
    condition.is_some_and(|condition| since(condition.last_transition_time.0, observed.now) > observed.limits.settings)
}

fn pending(observed: &Observed<'_>) -> Decision {
    let mut status = status(observed);
    status.state = Some(SettingsState::Pending);
    if request(observed.settings).is_some_and(is_request) {
        return Decision::acting(status, Effect::ClearRequest);
    }
    match &observed.binding {
        Binding::NoBmc => return wait(status, observed),
        Binding::Free => return Decision::acting(status, Effect::Bind),
        Binding::Other(other) => {
            let message = format!("The BMC takes its settings from BMCSettings {other}");
            note(&mut status, observed, Wish::no("BMCBound", "BoundToOther", message));
            return wait(status, observed);
        }
        Binding::Own => {}
    }
    if conditions::find(&status.conditions, "BMCBound").is_some() {
        let message = "The BMC takes its settings from this object";
        note(&mut status, observed, Wish::yes("BMCBound", "Bound", message));
    }
    let Some(reading) = &observed.reading else {
        return wait(status, observed);
    };
    let version = &observed.settings.spec.template.version;
    if !versions::same(reading.version.as_deref(), version) {
        let running = reading.version.as_deref().unwrap_or("unknown");
        let message = format!("The settings are for BMC version {version}; the BMC runs {running}");
        let wish = Wish::yes("VersionUpdatePending", "VersionUpgradePending", message);
        note(&mut status, observed, wish);
        return wait(status, observed);
    }
    begin(&mut status);
    enter(status, SettingsState::InProgress)
}

/// Nothing of an earlier run counts in this one, but that it is a retry.
fn begin(status: &mut BMCSettingsStatus) {
    status.conditions.retain(|condition| condition.type_ == RETRIED);
}

/// What is wanted and what is there, or what to do without.
fn both<'a>(
    status: &mut BMCSettingsStatus,
    observed: &'a Observed<'_>,
) -> Option<(&'a BTreeMap<String, String>, &'a Reading)> {
    match &observed.wanted {
        Ok(wanted) => {
            if conditions::find(&status.conditions, RESOLVED).is_some() {
                let wish = Wish::yes(RESOLVED, "VariablesResolved", "Every variable has its value");
                note(status, observed, wish);
            }
            Some((wanted, observed.reading.as_ref()?))
        }
        Err(reason) => {
            note(
                status,
                observed,
                Wish::no(RESOLVED, "VariableUnresolved", reason.clone()),
            );
            None
        }
    }
}

fn in_progress(observed: &Observed<'_>) -> Decision {
    let mut status = status(observed);
    let issued = conditions::find(&status.conditions, ISSUED);
    let of_this = issued.is_some_and(|issued| {
        issued.status == "True" && issued.observed_generation == observed.settings.metadata.generation
    });
    if of_this {
        return verify(status, observed);
    }
    if observed.permit == Permit::Unrequested {
        let Some((wanted, reading)) = both(&mut status, observed) else {
            return wait(status, observed);
        };
        let differs = reading
            .attributes
            .as_ref()
            .map(|attributes| !attributes.differences(wanted).is_empty());
        return match differs {
            None => give_up(status, observed, no_attributes()),
            Some(false) => applied_now(status, observed),
            Some(true) => Decision::acting(status, Effect::RequestMaintenance),
        };
    }
    maintenance::tell(&mut status.conditions, &observed.permit, observed.now);
    if !matches!(observed.permit, Permit::Granted(_)) {
        return wait(status, observed);
    }
    match &observed.restart {
        Restart::Done => {}
        Restart::Over(wish) => note(&mut status, observed, wish.clone()),
        Restart::Request(wish) => return Decision::acting(status, Effect::RestartBmc(wish.clone())),
        Restart::Wait => return wait(status, observed),
        Restart::TimedOut => return give_up(status, observed, restart::timed_out(RESET_ISSUED)),
    }
    let Some((wanted, reading)) = both(&mut status, observed) else {
        return look_soon(status, observed);
    };
    // An iLO does not say (bugs.md #114).
    if !matches!(reading.power, ReportedPower::On | ReportedPower::Unknown) {
        let message = format!("The BMC says that it is {}", reading.power.as_str());
        return give_up(status, observed, Wish::yes("PoweredOff", "PoweredOff", message));
    }
    match &reading.attributes {
        Some(attributes) => apply(status, observed, wanted, attributes),
        None => give_up(status, observed, no_attributes()),
    }
}

fn no_attributes() -> Wish {
    Wish::yes(INVALID, INVALID, "The BMC offers no settings that this operator knows")
}

fn apply(
    mut status: BMCSettingsStatus,
    observed: &Observed<'_>,
    wanted: &BTreeMap<String, String>,
    attributes: &ManagerAttributes,
) -> Decision {
    let changes = match attributes.changes(wanted) {
        Ok(changes) => changes,
        Err(error) => return give_up(status, observed, Wish::yes(INVALID, INVALID, error.to_string())),
    };
    if changes.is_empty() {
        return applied_now(status, observed);
    }
    let taken = changes
        .iter()
        .all(|(name, value)| attributes.pending.get(name) == Some(value));
    let foreign = attributes.pending.keys().find(|name| !changes.contains_key(*name));
    if let Some(name) = foreign {
        if is_overdue(observed, PENDING) {
            let message = "The BMC has had settings of somebody else staged for too long";
            return give_up(status, observed, Wish::yes(PENDING, "PendingSettingsFound", message));
        }
        let message = format!("The BMC has staged settings already, among them {name}; they are waited for");
        note(
            &mut status,
            observed,
            Wish::yes(PENDING, "PendingSettingsFound", message),
        );
        return look_soon(status, observed);
    }
    let generation = observed.settings.metadata.generation;
    let reset = match attributes.needs_reset(&changes) {
        true => Wish::no(
            RESET_AFTER,
            RESET_REQUIRED,
            "The settings take effect with a restart of the BMC",
        ),
        false => Wish::yes(
            RESET_AFTER,
            "NoResetRequired",
            "The settings take effect without a restart",
        ),
    };
    let notes = vec![
        Wish::yes(ISSUED, "ChangesIssued", "The settings were sent to the BMC").observing(generation),
        Wish::no(
            VERIFIED,
            "SettingsVerificationPending",
            "The settings are not in force yet",
        ),
        reset,
    ];
    if taken {
        // Before a crash.
        for wish in notes {
            note(&mut status, observed, wish);
        }
        return Decision::go_on(status);
    }
    Decision {
        effect: Effect::Apply { changes, notes },
        ..look_soon(status, observed)
    }
}

fn verify(mut status: BMCSettingsStatus, observed: &Observed<'_>) -> Decision {
    maintenance::tell(&mut status.conditions, &observed.permit, observed.now);
    if is_overdue(observed, ISSUED) {
        // W23.
        let message = "The settings were not in force in time";
        return give_up(status, observed, Wish::no(VERIFIED, "VerificationTimedOut", message));
    }
    match &observed.reset {
        Restart::Done => {}
        Restart::Over(wish) => note(&mut status, observed, wish.clone()),
        Restart::Request(wish) => return Decision::acting(status, Effect::RestartBmc(wish.clone())),
        Restart::Wait | Restart::TimedOut => return look_soon(status, observed),
    }
    let Some((wanted, reading)) = both(&mut status, observed) else {
        return look_soon(status, observed);
    };
    let missing = reading
        .attributes
        .as_ref()
        .and_then(|attributes| attributes.differences(wanted).first().copied());
    match (missing, &reading.attributes) {
        (None, Some(_)) => applied_now(status, observed),
        _ => look_soon(status, observed),
    }
}

fn applied_now(mut status: BMCSettingsStatus, observed: &Observed<'_>) -> Decision {
    let wish = Wish::yes(VERIFIED, "ChangesVerified", "The settings are in force");
    note(&mut status, observed, wish);
    status.failed_attempts = None;
    enter(status, SettingsState::Applied)
}

fn applied(observed: &Observed<'_>) -> Decision {
    let mut status = status(observed);
    let is = |type_| conditions::is_true(&status.conditions, type_);
    let given_back = is("ServerMaintenanceDeleted");
    let held = !observed.settings.spec.server_maintenance_refs.is_empty() || observed.permit != Permit::Unrequested;
    if held || (is("ServerMaintenanceCreated") && !given_back) {
        return Decision::acting(status, Effect::Release);
    }
    if is_changed(observed.settings) {
        begin(&mut status);
        return enter(status, SettingsState::Pending);
    }
    let drifted = match both(&mut status, observed) {
        Some((wanted, reading)) => reading
            .attributes
            .as_ref()
            .is_some_and(|attributes| !attributes.differences(wanted).is_empty()),
        None => false,
    };
    if drifted {
        begin(&mut status);
        return enter(status, SettingsState::Pending);
    }
    Decision::later(status, observed.limits.drift_interval)
}

fn failed(observed: &Observed<'_>) -> Decision {
    let mut status = status(observed);
    let failure = Failure {
        request: request(observed.settings),
        changed: is_changed(observed.settings),
        attempts: status.failed_attempts.unwrap_or_default(),
        policy: observed.settings.spec.template.retry_policy.as_ref(),
        default_limit: observed.limits.retries,
    };
    let Some(retry) = failure.retry() else {
        return wait(status, observed);
    };
    begin(&mut status);
    retry.note(&mut status.conditions, &mut status.failed_attempts, observed.now);
    status.observed_generation = observed.settings.metadata.generation;
    enter(status, SettingsState::Pending)
}

#[cfg(test)]
mod tests;
