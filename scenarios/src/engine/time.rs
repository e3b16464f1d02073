//! Scenario time: what a script says about durations, in a world that may run faster than real hardware.

use std::time::Duration;

/// Deadline of an expectation that states none, in scenario time.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);
/// In real time, work that is not simulated (TLS handshakes, reconciles on a busy laptop) does not get faster with the time
/// scale, so no deadline is shorter than this.
const SHORTEST_REAL_DEADLINE: Duration = Duration::from_secs(15);

/// How scenario time passes here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub scale: f64,
    pub is_virtual: bool,
}

impl Pace {
    /// How long a wait of scenario time takes.
    pub(super) fn wait(&self, duration: Duration) -> Duration {
        duration.div_f64(self.scale)
    }

    /// How long to be patient for a deadline in scenario time.
    pub(super) fn deadline(&self, duration: Duration) -> Duration {
        if self.is_virtual {
            duration
        } else {
            self.wait(duration).max(SHORTEST_REAL_DEADLINE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let simulated = Pace {
            scale: 1.0,
            is_virtual: true,
        };
        let fast = Pace {
            scale: 100.0,
            is_virtual: false,
        };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(simulated.wait(minutes(10)), minutes(10));
        assert_eq!(simulated.deadline(Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(fast.wait(minutes(10)), Duration::from_secs(6));
        assert_eq!(fast.deadline(minutes(10)), SHORTEST_REAL_DEADLINE);
        assert_eq!(fast.deadline(minutes(50)), Duration::from_secs(30));
    }
}
