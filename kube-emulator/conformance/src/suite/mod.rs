//! The checks: one file per topic.

mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub use step::{Action, Identity, Options, Step, Verb};

/// Holds what checks share; not a topic.
const DEFINITIONS: &str = "definitions";
/// A check's name is part of the names of its namespace and its kinds.
const LONGEST_NAME: usize = 48;

/// All checks, and the kinds that they share.
#[derive(Debug)]
pub struct Suite {
    /// CustomResourceDefinitions that are there before the first check starts.
    pub definitions: Vec<Value>,
    pub topics: BTreeMap<String, Topic>,
}

/// The checks of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// What the topic is about, for readers.
    pub about: String,
    pub checks: Vec<Check>,
}

/// A sequence of requests whose answers are written down. It has a namespace (`$ns`) and a group for kinds of its own (`$group`), so that
/// checks do not see each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Unique in the suite.
    #[serde(rename = "check")]
    pub name: String,
    /// What a reader should know.
    #[serde(default)]
    pub about: Option<String>,
    pub steps: Vec<Step>,
    /// Played afterwards whatever happened, and not written down: for objects that are in no namespace.
    #[serde(default)]
    pub finally: Vec<Step>,
}

/// A file of checks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Syntax { path: PathBuf, message: String },
    #[error("{path}, {check}, {field}: {message}")]
    Field {
        path: PathBuf,
        check: String,
        field: String,
        message: String,
    },
    #[error("{path}: a check is called {name:?}; {message}")]
    Name {
        path: PathBuf,
        name: String,
        message: &'static str,
    },
}

impl Suite {
    /// Reads every `*.yaml` of a folder.
    ///
    /// # Errors
    /// A file cannot be read, or says something that is not understood.
    pub fn load(folder: &Path) -> Result<Self, SuiteError> {
        let failed = |source| SuiteError::Read {
            path: folder.to_owned(),
            source,
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(path);
            }
        }
        files.sort();
        let mut suite = Self {
            definitions: Vec::new(),
            topics: BTreeMap::new(),
        };
        let mut names = BTreeSet::new();
        for path in files {
            let document = document(&path)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if name == DEFINITIONS {
                suite.definitions = typed(&path, document)?;
                continue;
            }
            let topic: Topic = typed(&path, document)?;
            for check in &topic.checks {
                check_name(&path, &check.name, &mut names)?;
            }
            suite.topics.insert(name, topic);
        }
        Ok(suite)
    }

    pub fn checks(&self) -> usize {
        self.topics.values().map(|topic| topic.checks.len()).sum()
    }

    /// Keeps the checks whose topic or name contains one of these words.
    pub fn select(&mut self, words: &[String]) {
        if words.is_empty() {
            return;
        }
        for (topic, content) in &mut self.topics {
            content.checks.retain(|check| {
                words
                    .iter()
                    .any(|word| topic == word || check.name.contains(word.as_str()))
            });
        }
        self.topics.retain(|_, topic| !topic.checks.is_empty());
    }
}

fn document(path: &Path) -> Result<Value, SuiteError> {
    let text = std::fs::read_to_string(path).map_err(|source| SuiteError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_saphyr::from_str(&text).map_err(|error| SuiteError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

/// The error names the check and the field: positions in a file of hundreds of checks help nobody.
fn typed<T: serde::de::DeserializeOwned>(path: &Path, document: Value) -> Result<T, SuiteError> {
    serde_path_to_error::deserialize(&document).map_err(|error| {
        let field = error.path().to_string();
        let index = field
            .strip_prefix("checks[")
            .and_then(|rest| rest.split(']').next())
            .and_then(|index| index.parse::<usize>().ok());
        let check = index.map(|index| match document["checks"][index]["check"].as_str() {
            Some(name) => format!("check {name}"),
            None => format!("check {}", index + 1),
        });
        SuiteError::Field {
            path: path.to_owned(),
            check: check.unwrap_or_else(|| "the file".to_owned()),
            field,
            message: error.inner().to_string(),
        }
    })
}

fn check_name(path: &Path, name: &str, known: &mut BTreeSet<String>) -> Result<(), SuiteError> {
    let wrong = |message| SuiteError::Name {
        path: path.to_owned(),
        name: name.to_owned(),
        message,
    };
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(legal) || name.starts_with('-') {
        return Err(wrong("names are lower case words with dashes, 48 characters at most"));
    }
    if !known.insert(name.to_owned()) {
        return Err(wrong("another check has this name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let document: Value = serde_saphyr::from_str(text).expect("YAML");
        typed::<Topic>(Path::new("topic.yaml"), document)
            .expect_err("not understood")
            .to_string()
    }

    #[test]
    fn mistakes_are_told_with_file_check_and_field() {
        assert_eq!(
            refused("{about: x, checks: [{check: a, steps: [GET /api]}, {check: b, steps: [{GET /api: , untl: {}}]}]}"),
            "topic.yaml, check b, checks[1].steps[0]: unknown field `untl`, expected one of `headers`, `as`, `save`, `until`, \
             `pick`, `ignore`, `quiet`, `events`, `stream`"
        );
        assert_eq!(
            refused("{about: x, checks: [{check: a, steps: [FETCH /api]}]}"),
            "topic.yaml, check a, checks[0].steps[0]: \"FETCH /api\" starts with none of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, \
             MERGE, JSON, STRATEGIC, APPLY, WATCH, COLLECT, SLEEP"
        );
        assert_eq!(
            refused("{about: x, checks: [{check: a}]}"),
            "topic.yaml, check a, checks[0]: missing field `steps`"
        );
    }

    #[test]
    fn names_are_checked() {
        let mut known = BTreeSet::new();
        let path = Path::new("topic.yaml");
        assert!(check_name(path, "a-b", &mut known).is_ok());
        for wrong in ["a-b", "A", "", "-a", &"x".repeat(49)] {
            assert!(check_name(path, wrong, &mut known).is_err(), "{wrong}");
        }
    }
}
