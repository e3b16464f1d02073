//! Accounts are locked after too many wrong passwords (DSP0268, AccountService).

use std::time::Duration;

use tokio::time::Instant;

/// `AccountLockoutThreshold`, `AccountLockoutDuration` and `AccountLockoutCounterResetAfter`, the latter two in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lockout {
    /// 0: accounts are never locked.
    pub threshold: u32,
    pub duration: u32,
    pub reset_after: u32,
}

impl Lockout {
    pub(crate) const OFF: Self = Self {
        threshold: 0,
        duration: 0,
        reset_after: 0,
    };
}

/// Logins with a wrong password, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    count: u32,
    last: Option<Instant>,
    locked_until: Option<Instant>,
}

impl Failures {
    pub(super) fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    pub(super) fn add(&mut self, lockout: Lockout, now: Instant) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let forgotten = |last: Instant| {
            lockout.reset_after > 0 && now.saturating_duration_since(last) >= seconds(lockout.reset_after)
        };
        if self.last.is_some_and(forgotten) {
            self.count = 0;
        }
        self.count += 1;
        self.last = Some(now);
        if lockout.threshold > 0 && self.count >= lockout.threshold {
            self.count = 0;
            self.locked_until = Some(now + seconds(lockout.duration));
        }
    }
}
