//! When a failed object is tried again (contract section 4.3). Pure.

use crds::firmware::RetryPolicy;
use crds::keys;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::conditions::{self, Wish};

/// Condition of an object that somebody has asked to be tried again. It outlives the beginning of the next run.
pub const RETRIED: &str = "RetryOfFailedResourceIssued";

/// Why a failed object is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Somebody asked for it, in these words.
    Requested(String),
    /// What is wanted is not what has failed.
    Changed,
    /// By itself; the number of the attempt.
    Automatic(i32),
}

/// What there is to decide from.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The value of the operation annotation.
    pub request: Option<&'a str>,
    pub changed: bool,
    pub attempts: i32,
    pub policy: Option<&'a RetryPolicy>,
    /// `--default-failed-auto-retry-count`.
    pub default_limit: i32,
}

impl Retry {
    /// Notes that another run begins, and which attempt it is.
    pub fn note(self, conditions: &mut Vec<Condition>, attempts: &mut Option<i32>, now: Timestamp) {
        *attempts = Some(match self {
            Self::Requested(value) => {
                conditions::set(conditions, &Wish::yes(RETRIED, RETRIED, value), now);
                0
            }
            Self::Changed => 0,
            Self::Automatic(attempt) => attempt,
        });
    }
}

/// Whether the annotation asks for another try.
pub fn is_request(value: &str) -> bool {
    value == keys::operation::RETRY || value == keys::operation::RETRY_PROPAGATED
}

impl Failure<'_> {
    pub fn retry(&self) -> Option<Retry> {
        if let Some(request) = self.request.filter(|request| is_request(request)) {
            return Some(Retry::Requested(request.to_owned()));
        }
        if self.changed {
            return Some(Retry::Changed);
        }
        // A limit of 0 is one, too.
        let limit = self.policy.and_then(|policy| policy.max_attempts);
        let limit = limit.unwrap_or(self.default_limit);
        (self.attempts < limit).then(|| Retry::Automatic(self.attempts + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_it_is_tried_again() {
        for (request, changed, attempts, limit, default_limit, expected) in [
            (None, false, 0, None, 0, None),
            (
                Some("retry"),
                false,
                3,
                Some(0),
                0,
                Some(Retry::Requested("retry".into())),
            ),
            (
                Some("retry-propagated"),
                false,
                0,
                None,
                0,
                Some(Retry::Requested("retry-propagated".into())),
            ),
            (Some("allow-in-progress-update"), false, 0, None, 0, None),
            (None, true, 3, Some(3), 0, Some(Retry::Changed)),
            (None, false, 0, Some(2), 0, Some(Retry::Automatic(1))),
            (None, false, 2, Some(2), 0, None),
            (None, false, 0, Some(0), 5, None),
            (None, false, 4, None, 5, Some(Retry::Automatic(5))),
        ] {
            let policy = limit.map(|limit| RetryPolicy {
                max_attempts: Some(limit),
            });
            let failure = Failure {
                request,
                changed,
                attempts,
                policy: policy.as_ref(),
                default_limit,
            };
            assert_eq!(failure.retry(), expected, "{failure:?}");
        }
    }
}
