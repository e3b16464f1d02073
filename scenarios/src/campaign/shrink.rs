//! From a plan that fails to a smaller one that fails in the same way: fewer machines, then fewer entries, then shorter faults (delta
//! debugging, after Zeller and Hildebrandt 2002).

use super::plan::{Entry, Plan, What};
use super::{machines, user::UserAction};
use crate::script::steps::ScenarioDuration;
use std::time::Duration;

/// Tries plans, in whatever order; the first of them, in the order given, that fails as the first one did.
pub trait Trial {
    fn first_failing(&mut self, candidates: &[Plan]) -> Option<usize>;
}

impl<F: FnMut(&[Plan]) -> Option<usize>> Trial for F {
    fn first_failing(&mut self, candidates: &[Plan]) -> Option<usize> {
        self(candidates)
    }
}

/// The smallest plan found. `failed_at` is when `plan` failed: what happens later cannot matter.
pub fn shrink(plan: &Plan, failed_at: Duration, trial: &mut dyn Trial) -> Plan {
    let mut smallest = plan.clone();
    take(&mut smallest, vec![cut_off(plan, failed_at)], trial);
    loop {
        let before = size(&smallest);
        fewer_machines(&mut smallest, trial);
        fewer_entries(&mut smallest, trial);
        if size(&smallest) == before {
            break;
        }
    }
    shorter(&mut smallest, trial);
    smallest
}

fn size(plan: &Plan) -> (usize, usize) {
    (plan.machines.len(), plan.entries.len())
}

/// Replaces `plan` by the first candidate that fails, too.
fn take(plan: &mut Plan, candidates: Vec<Plan>, trial: &mut dyn Trial) -> bool {
    let candidates: Vec<Plan> = candidates.into_iter().filter(|candidate| candidate != plan).collect();
    if candidates.is_empty() {
        return false;
    }
    match trial.first_failing(&candidates) {
        Some(index) => {
            *plan = candidates[index].clone();
            true
        }
        None => false,
    }
}

/// Nothing happens after this.
fn cut_off(plan: &Plan, at: Duration) -> Plan {
    let lasts = plan.lasts.0.min(at + Duration::from_secs(1));
    let mut shorter = plan.clone();
    shorter.lasts = ScenarioDuration(lasts);
    shorter.entries.retain(|entry| entry.at.0 <= lasts);
    shorter
}

/// First halves, then one after the other.
fn fewer_machines(plan: &mut Plan, trial: &mut dyn Trial) {
    let mut part = plan.machines.len() / 2;
    while part >= 1 {
        let mut start = 0;
        while start < plan.machines.len() && plan.machines.len() > 1 {
            let end = (start + part).min(plan.machines.len());
            let candidates = vec![without_machines(plan, &plan.machines[start..end])];
            if candidates[0].machines.is_empty() || !take(plan, candidates, trial) {
                start = end;
            }
        }
        part /= 2;
    }
}

fn without_machines(plan: &Plan, gone: &[u32]) -> Plan {
    let mut smaller = plan.clone();
    smaller.machines.retain(|number| !gone.contains(number));
    let names: Vec<String> = gone.iter().map(|number| machines::name(*number)).collect();
    smaller
        .entries
        .retain(|entry| machine_of(entry).is_none_or(|machine| !names.iter().any(|name| name == machine)));
    smaller
}

fn machine_of(entry: &Entry) -> Option<&str> {
    match &entry.what {
        What::Fault { mishap, .. } => mishap.machine(),
        What::User { action, .. } => action.machine(),
    }
}

/// Parts of half the size, a quarter, …, one entry. A claim goes together with everything that is done to it.
fn fewer_entries(plan: &mut Plan, trial: &mut dyn Trial) {
    let mut part = plan.entries.len().div_ceil(2);
    while part >= 1 {
        let mut start = 0;
        while start < plan.entries.len() {
            let end = (start + part).min(plan.entries.len());
            if !take(plan, vec![without_entries(plan, start, end)], trial) {
                start = end;
            }
        }
        part = if part == 1 { 0 } else { part.div_ceil(2) };
    }
}

fn without_entries(plan: &Plan, start: usize, end: usize) -> Plan {
    let gone = &plan.entries[start..end];
    let claims: Vec<&str> = gone
        .iter()
        .filter_map(|entry| match &entry.what {
            What::User {
                action: UserAction::Claim { name, .. },
                ..
            } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let mut smaller = plan.clone();
    smaller.entries = plan
        .entries
        .iter()
        .filter(|entry| !gone.contains(entry))
        .filter(|entry| match &entry.what {
            What::User { action, .. } => action.claim().is_none_or(|claim| !claims.contains(&claim)),
            What::Fault { .. } => true,
        })
        .cloned()
        .collect();
    smaller
}

fn shorter(plan: &mut Plan, trial: &mut dyn Trial) {
    for index in 0..plan.entries.len() {
        loop {
            let mut candidate = plan.clone();
            let What::Fault { lasts, .. } = &mut candidate.entries[index].what else {
                break;
            };
            let half = Duration::from_secs(lasts.0.as_secs() / 2);
            if half < Duration::from_secs(1) {
                break;
            }
            *lasts = ScenarioDuration(half);
            if !take(plan, vec![candidate], trial) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::class::UserClass;
    use super::super::{generate, profile::Profile};
    use super::*;
    use std::path::Path;

    #[test]
    fn what_matters_stays() {
        let text = "name: x\ndescription: x\nlasts: 2h\nfaults:\n  bmc-reboot: { perHour: 3, lasts: [1s, 2s] }\n  watch-cut: { perHour: 9, lasts: [1s, 60s] }\nusers:\n  claim: { perHour: 4 }\n  release: { perHour: 2 }\n";
        let profile = Profile::parse(text, Path::new("x.yaml")).expect("valid");
        let plan = generate(&profile, 12, 5);
        // A failure of two: a certain machine reboots its BMC, and a certain claim exists.
        let name = plan
            .entries
            .iter()
            .find_map(|entry| match &entry.what {
                What::User {
                    action,
                    class: UserClass::Claim,
                } => action.claim().map(str::to_owned),
                _ => None,
            })
            .expect("a claim");
        let machine = plan
            .entries
            .iter()
            .find_map(|entry| match &entry.what {
                What::Fault { mishap, .. } => mishap.machine().map(str::to_owned),
                What::User { .. } => None,
            })
            .expect("a reboot");
        let fails = |plan: &Plan| {
            let is = |entry: &Entry| match &entry.what {
                What::User {
                    action,
                    class: UserClass::Claim,
                } => action.claim() == Some(&name),
                _ => false,
            };
            let reboots =
                |entry: &Entry| matches!(&entry.what, What::Fault { mishap, .. } if mishap.machine() == Some(&machine));
            plan.entries.iter().any(is) && plan.entries.iter().any(reboots)
        };
        let mut tried = 0;
        let mut trial = |candidates: &[Plan]| {
            tried += candidates.len();
            candidates.iter().position(fails)
        };
        let small = shrink(&plan, Duration::from_secs(7200), &mut trial);
        assert!(plan.entries.len() > 50, "{}", plan.entries.len());
        assert_eq!((small.machines.len(), small.entries.len()), (1, 2), "{small:#?}");
        assert!(tried < 200, "{tried}");
    }
}
