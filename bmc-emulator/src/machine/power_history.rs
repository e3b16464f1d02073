//! The power states a BMC has shown, as far back as the oldest reading that a fault asks for.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::power::PowerState;

#[derive(Debug)]
pub(crate) struct PowerHistory {
    /// What was shown before all `changes`.
    oldest: PowerState,
    changes: VecDeque<(Instant, PowerState)>,
}

impl PowerHistory {
    pub(crate) fn new(state: PowerState) -> Self {
        Self {
            oldest: state,
            changes: VecDeque::new(),
        }
    }

    /// Whether `state` is another one than before. Changes that nobody can miss any more, `reach` ago, are forgotten.
    pub(crate) fn record(&mut self, state: PowerState, now: Instant, reach: Duration) -> bool {
        let changed = self.before(now, Duration::ZERO) != state;
        if changed {
            self.changes.push_back((now, state));
        }
        while let Some((_, known)) = self
            .changes
            .pop_front_if(|(since, _)| now.saturating_duration_since(*since) >= reach)
        {
            self.oldest = known;
        }
        changed
    }

    /// The state that was shown `age` before `now`, as far as it is known.
    pub(crate) fn before(&self, now: Instant, age: Duration) -> PowerState {
        let mut newest_first = self.changes.iter().rev();
        newest_first
            .find(|(since, _)| now.saturating_duration_since(*since) >= age)
            .map_or(self.oldest, |(_, state)| *state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_remembered_as_long_as_somebody_can_ask() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let age = Duration::from_secs(10);
        let mut history = PowerHistory::new(PowerState::Off);
        assert!(!history.record(PowerState::Off, at(5), age));
        assert!(history.record(PowerState::PoweringOn, at(20), age));
        assert!(history.record(PowerState::On, at(23), age));
        for (now, expected) in [
            (23, PowerState::Off),
            (29, PowerState::Off),
            (30, PowerState::PoweringOn),
            (33, PowerState::On),
        ] {
            assert_eq!(history.before(at(now), age), expected, "{now}");
            assert_eq!(history.before(at(now), Duration::ZERO), PowerState::On, "{now}");
        }
        assert!(history.record(PowerState::Off, at(60), age));
        assert_eq!(history.changes.len(), 1, "On is what was before");
        assert!(history.record(PowerState::On, at(60), Duration::ZERO));
        assert!(history.changes.is_empty());
    }
}
