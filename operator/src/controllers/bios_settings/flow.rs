//! One item of a flow of settings, from its start to the look that shows it in force (contract section 4.4). Pure.
//!
//! How far it is, its conditions tell: they are all there is to go by after a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::Power;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Map, Value};

use crate::bmc::attributes::differences;
use crate::bmc::{AttributeRegistry, Bios, ReportedPower};
use crate::conditions::{self, Wish};
use crate::controllers::firmware::since;

const STARTED: &str = "SettingsUpdateStartTime";
const POWERED: &str = "ServerPowerOn";
const REBOOT: &str = "RebootPostUpdate";
const ISSUED: &str = "SettingsUpdateIssued";
const POWERED_OFF: &str = "RebootPowerOff";
const POWERED_ON: &str = "RebootPowerOn";
const VERIFIED: &str = "VerifySettingsPostUpdate";

/// What is known when an item is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub now: Timestamp,
    pub limit: Duration,
    pub wanted: &'a BTreeMap<String, String>,
    /// What a failed flow has staged, this item takes back: it may write over it.
    pub rollback: bool,
    /// What the BMC showed in this pass, if it could be asked.
    pub seen: Option<Seen<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub power: ReportedPower,
    pub bios: &'a Bios,
    pub registry: &'a AttributeRegistry,
}

/// What an item asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is a step further.
    Progress,
    /// Look again later.
    Wait,
    /// The machine has to have this power.
    Power(Power),
    /// Stage these attributes.
    Stage(Map<String, Value>),
    /// In force.
    Applied,
    Failed(Wish),
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    PowerOn,
    Validate,
    Issue,
    PowerOff,
    PowerOnAgain,
    Verify,
}

fn phase(item: &[Condition]) -> Phase {
    let is = |type_| conditions::is_true(item, type_);
    if conditions::find(item, STARTED).is_none() {
        Phase::Start
    } else if is(POWERED_ON) || (is(ISSUED) && is(REBOOT)) {
        Phase::Verify
    } else if is(POWERED_OFF) {
        Phase::PowerOnAgain
    } else if is(ISSUED) {
        Phase::PowerOff
    } else if conditions::find(item, REBOOT).is_some() {
        Phase::Issue
    } else if is(POWERED) {
        Phase::Validate
    } else {
        Phase::PowerOn
    }
}

/// Takes the next step, and notes it among the conditions of the item.
pub fn step(item: &mut Vec<Condition>, scene: &Scene<'_>) -> Outcome {
    if let Some(started) = conditions::find(item, STARTED)
        && since(started.last_transition_time.0, scene.now) > scene.limit
    {
        let message = "The settings were not in force in time";
        return Outcome::Failed(Wish::yes("SettingsTimedOut", "SettingsTimedOutDuringUpdate", message));
    }
    let Some(seen) = scene.seen else {
        return Outcome::Wait;
    };
    let note = |item: &mut Vec<Condition>, wish: Wish| {
        conditions::set(item, &wish, scene.now);
        Outcome::Progress
    };
    match phase(item) {
        Phase::Start => {
            if is_in_force(scene, seen) && is_not_pending(scene, seen) {
                return verified(item, scene.now);
            }
            note(
                item,
                Wish::yes(STARTED, "SettingsUpdateStarted", "The settings are being applied"),
            )
        }
        Phase::PowerOn => match seen.power {
            ReportedPower::On => note(item, Wish::yes(POWERED, "ServerPoweredOn", "Server is powered on")),
            _ => Outcome::Power(Power::On),
        },
        Phase::Validate => match changes(scene, seen) {
            Err(message) => Outcome::Failed(Wish::yes(
                "SettingsValidationFailed",
                "SettingsValidationFailed",
                message,
            )),
            // What is only staged otherwise is written over; nothing is to be put in force.
            Ok(changes) if is_in_force(scene, seen) || !seen.registry.needs_reset(changes.keys()) => note(
                item,
                Wish::yes(REBOOT, "SkipServerReboot", "The settings take effect without a reboot"),
            ),
            Ok(_) => note(
                item,
                Wish::no(
                    REBOOT,
                    "RebootPostSettingUpdate",
                    "The settings take effect with a reboot",
                ),
            ),
        },
        Phase::Issue => issue(item, scene, seen),
        Phase::PowerOff => match seen.power {
            ReportedPower::Off => note(
                item,
                Wish::yes(POWERED_OFF, "PowerOffCompletedDuringReboot", "Server is powered off"),
            ),
            _ => Outcome::Power(Power::Off),
        },
        Phase::PowerOnAgain => match seen.power {
            ReportedPower::On => note(
                item,
                Wish::yes(POWERED_ON, "PowerOnCompletedDuringReboot", "Server is powered on again"),
            ),
            _ => Outcome::Power(Power::On),
        },
        Phase::Verify => {
            if is_in_force(scene, seen) {
                return verified(item, scene.now);
            }
            let message = format!("Not in force yet: {}", list(missing(scene, seen)));
            conditions::set(
                item,
                &Wish::no(VERIFIED, "VerificationNotCompleted", message),
                scene.now,
            );
            Outcome::Wait
        }
    }
}

/// What the BMC said to the attributes that it was sent, for the person who looks at the item.
pub fn refused(item: &mut Vec<Condition>, message: String, now: Timestamp) {
    conditions::set(item, &Wish::no(ISSUED, "SettingsUpdateRefused", message), now);
}

/// Whether anything may have been sent for the item.
pub fn was_issued(item: &[Condition]) -> bool {
    conditions::find(item, ISSUED).is_some()
}

/// The settings that a BIOS should have are in force.
fn verified(item: &mut Vec<Condition>, now: Timestamp) -> Outcome {
    let message = "The settings are in force";
    conditions::set(item, &Wish::yes(VERIFIED, "VerificationCompleted", message), now);
    Outcome::Applied
}

fn issue(item: &mut Vec<Condition>, scene: &Scene<'_>, seen: Seen<'_>) -> Outcome {
    let changes = match changes(scene, seen) {
        Ok(changes) => changes,
        Err(message) => {
            return Outcome::Failed(Wish::yes(
                "SettingsValidationFailed",
                "SettingsValidationFailed",
                message,
            ));
        }
    };
    let pending = &seen.bios.pending;
    // What the BMC shows decides, not what it answered: it may have taken what it refused.
    let taken = changes.iter().all(|(name, value)| match pending.get(name) {
        Some(pending) => pending == value,
        None => scene.rollback && seen.bios.attributes.get(name) == Some(value),
    });
    let asked = conditions::find(item, ISSUED).is_some();
    // Vendors that show what is pending as if it were in force have nothing left to change.
    if taken && (asked || !changes.is_empty()) {
        let message = "The BMC has taken the settings in";
        conditions::set(item, &Wish::yes(ISSUED, "SettingsUpdateIssued", message), scene.now);
        return Outcome::Progress;
    }
    let foreign = pending.keys().find(|name| !scene.wanted.contains_key(*name));
    if let (Some(name), false) = (foreign, scene.rollback) {
        if asked {
            return Outcome::Failed(Wish::yes(
                "UnknownPendingSettingState",
                "UnexpectedPendingSettings",
                format!("The BMC has staged attributes that nobody has asked for, among them {name}"),
            ));
        }
        let message = format!("Somebody else has staged attributes, among them {name}; they are waited for");
        conditions::set(item, &Wish::no(ISSUED, "SettingsUpdateWaiting", message), scene.now);
        return Outcome::Wait;
    }
    if changes.is_empty() {
        // In force since it was validated: somebody was faster.
        return verified(item, scene.now);
    }
    // On record before it is sent. Sent again, it changes nothing.
    if conditions::find(item, ISSUED).is_none_or(|known| known.reason == "SettingsUpdateWaiting") {
        let message = "The settings are being sent to the BMC";
        conditions::set(item, &Wish::no(ISSUED, "SettingsUpdateIssuing", message), scene.now);
    }
    Outcome::Stage(changes)
}

/// The attributes to write. Those that are staged with another value count as different, too.
fn changes(scene: &Scene<'_>, seen: Seen<'_>) -> Result<Map<String, Value>, String> {
    let mut changes = Map::new();
    for (name, text) in scene.wanted {
        let current = seen.bios.attributes.get(name);
        let differs = seen.registry.differs(name, text, current) || seen.bios.pending.contains_key(name);
        if differs {
            let value = seen.registry.value(name, text, current);
            changes.insert(name.clone(), value.map_err(|error| error.to_string())?);
        }
    }
    Ok(changes)
}

fn missing<'a>(scene: &Scene<'a>, seen: Seen<'_>) -> Vec<&'a String> {
    differences(seen.registry, scene.wanted, &seen.bios.attributes)
}

fn is_in_force(scene: &Scene<'_>, seen: Seen<'_>) -> bool {
    missing(scene, seen).is_empty()
}

fn is_not_pending(scene: &Scene<'_>, seen: Seen<'_>) -> bool {
    !scene.wanted.keys().any(|name| seen.bios.pending.contains_key(name))
}

fn list(names: Vec<&String>) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
