//! Conditions as controller-runtime's helper writes them (contract section 0.3): `lastTransitionTime` moves only when the
//! status changes.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::sabotage::{self, Bug};

/// A condition as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub type_: &'static str,
    pub status: Status,
    pub reason: String,
    pub message: String,
    pub observed_generation: Option<i64>,
}

/// Status of a condition. `Unknown` is never wished for: a condition nobody can vouch for is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    True,
    False,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
        }
    }
}

impl Wish {
    pub fn yes(type_: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(type_, Status::True, reason, message)
    }

    pub fn no(type_: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(type_, Status::False, reason, message)
    }

    fn new(type_: &'static str, status: Status, reason: &str, message: impl Into<String>) -> Self {
        Self {
            type_,
            status,
            reason: reason.to_owned(),
            message: message.into(),
            observed_generation: None,
        }
    }

    /// Notes the generation the condition was decided on.
    pub fn observing(mut self, generation: Option<i64>) -> Self {
        self.observed_generation = generation;
        self
    }
}

/// Finds a condition.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition is there and `True`.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// Writes a condition into the list.
pub fn set(conditions: &mut Vec<Condition>, wish: &Wish, now: Timestamp) {
    let status = wish.status.as_str();
    match conditions.iter_mut().find(|condition| condition.type_ == wish.type_) {
        Some(condition) => {
            // Incident 28.
            if condition.status != status || sabotage::active(Bug::TimestampsAlwaysNew) {
                condition.status = status.to_owned();
                condition.last_transition_time = Time(seconds(now));
            }
            condition.reason = wish.reason.clone();
            condition.message = wish.message.clone();
            if wish.observed_generation.is_some() {
                condition.observed_generation = wish.observed_generation;
            }
        }
        None => conditions.push(Condition {
            type_: wish.type_.to_owned(),
            status: status.to_owned(),
            reason: wish.reason.clone(),
            message: wish.message.clone(),
            observed_generation: wish.observed_generation,
            last_transition_time: Time(seconds(now)),
        }),
    }
}

/// `metav1.Time` has seconds; more digits would come back truncated and look like a change on the next pass.
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// As [`seconds`], rounded up: for times from which a patience counts, which must not be cut short.
pub fn seconds_up(time: Timestamp) -> Timestamp {
    let floor = seconds(time);
    if floor == time {
        time
    } else {
        Timestamp::from_second(time.as_second().saturating_add(1)).unwrap_or(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_follows_the_status_only() {
        let mut conditions = Vec::new();
        set(&mut conditions, &Wish::no("Ready", "A", "one"), at(1));
        set(&mut conditions, &Wish::no("Ready", "B", "two"), at(2));
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert_eq!(
            (conditions[0].reason.as_str(), conditions[0].message.as_str()),
            ("B", "two")
        );
        set(
            &mut conditions,
            &Wish::yes("Ready", "C", "three").observing(Some(4)),
            at(3),
        );
        assert_eq!(conditions[0].last_transition_time, Time(at(3)));
        assert_eq!(conditions[0].observed_generation, Some(4));
        assert!(is_true(&conditions, "Ready"));
    }
}
