//! One run, written out: which faults happen when, and what people do when. Everything random has been drawn; what is left of chance
//! (latencies, which requests of a link a fault meets) belongs to an entry by its number, so that an entry less changes nothing about
//! the others.

use super::class::{FaultClass, UserClass};
use super::mishap::Mishap;
use super::user::UserAction;
use crate::script::steps::ScenarioDuration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// What the plan shows, for plans that are kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Root of what is left of chance: latencies, UIDs, keys.
    pub seed: u64,
    /// Numbers of the machines there are.
    pub machines: Vec<u32>,
    /// How long it lasts. Afterwards everything is repaired, and has to end well.
    pub lasts: ScenarioDuration,
    pub entries: Vec<Entry>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Stays the same when other entries are removed.
    pub id: u64,
    /// Since the start.
    pub at: ScenarioDuration,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    Fault {
        class: FaultClass,
        lasts: ScenarioDuration,
        mishap: Mishap,
    },
    User {
        class: UserClass,
        action: UserAction,
    },
}

/// A plan that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan {path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is no plan: {why}")]
    Malformed { path: PathBuf, why: String },
    #[error("the plan cannot be written to {path}: {source}")]
    Unwritable { path: PathBuf, source: std::io::Error },
}

impl Plan {
    /// Reads a plan file.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path).map_err(|source| PlanError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        serde_saphyr::from_str(&text).map_err(|error| PlanError::Malformed {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }

    /// The plan as a file says it.
    ///
    /// # Panics
    /// Never: a plan is plain data.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("a plan is plain data")
    }

    /// Writes a plan file.
    ///
    /// # Errors
    /// [`PlanError::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        std::fs::write(path, self.to_yaml()).map_err(|source| PlanError::Unwritable {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{generate, profile::Profile};
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles"));
        let hell = Profile::read("hell", directory).expect("valid");
        let plan = generate(&hell, 8, 3);
        assert!(plan.entries.len() > 100);
        let read: Plan = serde_saphyr::from_str(&plan.to_yaml()).expect("its own words");
        assert_eq!(read, plan);
    }
}
