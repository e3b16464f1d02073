//! Which of the requests that a rule is about it concerns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FaultError;
use crate::fleet::duration::DurationText;

/// Absent: all of them, from the beginning until the fault is cleared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
// Scripts have another When.
#[schemars(rename = "FaultWhen")]
pub struct When {
    /// Begins so long after it was injected (machine time).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// Ends by itself so long after its beginning (machine time).
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<DurationText>,
    /// So many requests pass before the first one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<u32>,
    /// Of the others each is concerned with this probability, from 0 to 1. The seed of the run decides: the same requests in
    /// the same order are the same ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

impl When {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), FaultError> {
        match self.probability {
            Some(probability) if !(probability > 0.0 && probability <= 1.0) => Err(FaultError::BadProbability),
            _ => Ok(()),
        }
    }

    /// Whether the `count`th request, from 0, is concerned. `draw` is a number from 0 to 1 that belongs to it.
    pub(super) fn concerns(&self, count: u64, draw: impl FnOnce() -> f64) -> bool {
        count >= u64::from(self.skip.unwrap_or(0)) && self.probability.is_none_or(|probability| draw() < probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_and_drawn() {
        let when = When {
            skip: Some(2),
            probability: Some(0.5),
            ..When::default()
        };
        let concerned: Vec<bool> = (0..4)
            .map(|count| when.concerns(count, || [0.0, 0.1, 0.4, 0.5][count as usize]))
            .collect();
        assert_eq!(concerned, [false, false, true, false]);
        assert!(When::default().concerns(0, || unreachable!("nothing is drawn without a probability")));
        for probability in [0.0, -1.0, 1.1, f64::NAN] {
            let when = When {
                probability: Some(probability),
                ..When::default()
            };
            assert_eq!(when.check(), Err(FaultError::BadProbability), "{probability}");
        }
    }
}
