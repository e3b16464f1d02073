//! Since when BMCs were heard. That a BMC has a subscription proves nothing about the network between it and us; that something has arrived does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wake-ups that a BMC may cause at once.
const BURST: u32 = 10;
/// After that, one in this time.
const REFILL: Duration = Duration::from_secs(1);

/// What is known of one BMC.
struct Ear {
    heard: Instant,
    /// Wake-ups left, as of the last one.
    budget: u32,
    refilled: Instant,
}

/// All BMCs, by name.
#[derive(Default)]
pub(super) struct Ears(Mutex<BTreeMap<String, Ear>>);

impl Ears {
    /// Something of this BMC has arrived.
    pub(super) fn heard(&self, bmc: &str) {
        let now = Instant::now();
        let mut ears = self.lock();
        match ears.get_mut(bmc) {
            Some(ear) => ear.heard = now,
            None => {
                let ear = Ear {
                    heard: now,
                    budget: BURST,
                    refilled: now,
                };
                ears.insert(bmc.to_owned(), ear);
            }
        }
    }

    /// Takes one wake-up from the budget of a BMC that was heard.
    pub(super) fn may_wake(&self, bmc: &str) -> bool {
        let now = Instant::now();
        let mut ears = self.lock();
        let Some(ear) = ears.get_mut(bmc) else { return false };
        let earned = now.duration_since(ear.refilled).as_secs() / REFILL.as_secs();
        if earned > 0 {
            ear.budget = BURST.min(ear.budget.saturating_add(u32::try_from(earned).unwrap_or(BURST)));
            ear.refilled = now;
        }
        let left = ear.budget.checked_sub(1);
        ear.budget = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether it was heard lately: each `resync` it is asked to say something, and half of one more is grace.
    pub(super) fn hears(&self, bmc: &str, resync: Duration) -> bool {
        self.silence(bmc).is_some_and(|silence| silence < resync.mul_f64(1.5))
    }

    /// Whether it would otherwise be silent too long.
    pub(super) fn wants_proof(&self, bmc: &str, resync: Duration) -> bool {
        self.silence(bmc).is_none_or(|silence| silence >= resync.mul_f64(0.75))
    }

    pub(super) fn forget(&self, bmc: &str) {
        self.lock().remove(bmc);
    }

    fn silence(&self, bmc: &str) -> Option<Duration> {
        Some(self.lock().get(bmc)?.heard.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Ear>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESYNC: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_asked_first_and_then_polled() {
        let ears = Ears::default();
        assert!(ears.wants_proof("a", RESYNC) && !ears.hears("a", RESYNC));
        ears.heard("a");
        for (seconds, hears, wants_proof) in [
            (0, true, false),
            (449, true, false),
            (450, true, true),
            (899, true, true),
            (900, false, true),
        ] {
            let ears = Ears::default();
            ears.heard("a");
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!(
                (ears.hears("a", RESYNC), ears.wants_proof("a", RESYNC)),
                (hears, wants_proof),
                "{seconds}"
            );
        }
        ears.forget("a");
        assert!(!ears.hears("a", RESYNC));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bmc_gone_mad_wakes_nobody_for_long() {
        let ears = Ears::default();
        ears.heard("mad");
        ears.heard("calm");
        let woken = (0..1000).filter(|_| ears.may_wake("mad")).count();
        assert_eq!(woken, 10);
        assert!(ears.may_wake("calm"), "others are heard all the same");
        tokio::time::advance(Duration::from_secs(3)).await;
        let woken = (0..1000).filter(|_| ears.may_wake("mad")).count();
        assert_eq!(woken, 3);
    }
}
