//! What a campaign has reached: a campaign in which nothing happened proves nothing.

use super::class::{FaultClass, UserClass};
use super::profile::Profile;
use crate::engine::world::state;
use crate::testbed::WorldEvent;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Coverage {
    pub faults: BTreeMap<FaultClass, u64>,
    pub users: BTreeMap<UserClass, u64>,
    /// States a Server was stored in.
    pub states: BTreeMap<String, u64>,
    /// `from → to`.
    pub transitions: BTreeMap<String, u64>,
}

/// States every campaign has to reach.
const STATES: [&str; 7] = [
    "Initial",
    "Discovery",
    "Available",
    "Reserved",
    "Cleanup",
    "Released",
    "Error",
];
/// Transitions of the operator's table (operator/src/controllers/server/state/mod.rs) every campaign has to see.
const TRANSITIONS: [&str; 10] = [
    "none → Initial",
    "Initial → Discovery",
    "Discovery → Available",
    "Discovery → Initial",
    "Available → Reserved",
    "Reserved → Cleanup",
    "Reserved → Released",
    "Cleanup → Available",
    "Cleanup → Error",
    "Error → Cleanup",
];

impl Coverage {
    pub(super) fn event(&mut self, event: &WorldEvent) {
        let WorldEvent::Kube(commit) = event else { return };
        if commit.kind != "Server" {
            return;
        }
        let Some(now) = state(&commit.object) else { return };
        let before = commit.previous.as_deref().and_then(state).unwrap_or("none");
        if before != now {
            *self.states.entry(now.to_owned()).or_default() += 1;
            *self.transitions.entry(format!("{before} → {now}")).or_default() += 1;
        }
    }

    /// Everything of both.
    pub fn add(&mut self, other: &Self) {
        fn add<K: Ord + Clone>(ours: &mut BTreeMap<K, u64>, theirs: &BTreeMap<K, u64>) {
            for (key, count) in theirs {
                *ours.entry(key.clone()).or_default() += count;
            }
        }
        add(&mut self.faults, &other.faults);
        add(&mut self.users, &other.users);
        add(&mut self.states, &other.states);
        add(&mut self.transitions, &other.transitions);
    }

    /// What a campaign with this profile should have reached and has not.
    #[must_use]
    pub fn missing(&self, profile: &Profile) -> Vec<String> {
        let faults = profile.faults.iter().filter(|(_, rate)| rate.per_hour > 0.0);
        let faults = faults
            .filter(|(class, _)| !self.faults.contains_key(class))
            .map(|(class, _)| format!("fault {class}"));
        let users = profile.users.iter().filter(|(_, rate)| rate.per_hour > 0.0);
        let users = users
            .filter(|(class, _)| !self.users.contains_key(class))
            .map(|(class, _)| format!("action {class}"));
        let states = STATES
            .iter()
            .filter(|state| !self.states.contains_key(**state))
            .map(|state| format!("state {state}"));
        let transitions = TRANSITIONS
            .iter()
            .filter(|transition| !self.transitions.contains_key(**transition))
            .map(|transition| format!("transition {transition}"));
        faults.chain(users).chain(states).chain(transitions).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<K: fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
            let counts: Vec<String> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
            counts.join(", ")
        }
        writeln!(formatter, "faults        {}", list(&self.faults))?;
        writeln!(formatter, "actions       {}", list(&self.users))?;
        writeln!(formatter, "states        {}", list(&self.states))?;
        write!(formatter, "transitions   {}", list(&self.transitions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_missing_is_named() {
        let profile = "name: x\ndescription: x\nlasts: 1h\nfaults: { bmc-reboot: { perHour: 1, lasts: [1s, 2s] } }\n";
        let profile = Profile::parse(profile, Path::new("x.yaml")).expect("valid");
        let mut coverage = Coverage::default();
        assert!(coverage.missing(&profile).contains(&"fault bmc-reboot".to_owned()));
        let other = Coverage {
            faults: BTreeMap::from([(FaultClass::BmcReboot, 3)]),
            ..Coverage::default()
        };
        coverage.add(&other);
        coverage.add(&other);
        assert_eq!(coverage.faults[&FaultClass::BmcReboot], 6);
        assert!(!coverage.missing(&profile).contains(&"fault bmc-reboot".to_owned()));
        assert!(coverage.missing(&profile).contains(&"state Cleanup".to_owned()));
    }
}
