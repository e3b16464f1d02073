//! Reading, parsing and checking scripts.

use super::error::{Mistakes, ScriptError, display_name};
use super::model::{Scalar, Scenario, ScenarioFile};
use super::parameters::{self, Parameters};
use super::source::Place;
use super::{suggest, validate};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A script as text, whose parameters are still open.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file it was read from, as it was named.
    pub file: String,
    /// The name of the file without `.yaml`.
    pub name: String,
    /// What the command line may change, with defaults.
    pub parameters: Parameters,
    text: String,
}

impl Script {
    /// Reads one script and checks it with its default parameters.
    ///
    /// # Errors
    /// [`ScriptError`] with every mistake that can be found in one go.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScriptError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&display_name(path), text)
    }

    /// Every script of a directory, sorted by name.
    ///
    /// # Errors
    /// The first script that is wrong, or a directory that cannot be read.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, ScriptError> {
        let unreadable = |source| ScriptError::Unreadable {
            path: directory.to_owned(),
            source,
        };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(unreadable)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// As [`Script::read`], from a text. `file` is its name in messages.
    ///
    /// # Errors
    /// [`ScriptError::Mistakes`].
    pub fn parse(file: &str, text: String) -> Result<Self, ScriptError> {
        let header: Header = serde_saphyr::from_str(&text).map_err(|error| syntax(file, &text, &error))?;
        let stem = Path::new(file)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let parameters = header
            .parameters
            .into_iter()
            .map(|(name, Scalar(value))| (name, value))
            .collect();
        let script = Self {
            file: file.to_owned(),
            name: stem,
            parameters,
            text,
        };
        script.bind(&Parameters::new())?;
        Ok(script)
    }

    /// The scenario this script describes with these parameters; those not named have their defaults.
    ///
    /// # Errors
    /// A parameter the script does not have, a value it cannot have, or mistakes that only show with this value.
    pub fn bind(&self, overrides: &Parameters) -> Result<Scenario, ScriptError> {
        let parameters = parameters::bind(&self.name, &self.parameters, overrides)?;
        let text = parameters::substitute(&self.text, &parameters);
        let file: ScenarioFile = serde_saphyr::from_str(&text).map_err(|error| syntax(&self.file, &text, &error))?;
        let mut mistakes = Mistakes::new(&self.file, &text);
        let scenario = validate::check(file, self, parameters, &mut mistakes);
        mistakes.into_result()?;
        Ok(scenario)
    }
}

/// What must be known before parameters can be replaced. Mistakes in the rest are found afterwards.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    parameters: BTreeMap<String, Scalar>,
}

/// A mistake the parser found, in our words.
fn syntax(file: &str, text: &str, error: &serde_saphyr::Error) -> ScriptError {
    let error = error.without_snippet();
    let place = error.location().map(Place::from).unwrap_or_default();
    let (message, label, hint) = match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let what = if expected.contains(&"clearFaults") {
                "step"
            } else {
                "field"
            };
            (
                format!("unknown {what} `{field}`"),
                format!("there is no such {what}"),
                Some(suggest::hint(field, expected.iter().copied())),
            )
        }
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => (
            format!("unknown value `{variant}`"),
            "not one of the possible values".to_owned(),
            Some(suggest::hint(variant, expected.iter().copied())),
        ),
        serde_saphyr::Error::SerdeMissingField { field, .. } => (
            format!("the field `{field}` is missing"),
            format!("needs `{field}`"),
            None,
        ),
        serde_saphyr::Error::SerdeInvalidType {
            unexpected, expected, ..
        }
        | serde_saphyr::Error::SerdeInvalidValue {
            unexpected, expected, ..
        } => (
            format!("{unexpected} is not {expected}"),
            format!("expected {expected}"),
            None,
        ),
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => (
            format!("the key `{}` stands here twice", key.as_deref().unwrap_or("?")),
            "the second one".to_owned(),
            None,
        ),
        other => (first_line(&other.to_string()), "here".to_owned(), None),
    };
    let mut mistakes = Mistakes::new(file, text);
    mistakes.add(place, message, label, hint);
    mistakes.into_result().expect_err("one mistake was added")
}

/// The parser appends its own idea of the place, which the snippet shows better.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.split_once(" at line ")
        .map_or(line, |(message, _)| message)
        .to_owned()
}
