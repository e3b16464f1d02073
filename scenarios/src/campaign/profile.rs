//! How much goes wrong: a file that says how often what happens, and for how long.

use super::class::{FaultClass, UserClass};
use crate::script::steps::ScenarioDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A fault profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Fault profile")]
pub struct Profile {
    /// The name of the file without `.yaml`.
    pub name: String,
    pub description: String,
    /// How long things go wrong and people act. Afterwards everything is repaired, and has to end well.
    pub lasts: ScenarioDuration,
    /// What goes wrong. A class that is not named does not happen.
    #[serde(default)]
    pub faults: BTreeMap<FaultClass, Rate>,
    /// What people do.
    #[serde(default)]
    pub users: BTreeMap<UserClass, UserRate>,
}

/// How often a fault happens, for how long, and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Per hour: of a machine, for faults of machines and their BMCs; of the whole world, for the rest.
    pub per_hour: f64,
    /// Shortest and longest duration.
    pub lasts: [ScenarioDuration; 2],
    /// How many of a hundred requests are concerned, for faults of connections and the API server.
    #[serde(default = "all")]
    pub percent: u8,
    /// How many of a hundred machines it can happen to at all.
    #[serde(default = "all")]
    pub machines: u8,
}

fn all() -> u8 {
    100
}

/// How often people do something.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserRate {
    /// Per hour and machine.
    pub per_hour: f64,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(
        "there is no profile `{name}`: {path} cannot be read ({source}); give none, calm, rough, hell or the path of a file"
    )]
    Unreadable {
        name: String,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is no fault profile: {why}")]
    Malformed { path: PathBuf, why: String },
    #[error("{path}: {class}: {why}")]
    Senseless {
        path: PathBuf,
        class: String,
        why: &'static str,
    },
}

impl Profile {
    /// Reads the profile `name`: a file of `directory`, or the path of one.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn read(name: &str, directory: &Path) -> Result<Self, ProfileError> {
        let path = if name.contains(['/', '.']) {
            PathBuf::from(name)
        } else {
            directory.join(format!("{name}.yaml"))
        };
        let text = std::fs::read_to_string(&path).map_err(|source| ProfileError::Unreadable {
            name: name.to_owned(),
            path: path.clone(),
            source,
        })?;
        Self::parse(&text, &path)
    }

    /// As [`Profile::read`], from a text.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let profile: Self = serde_saphyr::from_str(text).map_err(|error| ProfileError::Malformed {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        profile.check(path)?;
        Ok(profile)
    }

    fn check(&self, path: &Path) -> Result<(), ProfileError> {
        let wrong = |class: &str, why| {
            Err(ProfileError::Senseless {
                path: path.to_owned(),
                class: class.to_owned(),
                why,
            })
        };
        for (class, rate) in &self.faults {
            let class = class.as_str();
            if !rate.per_hour.is_finite() || rate.per_hour < 0.0 {
                return wrong(class, "perHour must be a number that is not negative");
            }
            if rate.lasts[0] > rate.lasts[1] {
                return wrong(class, "lasts is [shortest, longest]");
            }
            if rate.percent > 100 || rate.machines > 100 {
                return wrong(class, "percent and machines are at most 100");
            }
        }
        for (class, rate) in &self.users {
            if !rate.per_hour.is_finite() || rate.per_hour < 0.0 {
                return wrong(class.as_str(), "perHour must be a number that is not negative");
            }
        }
        Ok(())
    }
}

/// JSON Schema of profiles, for editors.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Profile);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_named() {
        let parse = |faults: &str| {
            let text = format!("name: x\ndescription: x\nlasts: 1h\nfaults: {faults}\n");
            Profile::parse(&text, Path::new("x.yaml"))
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        assert_eq!(parse("{ bmc-reboot: { perHour: 1, lasts: [1s, 2s] } }"), Ok(()));
        for (faults, hint) in [
            (
                "{ bmc-reboot: { perHour: -1, lasts: [1s, 2s] } }",
                "bmc-reboot: perHour",
            ),
            ("{ bmc-reboot: { perHour: 1, lasts: [3s, 2s] } }", "[shortest, longest]"),
            (
                "{ bmc-reboot: { perHour: 1, lasts: [1s, 2s], percent: 101 } }",
                "at most 100",
            ),
            ("{ bmc-rebot: { perHour: 1, lasts: [1s, 2s] } }", "bmc-rebot"),
        ] {
            let error = parse(faults).expect_err(faults);
            assert!(error.contains(hint), "{error}");
        }
    }
}
