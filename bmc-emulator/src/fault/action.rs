//! What happens to a request that a rule is about.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FaultError;
use crate::fleet::duration::DurationText;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum HttpAction {
    /// Answered with this status; without a body of its own, with a Redfish error. Nothing is carried out.
    Status {
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// Answered as usual, but later (machine time).
    Latency { duration: DurationText },
    /// Answered as usual, but later, by a time that is drawn for each request from the seed of the run (machine time).
    RandomLatency {
        minimum: DurationText,
        maximum: DurationText,
        #[serde(default)]
        distribution: Distribution,
    },
    /// The connection is closed without an answer. With `processed` the request has been carried out before.
    Drop {
        #[serde(default)]
        processed: bool,
    },
    /// No answer ever, and the connection stays open.
    Hang,
    /// The request makes the BMC crash: no answer, and it restarts. With `processed` the request has been carried out before.
    Crash {
        #[serde(default)]
        processed: bool,
    },
    /// Answered as usual, but the body trickles in over this time (machine time).
    SlowBody { duration: DurationText },
    /// Half of the body, then the connection is closed.
    TruncatedBody,
    /// The body breaks off in the middle, as if that were all: it is no JSON.
    InvalidJson,
    /// A property of the answer is another than it should be. `pointer` says which (RFC 6901); where it is not in the
    /// answer, nothing happens.
    WrongValue { pointer: String, value: Value },
    /// What a GET has answered first while the rule was in force, it answers from then on: stale reads, a state that is
    /// stuck.
    Stuck,
}

/// How latencies are spread between minimum and maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Distribution {
    /// Evenly.
    #[default]
    Uniform,
    /// Most of them near the minimum, few near the maximum: as BMCs do it. Evenly on a logarithmic scale.
    LongTail,
}

impl HttpAction {
    pub(super) fn check(&self) -> Result<(), FaultError> {
        match self {
            HttpAction::Status { status, .. } if !(200..=599).contains(status) => Err(FaultError::BadStatus(*status)),
            HttpAction::RandomLatency { minimum, maximum, .. } if minimum.0 > maximum.0 => Err(FaultError::BadRange),
            HttpAction::WrongValue { pointer, .. } if !pointer.is_empty() && !pointer.starts_with('/') => {
                Err(FaultError::BadPointer(pointer.clone()))
            }
            _ => Ok(()),
        }
    }

    /// How much later the answer comes, where that is all that happens. `draw` is from 0 to 1.
    pub(super) fn latency(&self, draw: impl FnOnce() -> f64) -> Option<Duration> {
        match self {
            HttpAction::Latency { duration } => Some(duration.0),
            HttpAction::RandomLatency {
                minimum,
                maximum,
                distribution,
            } => Some(distribution.between(minimum.0, maximum.0, draw())),
            _ => None,
        }
    }
}

impl Distribution {
    fn between(self, minimum: Duration, maximum: Duration, share: f64) -> Duration {
        let range = maximum.saturating_sub(minimum);
        match self {
            Distribution::Uniform => minimum + range.mul_f64(share),
            Distribution::LongTail => {
                // One millisecond is where nobody notices any more: the logarithm needs a beginning.
                let scale = range.as_secs_f64() / 0.001;
                minimum
                    + range
                        .mul_f64(((scale + 1.0).powf(share) - 1.0) / scale.max(f64::MIN_POSITIVE))
                        .min(range)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_between_minimum_and_maximum() {
        let (minimum, maximum) = (Duration::from_secs(1), Duration::from_secs(11));
        for distribution in [Distribution::Uniform, Distribution::LongTail] {
            assert_eq!(distribution.between(minimum, maximum, 0.0), minimum);
            let most = distribution.between(minimum, maximum, 1.0);
            assert!(most > Duration::from_secs(10) && most <= maximum, "{most:?}");
            assert_eq!(distribution.between(minimum, minimum, 0.5), minimum);
        }
        assert_eq!(
            Distribution::Uniform.between(minimum, maximum, 0.5),
            Duration::from_secs(6)
        );
        let median = Distribution::LongTail.between(minimum, maximum, 0.5);
        assert!(median < Duration::from_millis(1200), "{median:?}");
    }
}
