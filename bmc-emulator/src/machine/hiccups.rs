//! Refusals that pass: BMCs that need a second try, or some patience.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Machine;
use crate::quirk::Quirk;

#[derive(Debug, Default)]
pub(crate) struct Hiccups {
    /// What has failed, and will work when it is tried again.
    failed: BTreeSet<Quirk>,
    pub power_changed: Option<Instant>,
    pub bmc_restarted: Option<Instant>,
    pub media_ejected: Option<Instant>,
    /// Whether the last reset was one that this machine does not get over ([`Quirk::ForceRestartHangs`]).
    pub hangs: bool,
}

impl Machine {
    /// Whether a try fails: every first one does, and the one after it works.
    pub(crate) fn stumbles(&mut self, quirk: Quirk) -> bool {
        if !self.has(quirk) {
            return false;
        }
        let fails = self.hiccups.failed.insert(quirk);
        if !fails {
            self.hiccups.failed.remove(&quirk);
        }
        fails
    }

    /// Whether something that disturbs this BMC has happened less than `patience` ago.
    pub(crate) fn is_disturbed(&self, quirk: Quirk, since: Option<Instant>, patience: Duration, now: Instant) -> bool {
        let passed = since.map(|since| now.saturating_duration_since(since));
        self.has(quirk) && passed.is_some_and(|passed| passed < self.scaled(patience))
    }
}
