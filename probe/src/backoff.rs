//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubling delays up to a ceiling. A rack that powers up at once must not call at once for ever, so every agent
/// stretches its delays by up to a quarter; the stretch comes from its UUID, which keeps a run repeatable.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    ceiling: Duration,
    /// 0 to 255: how much of the quarter this agent adds.
    spread: u32,
}

impl Backoff {
    pub(crate) fn new(base: Duration, ceiling: Duration, identity: &str) -> Self {
        let spread = identity.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self {
            base,
            ceiling,
            spread: (spread >> 8) & 0xff,
        }
    }

    /// Delay after the given number of failed attempts in a row (1 is the first).
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let doubled = self
            .base
            .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        let delay = doubled.min(self.ceiling);
        delay + delay * self.spread / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_ceiling_and_spreads_agents() {
        let backoff = |identity| Backoff::new(Duration::from_secs(5), Duration::from_secs(60), identity);
        for (failures, seconds) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (33, 60), (u32::MAX, 60)] {
            let delay = backoff("a").after(failures);
            let (low, high) = (Duration::from_secs(seconds), Duration::from_secs(seconds) * 5 / 4);
            assert!(delay >= low && delay <= high, "{failures}: {delay:?}");
        }
        assert_ne!(backoff("0001").after(1), backoff("0002").after(1));
        assert_eq!(backoff("0001").after(3), backoff("0001").after(3));
    }
}
