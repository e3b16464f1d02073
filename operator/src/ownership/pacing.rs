//! When a recorded operation may be sent, must be waited for, or may be sent again. Pure.

use std::time::Duration;

use crds::kinds::server_status::{OperationIntent, OperationState};
use jiff::Timestamp;

use crate::sabotage::{self, Bug};

/// Times of one kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Interval between two looks.
    pub interval: Duration,
    /// How long an operation that was sent may take to show. Only then is it proven to have had no effect.
    pub patience: Duration,
    /// Longest pause between two attempts.
    pub longest_pause: Duration,
}

/// Attempts after which a condition explains what does not work. Attempts go on, ever more rarely: a fault that ends must
/// heal without a human (L8).
pub const EXPLAIN_AFTER: i32 = 3;

/// What to do about an operation whose goal is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record and send it, as this attempt.
    Send { attempt: i32 },
    /// It was sent, or refused a moment ago: look again after this.
    Wait(Duration),
}

/// Decides for the operation called `name` in `epoch`, whose goal a fresh read does not show.
pub fn next(name: &str, record: Option<&OperationIntent>, epoch: i64, now: Timestamp, pace: &Pace) -> Verdict {
    let Some(record) = record.filter(|record| record.operation == name && record.epoch == epoch) else {
        return Verdict::Send { attempt: 1 };
    };
    let age = age(record, now, pace.patience);
    let pause = pause(record.attempts, pace);
    let due = match record.state {
        // Incidents 54, 55 and 57.
        OperationState::Failed if sabotage::active(Bug::RefusalIsFinal) => Duration::MAX,
        OperationState::Issued if sabotage::active(Bug::IgnoredCommandNotRepeated) => Duration::MAX,
        OperationState::Issued if sabotage::active(Bug::RecordedCommandRepeated) => Duration::ZERO,
        // It took effect once and something undid it: a new demand.
        OperationState::Observed => return Verdict::Send { attempt: 1 },
        OperationState::Issued if record.attempts >= EXPLAIN_AFTER => pace.patience.max(pause),
        OperationState::Issued => pace.patience,
        OperationState::Failed => pause,
    };
    if age >= due {
        return Verdict::Send {
            attempt: record.attempts.saturating_add(1),
        };
    }
    let left = due - age;
    Verdict::Wait(match record.state {
        OperationState::Issued => left.min(pace.interval),
        _ => left,
    })
}

/// Whether an operation that can start the machine was sent and may still be on its way, so that reading `Off` proves nothing.
pub fn start_in_flight(record: Option<&OperationIntent>, now: Timestamp, patience: Duration) -> bool {
    // Incident 53.
    if sabotage::active(Bug::StaleOffBelieved) {
        return false;
    }
    record
        .is_some_and(|record| super::operation::starts_a_machine(&record.operation) && in_flight(record, now, patience))
}

/// Whether an operation was sent and still has time to show.
pub fn in_flight(record: &OperationIntent, now: Timestamp, patience: Duration) -> bool {
    record.state == OperationState::Issued && age(record, now, patience) < patience
}

/// Pause before the attempt that follows `attempts`: doubles from the polling interval.
pub fn pause(attempts: i32, pace: &Pace) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    pace.interval.saturating_mul(1 << doublings).min(pace.longest_pause)
}

/// Time since the record was written. A record from the future (the clock was set back) counts as new for at most `patience`.
fn age(record: &OperationIntent, now: Timestamp, patience: Duration) -> Duration {
    let age = now.duration_since(record.issued_at.0);
    match Duration::try_from(age) {
        Ok(age) => age,
        Err(_) if age.unsigned_abs() <= patience => Duration::ZERO,
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    const PACE: Pace = Pace {
        interval: Duration::from_secs(5),
        patience: Duration::from_secs(120),
        longest_pause: Duration::from_secs(600),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(operation: &str, epoch: i64, state: OperationState, attempts: i32) -> OperationIntent {
        OperationIntent {
            id: "1".into(),
            operation: operation.into(),
            epoch,
            state,
            issued_at: Time(at(1000)),
            attempts,
            message: None,
        }
    }

    #[test]
    fn table() {
        use OperationState::{Failed, Issued, Observed};
        let send = |attempt| Verdict::Send { attempt };
        let wait = |seconds| Verdict::Wait(Duration::from_secs(seconds));
        for (why, record, now, expected) in [
            ("nothing recorded", None, 1000, send(1)),
            (
                "another operation",
                Some(record("ForceOff", 3, Issued, 2)),
                1000,
                send(1),
            ),
            ("another epoch", Some(record("On", 2, Issued, 2)), 1000, send(1)),
            ("may be on its way", Some(record("On", 3, Issued, 1)), 1010, wait(5)),
            ("almost given up", Some(record("On", 3, Issued, 1)), 1118, wait(2)),
            ("had no effect", Some(record("On", 3, Issued, 1)), 1120, send(2)),
            ("refused just now", Some(record("On", 3, Failed, 1)), 1001, wait(4)),
            ("refused a while ago", Some(record("On", 3, Failed, 1)), 1005, send(2)),
            ("refused thrice", Some(record("On", 3, Failed, 3)), 1005, wait(15)),
            ("undone", Some(record("On", 3, Observed, 4)), 1001, send(1)),
            ("clock a little back", Some(record("On", 3, Issued, 1)), 950, wait(5)),
            ("clock far back", Some(record("On", 3, Issued, 1)), 100, send(2)),
        ] {
            assert_eq!(next("On", record.as_ref(), 3, at(now), &PACE), expected, "{why}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_limit() {
        let pauses: Vec<u64> = [1, 2, 3, 8, 30, i32::MAX].map(|n| pause(n, &PACE).as_secs()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 600, 600, 600]);
    }

    #[test]
    fn off_proves_nothing_while_a_start_is_on_its_way() {
        let patience = PACE.patience;
        let issued = record("On", 3, OperationState::Issued, 1);
        assert!(start_in_flight(Some(&issued), at(1050), patience));
        assert!(!start_in_flight(Some(&issued), at(1200), patience));
        let observed = record("On", 3, OperationState::Observed, 1);
        assert!(!start_in_flight(Some(&observed), at(1001), patience));
        let shutdown = record("ForceOff", 3, OperationState::Issued, 1);
        assert!(!start_in_flight(Some(&shutdown), at(1001), patience));
    }
}
