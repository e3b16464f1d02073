//! What a BIOSSettings decides in each of its states (contract section 4.4). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crds::firmware::SettingsState;
use crds::kinds::bios_settings::{BIOSSettingsStatus, FlowState};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::flow::{self, Outcome, Scene, Seen};
use super::observed::{Binding, Decision, Effect, Observed, Reading};
use crate::bmc::attributes::{differences, text_of};
use crate::conditions::{self, Wish, seconds};
use crate::controllers::firmware::maintenance::{self, Permit};
use crate::controllers::firmware::object::{is_changed, request};
use crate::controllers::firmware::restart::{self, Restart};
use crate::controllers::firmware::retry::{Failure, RETRIED, is_request};
use crate::controllers::firmware::versions;

/// Whether the BMC was restarted before the work.
pub const RESET_ISSUED: &str = "ResetIssued";
const ROLLED_BACK: &str = "RolledBack";
const PENDING_SETTINGS: &str = "PendingSettingsCheck";
const MAINTENANCE_DELETED: &str = "ServerMaintenanceDeleted";

/// The pseudo item that takes a failed flow back. No item of a user can have its priority.
const ROLLBACK: &str = "rollback";
const ROLLBACK_PRIORITY: i32 = i32::MAX - 1;

/// Whether a decision needs to know what the machine says.
pub fn needs_reading(observed: &Observed<'_>) -> bool {
    let own = observed.binding == Binding::Own;
    match observed.state() {
        SettingsState::Pending => own && !observed.settings.spec.template.settings_flow.is_empty(),
        SettingsState::InProgress => {
            matches!(observed.permit, Permit::Granted(_))
                && matches!(observed.restart, Restart::Done | Restart::Over(_))
        }
        SettingsState::Applied => {
            own && !is_changed(observed.settings) && observed.settings.spec.server_maintenance_ref.is_none()
        }
        _ => false,
    }
}

/// What to do now.
pub fn decide(observed: &Observed<'_>) -> Decision {
    let mut decision = match observed.state() {
        SettingsState::InProgress => in_progress(observed),
        SettingsState::Applied => applied(observed),
        SettingsState::Failed => failed(observed),
        // A state of another version of the operator: hands off.
        SettingsState::Other(_) => wait(observed.status(), observed),
        SettingsState::Pending => pending(observed),
    };
    if !matches!(observed.state(), SettingsState::Failed | SettingsState::Other(_)) {
        decision.status.observed_generation = observed.settings.metadata.generation;
    }
    decision
}

fn wait(status: BIOSSettingsStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.resync)
}

fn note(status: &mut BIOSSettingsStatus, observed: &Observed<'_>, wish: Wish) {
    conditions::set(&mut status.conditions, &wish, observed.now);
}

fn enter(mut status: BIOSSettingsStatus, state: SettingsState) -> Decision {
    status.state = Some(state);
    Decision::go_on(status)
}

fn pending(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status();
    status.state = Some(SettingsState::Pending);
    if request(observed.settings).is_some_and(is_request) {
        return Decision::acting(status, Effect::ClearRequest);
    }
    if observed.settings.spec.template.settings_flow.is_empty() {
        return applied_now(status, observed);
    }
    match &observed.binding {
        Binding::NoServer => return wait(status, observed),
        Binding::Free => return Decision::acting(status, Effect::Bind),
        Binding::Other(other) => {
            let message = format!("The Server takes its settings from BIOSSettings {other}");
            note(&mut status, observed, Wish::no("ServerBound", "BoundToOther", message));
            return wait(status, observed);
        }
        Binding::Own => {}
    }
    if conditions::find(&status.conditions, "ServerBound").is_some() {
        let message = "The Server takes its settings from this object";
        note(&mut status, observed, Wish::yes("ServerBound", "Bound", message));
    }
    let Some(reading) = &observed.reading else {
        return wait(status, observed);
    };
    let Some(bios) = &reading.bios else {
        return give_up(
            status,
            observed,
            Wish::yes(
                "SettingsValidationFailed",
                "SettingsValidationFailed",
                "The BMC offers no BIOS settings",
            ),
        );
    };
    if let Some(twice) = duplicate(observed) {
        let wish = Wish::yes("SettingsDuplicateKeys", "SettingsDuplicateKeysFound", twice);
        return give_up(status, observed, wish);
    }
    if let Some(name) = bios.pending.keys().next() {
        let message = format!("The BMC has staged BIOS attributes already, among them {name}");
        let wish = Wish::yes(PENDING_SETTINGS, "PendingSettingsFound", message);
        return give_up(status, observed, wish);
    }
    let wanted = observed.wanted();
    if differences(&reading.registry, &wanted, &bios.attributes).is_empty() {
        let message = "The settings are in force";
        let wish = Wish::yes("VerifySettingsPostUpdate", "VerificationCompleted", message);
        note(&mut status, observed, wish);
        return applied_now(status, observed);
    }
    let version = &observed.settings.spec.template.version;
    if !versions::same(reading.version.as_deref(), version) {
        let running = reading.version.as_deref().unwrap_or("unknown");
        let message = format!("The settings are for BIOS version {version}; the Server runs {running}");
        note(
            &mut status,
            observed,
            Wish::yes("VersionUpdatePending", "VersionUpgradePending", message),
        );
        return wait(status, observed);
    }
    begin(&mut status);
    enter(status, SettingsState::InProgress)
}

/// Nothing of an earlier run counts in this one, but that it is a retry.
fn begin(status: &mut BIOSSettingsStatus) {
    status.conditions.retain(|condition| condition.type_ == RETRIED);
    status.flow_state = Vec::new();
    status.previous_settings = BTreeMap::new();
}

/// Names that occur twice, of items or of attributes in different items.
fn duplicate(observed: &Observed<'_>) -> Option<String> {
    let (mut names, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    for item in observed.flow() {
        if !names.insert(&item.name) {
            return Some(format!("There are two items with the name {}", item.name));
        }
        for attribute in item.settings.keys() {
            if !attributes.insert(attribute) {
                return Some(format!("Attribute {attribute} is in two items"));
            }
        }
    }
    None
}

fn in_progress(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status();
    maintenance::tell(&mut status.conditions, &observed.permit, observed.now);
    let power = match &observed.permit {
        Permit::Unrequested => return Decision::acting(status, Effect::RequestMaintenance),
        Permit::Waiting(_) => return wait(status, observed),
        Permit::Granted(power) => power,
    };
    match &observed.restart {
        Restart::Done => {}
        Restart::Over(wish) => note(&mut status, observed, wish.clone()),
        Restart::Request(wish) => return Decision::acting(status, Effect::RestartBmc(wish.clone())),
        Restart::Wait => return wait(status, observed),
        Restart::TimedOut => return give_up(status, observed, restart::timed_out(RESET_ISSUED)),
    }
    if status.previous_settings.is_empty() && status.flow_state.is_empty() {
        let Some(reading) = &observed.reading else {
            return look_soon(status, observed);
        };
        status.previous_settings = previous(observed, reading);
        status.flow_state = observed
            .flow()
            .iter()
            .map(|item| waiting(&item.name, item.priority))
            .collect();
        return Decision::go_on(status);
    }
    let rollback = status.flow_state.iter().any(|item| item.priority == ROLLBACK_PRIORITY);
    let open = status.flow_state.iter().position(|item| match rollback {
        true => item.priority == ROLLBACK_PRIORITY,
        false => item.flow_state != Some(SettingsState::Applied),
    });
    let Some(open) = open else {
        return applied_now(status, observed);
    };
    let wanted = match rollback {
        true => status.previous_settings.clone(),
        false => {
            let name = &status.flow_state[open].name;
            let item = observed.flow().into_iter().find(|item| item.name == *name);
            // One that somebody has taken out of the flow meanwhile has nothing left to do.
            item.map(|item| item.settings.clone()).unwrap_or_default()
        }
    };
    let bios = observed
        .reading
        .as_ref()
        .and_then(|reading| Some((reading, reading.bios.as_ref()?)));
    let scene = Scene {
        now: observed.now,
        limit: observed.limits.settings,
        wanted: &wanted,
        rollback,
        seen: bios.map(|(reading, bios)| Seen {
            power: reading.power,
            bios,
            registry: &reading.registry,
        }),
    };
    let item = &mut status.flow_state[open];
    item.flow_state = Some(SettingsState::InProgress);
    match flow::step(&mut item.conditions, &scene) {
        Outcome::Progress => Decision::go_on(status),
        Outcome::Wait => look_soon(status, observed),
        Outcome::Power(wanted) if power.as_ref() == Some(&wanted) => look_soon(status, observed),
        Outcome::Power(wanted) => Decision {
            effect: Effect::SetPower(wanted),
            ..look_soon(status, observed)
        },
        Outcome::Stage(changes) => Decision {
            effect: Effect::Stage {
                item: item.name.clone(),
                changes,
            },
            ..look_soon(status, observed)
        },
        Outcome::Applied => {
            item.flow_state = Some(SettingsState::Applied);
            item.last_applied_time = Some(Time(seconds(observed.now)));
            if rollback {
                let message = "The BIOS has its former settings again";
                note(&mut status, observed, Wish::yes(ROLLED_BACK, "RolledBack", message));
                return enter(status, SettingsState::Failed);
            }
            Decision::go_on(status)
        }
        Outcome::Failed(wish) => {
            conditions::set(&mut item.conditions, &wish, observed.now);
            item.flow_state = Some(SettingsState::Failed);
            give_up(status, observed, wish)
        }
    }
}

fn look_soon(status: BIOSSettingsStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.interval)
}

fn waiting(name: &str, priority: i32) -> FlowState {
    FlowState {
        flow_state: Some(SettingsState::Pending),
        name: name.to_owned(),
        priority,
        ..FlowState::default()
    }
}

/// What all attributes of the flow are before the first one is changed.
fn previous(observed: &Observed<'_>, reading: &Reading) -> BTreeMap<String, String> {
    let Some(bios) = &reading.bios else {
        return BTreeMap::new();
    };
    let wanted = observed.wanted();
    let names = wanted.keys();
    names
        .filter_map(|name| Some((name.clone(), text_of(bios.attributes.get(name)?)?)))
        .collect()
}

/// It cannot be done. What was changed already is taken back first (W34).
fn give_up(mut status: BIOSSettingsStatus, observed: &Observed<'_>, wish: Wish) -> Decision {
    note(&mut status, observed, wish);
    let in_progress = observed.state() == SettingsState::InProgress;
    if let Some(rollback) = status.flow_state.iter().find(|item| item.priority == ROLLBACK_PRIORITY) {
        if rollback.flow_state == Some(SettingsState::Failed) {
            let message =
                "The BIOS could not be given its former settings; the ServerMaintenance stays until somebody decides";
            note(&mut status, observed, Wish::no(ROLLED_BACK, "RollbackFailed", message));
        }
        return enter(status, SettingsState::Failed);
    }
    let changed = status.flow_state.iter().any(|item| flow::was_issued(&item.conditions));
    if in_progress && changed && !status.previous_settings.is_empty() {
        let message = "The BIOS is given its former settings";
        note(&mut status, observed, Wish::no(ROLLED_BACK, "RollbackStarted", message));
        status.flow_state.push(waiting(ROLLBACK, ROLLBACK_PRIORITY));
        return Decision::go_on(status);
    }
    enter(status, SettingsState::Failed)
}

fn applied_now(mut status: BIOSSettingsStatus, observed: &Observed<'_>) -> Decision {
    status.last_applied_time = Some(Time(seconds(observed.now)));
    status.previous_settings = BTreeMap::new();
    status.failed_attempts = None;
    enter(status, SettingsState::Applied)
}

fn applied(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status();
    if let Some(release) = release(observed, &status) {
        return release;
    }
    let flow = observed.flow();
    status.flow_state.retain(|state| {
        flow.iter()
            .any(|item| item.name == state.name && item.priority == state.priority)
    });
    if is_changed(observed.settings) {
        return enter(status, SettingsState::Pending);
    }
    let drifted = observed.reading.as_ref().and_then(|reading| {
        let bios = reading.bios.as_ref()?;
        let wanted = observed.wanted();
        let names = differences(&reading.registry, &wanted, &bios.attributes);
        names.first().map(|name| (*name).clone())
    });
    match drifted {
        Some(name) => {
            let message = format!("Attribute {name} is no longer as it was applied");
            note(
                &mut status,
                observed,
                Wish::no("VerifySettingsPostUpdate", "SettingsDrifted", message),
            );
            enter(status, SettingsState::Pending)
        }
        None => Decision::later(status, observed.limits.drift_interval),
    }
}

/// Gives the maintenance back, if there is any that was not given back.
fn release(observed: &Observed<'_>, status: &BIOSSettingsStatus) -> Option<Decision> {
    let created = conditions::is_true(&status.conditions, "ServerMaintenanceCreated");
    let deleted = conditions::is_true(&status.conditions, MAINTENANCE_DELETED);
    let held = observed.settings.spec.server_maintenance_ref.is_some() || observed.permit != Permit::Unrequested;
    (held || (created && !deleted)).then(|| Decision::acting(status.clone(), Effect::Release))
}

fn failed(observed: &Observed<'_>) -> Decision {
    let mut status = observed.status();
    let failure = Failure {
        request: request(observed.settings),
        changed: is_changed(observed.settings),
        attempts: status.failed_attempts.unwrap_or_default(),
        policy: observed.settings.spec.template.retry_policy.as_ref(),
        default_limit: observed.limits.retries,
    };
    let Some(retry) = failure.retry() else {
        return rest_failed(status, observed);
    };
    begin(&mut status);
    retry.note(&mut status.conditions, &mut status.failed_attempts, observed.now);
    status.observed_generation = observed.settings.metadata.generation;
    enter(status, SettingsState::Pending)
}

/// A machine that is as it was before goes back to whoever had it. Any other stays where nobody uses it (bugs.md #103).
fn rest_failed(mut status: BIOSSettingsStatus, observed: &Observed<'_>) -> Decision {
    if conditions::is_true(&status.conditions, ROLLED_BACK)
        && let Some(release) = release(observed, &status)
    {
        return release;
    }
    let staged_by_others = conditions::is_true(&status.conditions, PENDING_SETTINGS);
    if staged_by_others {
        maintenance::tell(&mut status.conditions, &observed.permit, observed.now);
        if observed.permit == Permit::Unrequested {
            return Decision::acting(status, Effect::RequestMaintenance);
        }
    }
    wait(status, observed)
}

#[cfg(test)]
mod tests;
