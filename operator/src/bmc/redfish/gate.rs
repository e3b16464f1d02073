//! Refused credentials are not tried again at once: failed logins lock accounts (bugs.md group H, S12).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::sabotage::{self, Bug};

/// The back-off of one set of credentials at one BMC.
pub(in crate::bmc) struct LoginGate {
    base: Duration,
    max: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refusals: u32,
    closed_until: Option<Instant>,
}

impl LoginGate {
    /// An open gate.
    pub(in crate::bmc) fn new(base: Duration, max: Duration) -> Self {
        Self {
            base,
            max,
            state: Mutex::default(),
        }
    }

    /// Whether a login may be tried; otherwise how long not.
    pub(super) fn check(&self) -> Result<(), Duration> {
        match self.state().closed_until {
            // Incident 126.
            _ if sabotage::active(Bug::LoginWithoutBackoff) => Ok(()),
            Some(until) if Instant::now() < until => Err(until - Instant::now()),
            _ => Ok(()),
        }
    }

    /// The BMC refused: closes the gate and says for how long.
    pub(super) fn refused(&self) -> Duration {
        let mut state = self.state();
        let pause = self
            .base
            .saturating_mul(2_u32.saturating_pow(state.refusals))
            .min(self.max);
        state.refusals = state.refusals.saturating_add(1);
        state.closed_until = Some(Instant::now() + pause);
        pause
    }

    /// The BMC accepted.
    pub(super) fn accepted(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_close_for_longer_and_longer() {
        let gate = LoginGate::new(Duration::from_secs(60), Duration::from_secs(200));
        assert_eq!(gate.check(), Ok(()));
        assert_eq!(gate.refused(), Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(gate.check(), Err(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(gate.check(), Ok(()));
        assert_eq!(gate.refused(), Duration::from_secs(120));
        assert_eq!(gate.refused(), Duration::from_secs(200));
        gate.accepted();
        assert_eq!(gate.check(), Ok(()));
        assert_eq!(gate.refused(), Duration::from_secs(60));
    }
}
