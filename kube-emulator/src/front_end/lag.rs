//! How far behind the log a watch cache is.
//!
//! A cache never forgets what it has seen: when its lag grows, it stands still until the lag is that long.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// The lag of one resource's cache at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    behind: Duration,
    /// What was committed up to this revision has been seen, whatever the lag.
    seen: u64,
}

impl Lag {
    /// Whether the cache has everything.
    pub(crate) fn is_none(self) -> bool {
        self.behind.is_zero()
    }

    /// The newest revision in the cache. `newest` tells the newest one of the log at a moment.
    pub(crate) fn revision(self, now: Instant, newest: impl Fn(Instant) -> u64) -> u64 {
        now.checked_sub(self.behind).map_or(0, newest).max(self.seen)
    }

    /// When a commit comes into the cache; `None` is never, as long as the lag stays.
    pub(crate) fn due(self, revision: u64, committed: Instant) -> Option<Instant> {
        if revision <= self.seen {
            return Some(committed);
        }
        committed.checked_add(self.behind)
    }
}

/// The lags of all resources.
#[derive(Debug, Default)]
pub(super) struct Lags {
    general: Lag,
    /// Resources that have, or had, a lag of their own (`None` follows the general one), and what they have seen.
    special: BTreeMap<String, (Option<Duration>, u64)>,
}

impl Lags {
    pub(super) fn of(&self, plural: &str) -> Lag {
        match self.special.get(plural) {
            None => self.general,
            Some(&(Some(behind), seen)) => Lag { behind, seen },
            Some(&(None, seen)) => Lag {
                seen: self.general.seen.max(seen),
                ..self.general
            },
        }
    }

    pub(super) fn set(&mut self, behind: Duration, now: Instant, newest: impl Fn(Instant) -> u64) {
        let seen = self.general.revision(now, newest);
        self.general = Lag { behind, seen };
    }

    pub(super) fn set_for(
        &mut self,
        plural: &str,
        behind: Option<Duration>,
        now: Instant,
        newest: impl Fn(Instant) -> u64,
    ) {
        let seen = self.of(plural).revision(now, newest);
        self.special.insert(plural.to_owned(), (behind, seen));
    }

    /// All caches have everything up to a revision.
    pub(super) fn see(&mut self, revision: u64) {
        self.general.seen = revision;
        for (_, seen) in self.special.values_mut() {
            *seen = revision;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A log with a commit every second, revision 0 at its start.
    fn log(start: Instant) -> impl Fn(Instant) -> u64 {
        move |moment| moment.saturating_duration_since(start).as_secs()
    }

    #[test]
    fn a_cache_never_goes_back() {
        let start = Instant::now();
        let at = |seconds| start + seconds * SECOND;
        let mut lags = Lags::default();
        assert!(lags.of("pods").is_none());
        lags.set(10 * SECOND, at(100), log(start));
        let revision = |lags: &Lags, seconds| lags.of("pods").revision(at(seconds), log(start));
        assert_eq!(revision(&lags, 101), 100, "it stands still");
        assert_eq!(revision(&lags, 115), 105);
        lags.set(20 * SECOND, at(115), log(start));
        assert_eq!(revision(&lags, 116), 105);
        let due = |lags: &Lags, revision| lags.of("pods").due(revision, at(revision as u32));
        assert_eq!(due(&lags, 105), Some(at(105)), "seen already");
        assert_eq!(due(&lags, 106), Some(at(126)));
        lags.set(Duration::ZERO, at(117), log(start));
        assert!(lags.of("pods").is_none());
    }

    #[test]
    fn one_resource_may_lag_by_itself() {
        let start = Instant::now();
        let at = |seconds| start + seconds * SECOND;
        let mut lags = Lags::default();
        lags.set_for("pods", Some(10 * SECOND), at(100), log(start));
        assert!(lags.of("nodes").is_none());
        lags.set(2 * SECOND, at(101), log(start));
        assert_eq!(lags.of("pods").revision(at(105), log(start)), 100);
        lags.set_for("pods", None, at(105), log(start));
        assert_eq!(lags.of("pods").revision(at(105), log(start)), 103);
    }

    #[test]
    fn a_lag_without_end_is_a_cache_that_stands() {
        let start = Instant::now();
        let mut lags = Lags::default();
        lags.set(Duration::MAX, start, log(start));
        assert_eq!(lags.of("pods").due(1, start + SECOND), None);
        lags.see(1);
        assert_eq!(lags.of("pods").due(1, start + SECOND), Some(start + SECOND));
    }
}
