//! A random but legal stream of what people do: claims that exist are released, machines that exist are labelled.

use super::class::UserClass;
use super::draw::Draw;
use super::machines;
use super::plan::{Entry, What};
use super::profile::Profile;
use super::servicing::{Consent, Maintenance};
use super::user::UserAction;
use crate::script::steps::ScenarioDuration;
use std::time::Duration;

/// Numbers of entries of people begin here, after those of all faults.
const FIRST: u64 = 10_000_000;

/// Draws the actions of one plan.
pub(super) struct Users<'a> {
    profile: &'a Profile,
    servers: u32,
    seed: u64,
    draw: Draw,
    /// Names of claims that exist.
    claims: Vec<String>,
    /// How many claims and maintenances were made.
    made: u32,
}

impl<'a> Users<'a> {
    pub(super) fn new(profile: &'a Profile, servers: u32, seed: u64) -> Self {
        Self {
            profile,
            servers,
            seed,
            draw: Draw::new(seed, "users"),
            claims: Vec::new(),
            made: 0,
        }
    }

    pub(super) fn entries(mut self) -> Vec<Entry> {
        let lasts = self.profile.lasts.0;
        let mut when: Vec<(Duration, UserClass)> = Vec::new();
        for (class, rate) in &self.profile.users {
            let mut draw = Draw::new(self.seed, &format!("users/{class}"));
            let expected = rate.per_hour * lasts.as_secs_f64() / 3600.0 * f64::from(self.servers);
            when.extend((0..draw.count(expected)).map(|_| (draw.duration(Duration::ZERO, lasts), *class)));
        }
        when.sort();
        let mut entries = Vec::new();
        for (at, class) in when {
            let Some(action) = self.action(class) else { continue };
            entries.push(Entry {
                id: FIRST + u64::try_from(entries.len()).unwrap_or_default(),
                at: ScenarioDuration(at),
                what: What::User { class, action },
            });
        }
        entries
    }

    /// `None` where there is nothing to do it to.
    fn action(&mut self, class: UserClass) -> Option<UserAction> {
        use UserClass as C;
        let machine = machines::name(u32::try_from(self.draw.index(self.servers as usize)).unwrap_or_default());
        let on = self.draw.percent(80);
        Some(match class {
            C::Register => UserAction::Register { machine },
            C::Unregister => UserAction::Unregister { machine },
            C::Claim => self.claim(false, None, on)?,
            C::ClaimBySelector => self.claim(true, None, on)?,
            C::ClaimByName => self.claim(false, Some(machine), on)?,
            C::GuardedClaim => {
                let UserAction::Claim { name, .. } = self.claim(false, None, on)? else {
                    return None;
                };
                let after = self.draw.duration(Duration::from_secs(1), Duration::from_secs(20));
                UserAction::GuardedClaim {
                    name,
                    after: ScenarioDuration(after),
                }
            }
            C::Release => UserAction::Release {
                name: self.forget_claim()?,
            },
            C::ForceDelete => UserAction::ForceDelete {
                name: self.forget_claim()?,
            },
            C::Recreate => UserAction::Recreate {
                name: self.some_claim()?,
            },
            C::Power => UserAction::Power {
                name: self.some_claim()?,
                on,
            },
            C::Label => UserAction::Label { machine, on },
            C::Cordon => UserAction::Cordon {
                machine,
                on: self.draw.percent(50),
            },
            C::Retain => UserAction::Retain {
                machine,
                on: self.draw.percent(50),
            },
            C::Touch => UserAction::Touch {
                kind: (*self.draw.one_of(&["Server", "BMC"])).to_owned(),
                machine,
                value: (self.draw.number() % 1000).to_string(),
            },
            C::Retry => UserAction::Retry { machine },
            C::DeleteServer => UserAction::DeleteServer { machine },
            C::DeleteBootConfiguration => UserAction::DeleteBootConfiguration { machine },
            C::DeleteCredentials => UserAction::DeleteCredentials { machine },
            C::RotatePassword => UserAction::RotatePassword {
                password: format!("canary-rotated-{:08x}", self.draw.number() as u32),
                machine,
            },
            C::BootOrder => UserAction::BootOrder { machine, on },
            C::Restart => UserAction::Restart { machine },
            C::ResetBmc => UserAction::ResetBmc { machine },
            C::ForceRecreate => UserAction::ForceRecreate {
                name: self.some_claim()?,
            },
            C::Maintain => self.maintenance(machine),
            C::Park => UserAction::Park {
                machine,
                lasts: ScenarioDuration(self.draw.duration(Duration::from_secs(60), Duration::from_secs(3600))),
            },
            C::TenantPowersOff => UserAction::TenantPowersOff { machine },
        })
    }

    fn maintenance(&mut self, machine: String) -> UserAction {
        self.made += 1;
        let consent = *self
            .draw
            .one_of(&[Consent::NotAsked, Consent::Given, Consent::Given, Consent::Withheld]);
        let power = self
            .draw
            .one_of(&[None, Some("On"), Some("On"), Some("Off")])
            .map(str::to_owned);
        UserAction::Maintain {
            maintenance: Maintenance {
                name: format!("maintenance-{}", self.made),
                machine,
                consent,
                power,
                tools: self.draw.percent(40),
                priority: i32::try_from(self.draw.index(3)).unwrap_or_default(),
            },
            lasts: ScenarioDuration(self.draw.duration(Duration::from_secs(60), Duration::from_secs(5400))),
        }
    }

    /// Never more claims than half as many again as there are servers: waiting is part of it, starving is not.
    fn claim(&mut self, selector: bool, machine: Option<String>, on: bool) -> Option<UserAction> {
        if self.claims.len() as f64 >= f64::from(self.servers) * 1.5 {
            return None;
        }
        self.made += 1;
        let name = format!("tenant-{}", self.made);
        self.claims.push(name.clone());
        Some(UserAction::Claim {
            name,
            selector,
            machine,
            on,
        })
    }

    fn some_claim(&mut self) -> Option<String> {
        let index = self.draw.index(self.claims.len());
        self.claims.get(index).cloned()
    }

    fn forget_claim(&mut self) -> Option<String> {
        let index = self.draw.index(self.claims.len());
        (index < self.claims.len()).then(|| self.claims.remove(index))
    }
}
