//! A mistake in a script, told with file, line, the offending text and what to write instead.

use super::source::Place;
use miette::{Diagnostic, NamedSource, SourceSpan};
use std::fmt;
use std::path::{Path, PathBuf};

/// One or more mistakes in a script, or a script that cannot be read.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ScriptError {
    #[error("the script {} cannot be read", path.display())]
    #[diagnostic(help("scripts are the *.yaml files of scenarios/scripts"))]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{file} has {}", if mistakes.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) })]
    Mistakes {
        file: String,
        #[related]
        mistakes: Vec<Mistake>,
    },
    #[error("there is no parameter `{name}` in scenario `{scenario}`")]
    UnknownParameter {
        scenario: String,
        name: String,
        #[help]
        hint: String,
    },
    #[error("`{value}` is no value for parameter `{name}`")]
    #[diagnostic(help("parameter values consist of letters, digits and any of . _ - / : @"))]
    BadParameter { name: String, value: String },
}

/// One mistake, with the text it is in.
#[derive(Debug, Diagnostic)]
pub struct Mistake {
    pub message: String,
    pub place: Place,
    pub file: String,
    label: String,
    #[source_code]
    text: NamedSource<String>,
    #[label("{label}")]
    span: SourceSpan,
    #[help]
    hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.place.line, self.message)
    }
}

impl std::error::Error for Mistake {}

/// Collects the mistakes of one file.
pub(crate) struct Mistakes<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Mistake>,
}

impl<'a> Mistakes<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: Option<String>,
    ) {
        self.found.push(Mistake {
            message: message.into(),
            place,
            file: self.file.to_owned(),
            label: label.into(),
            text: NamedSource::new(self.file, self.text.to_owned()).with_language("yaml"),
            span: place.span(self.text),
            hint,
        });
    }

    pub(crate) fn into_result(mut self) -> Result<(), ScriptError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|mistake| mistake.place);
        Err(ScriptError::Mistakes {
            file: self.file.to_owned(),
            mistakes: self.found,
        })
    }
}

/// The name a script goes by in messages: as it was given, which is relative to where the reader is.
pub(crate) fn display_name(path: &Path) -> String {
    path.display().to_string()
}
