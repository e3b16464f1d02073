//! What goes wrong on links of a network, while it lasts. Each disturbance draws from a stream of its own, so that one more or one less
//! changes nothing about the others.

use super::party::{Parties, Party};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What happens to a message and its answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Trouble {
    /// Request and answer take up to this much longer, each.
    Slow { milliseconds: u64 },
    /// Nobody listens.
    Refuse,
    /// The request never arrives, and the sender waits for an answer until it loses patience.
    LoseRequest,
    /// The request takes effect, and the sender waits for an answer until it loses patience.
    LoseAnswer,
    /// The connection breaks before the request has arrived.
    BreakBefore,
    /// The connection breaks after the request has taken effect: whoever sent it cannot know.
    BreakAfter,
    /// Nothing moves until the disturbance is over: a sender that is suspended, or a router that keeps packets.
    Hold,
    /// The request arrives a second time, after the first was answered.
    Duplicate { milliseconds: u64 },
    /// Something on the way answers instead, with this HTTP status. The request takes no effect.
    Answer { status: u16 },
}

/// A disturbance and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disturbance {
    pub from: Parties,
    pub to: Parties,
    pub trouble: Trouble,
    /// How many of a hundred requests it meets.
    #[serde(default = "all")]
    pub percent: u8,
}

fn all() -> u8 {
    100
}

/// What becomes of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Before the request arrives, and again before its answer does.
    pub delay: Duration,
    /// It does not move before this.
    pub held_until: Option<Instant>,
    pub trouble: Option<Trouble>,
}

/// All disturbances that last at the moment.
#[derive(Debug, Default)]
pub(super) struct Disturbances(BTreeMap<u64, Active>);

#[derive(Debug)]
struct Active {
    disturbance: Disturbance,
    ends: Instant,
    random: ChaCha8Rng,
    /// Requests it has met.
    met: u64,
}

impl Disturbances {
    pub(super) fn begin(&mut self, id: u64, seed: u64, disturbance: Disturbance, ends: Instant) {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(b"disturbance")
            .chain_update(id.to_le_bytes())
            .finalize();
        let random = ChaCha8Rng::from_seed(digest.into());
        let active = Active {
            disturbance,
            ends,
            random,
            met: 0,
        };
        self.0.insert(id, active);
    }

    /// How many requests it has met.
    pub(super) fn end(&mut self, id: u64) -> u64 {
        self.0.remove(&id).map(|active| active.met).unwrap_or_default()
    }

    /// Decides about one request. The first disturbance that does more than to slow it down wins.
    pub(super) fn judge(&mut self, from: &Party, to: &Party, now: Instant) -> Fate {
        let mut fate = Fate::default();
        for active in self.0.values_mut() {
            let Disturbance {
                from: senders,
                to: receivers,
                trouble,
                percent,
            } = &active.disturbance;
            if now >= active.ends || !senders.include(from) || !receivers.include(to) {
                continue;
            }
            if active.random.random_range(0..100) >= *percent {
                continue;
            }
            match trouble {
                Trouble::Slow { milliseconds } => {
                    fate.delay += Duration::from_millis(active.random.random_range(0..=*milliseconds));
                }
                Trouble::Hold => fate.held_until = fate.held_until.max(Some(active.ends)),
                _ if fate.trouble.is_some() => continue,
                trouble => fate.trouble = Some(trouble.clone()),
            }
            active.met += 1;
        }
        fate
    }

    /// Until when an answer on its way back is held.
    pub(super) fn holds(&self, from: &Party, to: &Party, now: Instant) -> Option<Instant> {
        let holds = self.0.values().filter(|active| {
            active.disturbance.trouble == Trouble::Hold
                && now < active.ends
                && active.disturbance.from.include(from)
                && active.disturbance.to.include(to)
        });
        holds.map(|active| active.ends).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(ids: &[u64]) -> Vec<bool> {
        let now = Instant::now();
        let mut all = Disturbances::default();
        for id in ids {
            let disturbance = Disturbance {
                from: "operator-*".into(),
                to: Parties(format!("bmc/{id}")),
                trouble: Trouble::Refuse,
                percent: 50,
            };
            all.begin(*id, 1, disturbance, now + Duration::from_secs(1));
        }
        let mut fate = |to: &str| {
            all.judge(&Party::new("operator-1"), &Party::new(to), now)
                .trouble
                .is_some()
        };
        (0..40)
            .map(|_| {
                fate("bmc/2");
                fate("bmc/1")
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_disturbance_does_not_change_another() {
        let alone = fates(&[1]);
        assert!(alone.contains(&true) && alone.contains(&false));
        assert_eq!(alone, fates(&[1, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_the_end() {
        let now = Instant::now();
        let mut all = Disturbances::default();
        let disturbance = Disturbance {
            from: "*".into(),
            to: "api".into(),
            trouble: Trouble::Slow { milliseconds: 1000 },
            percent: 100,
        };
        all.begin(1, 1, disturbance, now + Duration::from_secs(1));
        let (user, api) = (Party::new("user"), Party::new("api"));
        assert_ne!(all.judge(&user, &api, now), Fate::default());
        assert_eq!(all.judge(&user, &api, now + Duration::from_secs(1)), Fate::default());
        assert_eq!(all.end(1), 1);
    }
}
