//! Lists of `metav1.Condition`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Sets a condition; the transition time moves only if its status changes. Returns whether anything changed.
pub(super) fn set(
    conditions: &mut Vec<Condition>,
    kind: &str,
    status: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let status = if status { "True" } else { "False" };
    let existing = conditions.iter_mut().find(|condition| condition.type_ == kind);
    match existing {
        Some(condition) => {
            if condition.status == status && condition.reason == reason && condition.message == message {
                return false;
            }
            if condition.status != status {
                condition.last_transition_time = Time(now);
            }
            condition.status = status.to_owned();
            condition.reason = reason.to_owned();
            condition.message = message.to_owned();
        }
        None => conditions.push(Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(now),
            observed_generation: None,
        }),
    }
    true
}

/// Removes a condition. Returns whether it was there.
pub(super) fn remove(conditions: &mut Vec<Condition>, kind: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != kind);
    conditions.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_follows_the_status_only() {
        let at = |seconds| Timestamp::from_second(seconds).expect("in range");
        let mut list = Vec::new();
        assert!(set(&mut list, "A", false, "R", "first", at(1)));
        assert!(!set(&mut list, "A", false, "R", "first", at(2)));
        assert!(set(&mut list, "A", false, "R", "second", at(3)));
        assert_eq!(
            (list[0].message.as_str(), list[0].last_transition_time.0),
            ("second", at(1))
        );
        assert!(set(&mut list, "A", true, "R", "second", at(4)));
        assert_eq!(list[0].last_transition_time.0, at(4));
        assert!(set(&mut list, "B", true, "R", "", at(5)));
        assert!(remove(&mut list, "A") && !remove(&mut list, "A"));
        assert_eq!(list.len(), 1);
    }
}
