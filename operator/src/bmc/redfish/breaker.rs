//! A BMC that does not answer is not waited for again and again: each wait keeps a worker from BMCs that do. What it costs is one short try
//! in a growing pause, however many controllers ask.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that are taken for accidents.
const ACCIDENTS: u32 = 3;
/// How long a try may take once a BMC is known not to answer.
const TRY: Duration = Duration::from_secs(5);

/// The breaker of one BMC.
pub(in crate::bmc) struct Breaker {
    state: Mutex<State>,
    first_pause: Duration,
    longest_pause: Duration,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// With the usual patience.
    Granted,
    /// Not longer than this: it has not answered lately.
    Try(Duration),
    /// Not before this has passed.
    Refused(Duration),
}

impl Breaker {
    pub(super) fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        Self {
            state: Mutex::default(),
            first_pause,
            longest_pause,
        }
    }

    /// Whether the BMC may be asked. Whoever is allowed to try closes the way for the others meanwhile.
    pub(super) fn check(&self) -> Permission {
        let now = Instant::now();
        let mut state = self.state();
        match state.open_until {
            None => Permission::Granted,
            Some(until) if now < until => Permission::Refused(until - now),
            Some(_) => {
                state.open_until = Some(now + TRY);
                Permission::Try(TRY)
            }
        }
    }

    /// No connection, or no answer in time.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if let Some(excess) = state.failures.checked_sub(ACCIDENTS) {
            let pause = self
                .first_pause
                .saturating_mul(2_u32.saturating_pow(excess))
                .min(self.longest_pause);
            state.open_until = Some(Instant::now() + pause);
        }
    }

    /// It has answered, whatever.
    pub(super) fn answered(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_bmc_costs_one_short_try_now_and_then() {
        let breaker = Breaker::new(seconds(5), seconds(60));
        for _ in 0..2 {
            breaker.failed();
            assert_eq!(breaker.check(), Permission::Granted, "accidents happen");
        }
        for pause in [5, 10, 20, 40, 60, 60] {
            breaker.failed();
            assert_eq!(breaker.check(), Permission::Refused(seconds(pause)));
            tokio::time::advance(seconds(pause)).await;
            assert_eq!(breaker.check(), Permission::Try(TRY));
            assert_eq!(breaker.check(), Permission::Refused(TRY), "one is enough");
        }
        breaker.answered();
        assert_eq!(breaker.check(), Permission::Granted);
        breaker.failed();
        assert_eq!(breaker.check(), Permission::Granted, "from the beginning");
    }
}
