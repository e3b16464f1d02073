//! From a seed and a profile to a plan. Every class draws from a stream of its own, so that a profile with one class more gives the same
//! plan and something besides.

use super::class::{FaultClass, UserClass};
use super::draw::Draw;
use super::plan::{Entry, Plan, What};
use super::profile::{Profile, Rate};
use super::users::Users;
use super::{faults, machines};
use crate::script::steps::ScenarioDuration;
use std::time::Duration;

/// Room between numbers of entries of two classes.
const CLASS: u64 = 100_000;
/// Racks come one after the other.
const RACKS: u32 = 4;

/// The plan of a seed.
#[must_use]
pub fn generate(profile: &Profile, servers: u32, seed: u64) -> Plan {
    let lasts = profile.lasts.0;
    let mut entries = registrations(servers, seed);
    for (class, rate) in &profile.faults {
        entries.extend(of_class(*class, rate, servers, lasts, seed));
    }
    entries.extend(Users::new(profile, servers, seed).entries());
    entries.sort_by_key(|entry| (entry.at, entry.id));
    Plan {
        description: String::new(),
        seed,
        machines: (0..servers).collect(),
        lasts: profile.lasts,
        entries,
    }
}

/// Every machine is registered early, rack by rack.
fn registrations(servers: u32, seed: u64) -> Vec<Entry> {
    let mut draw = Draw::new(seed, "racks");
    let mut at = Duration::ZERO;
    let rack = servers.div_ceil(RACKS).max(1);
    (0..servers)
        .map(|number| {
            if number > 0 && number % rack == 0 {
                at += draw.duration(Duration::ZERO, Duration::from_secs(900));
            }
            Entry {
                id: u64::from(number) + 1,
                at: ScenarioDuration(at),
                what: What::User {
                    class: UserClass::Register,
                    action: super::user::UserAction::Register {
                        machine: machines::name(number),
                    },
                },
            }
        })
        .collect()
}

fn of_class(class: FaultClass, rate: &Rate, servers: u32, lasts: Duration, seed: u64) -> Vec<Entry> {
    let mut draw = Draw::new(seed, &format!("faults/{class}"));
    let concerned: Vec<u32> = (0..servers).filter(|_| draw.percent(rate.machines)).collect();
    let of_machines = faults::is_of_machines(class);
    if of_machines && concerned.is_empty() {
        return Vec::new();
    }
    let everywhere = if of_machines { concerned.len() as f64 } else { 1.0 };
    let count = draw.count(rate.per_hour * lasts.as_secs_f64() / 3600.0 * everywhere);
    let first = CLASS * (1 + class as u64);
    (0..count)
        .filter_map(|number| {
            let at = draw.duration(Duration::ZERO, lasts);
            let length = draw.duration(rate.lasts[0].0, rate.lasts[1].0);
            let machine = concerned.get(draw.index(concerned.len())).copied().unwrap_or_default();
            let mishap = faults::draw(class, machine, rate.percent, length, &mut draw)?;
            Some(Entry {
                id: first + number,
                at: ScenarioDuration(at),
                what: What::Fault {
                    class,
                    lasts: ScenarioDuration(length),
                    mishap,
                },
            })
        })
        .collect()
}
