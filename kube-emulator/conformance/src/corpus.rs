//! The answers of a real server, as they are kept in the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::runner::Answers;

/// A corpus that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is no recording: {source}; `cargo xtask conformance record` makes it anew")]
    Syntax { path: PathBuf, source: serde_json::Error },
}

/// Reads every topic of a folder.
///
/// # Errors
/// A file cannot be read.
pub fn read(folder: &Path) -> Result<Answers, CorpusError> {
    let failed = |path: &Path, source| CorpusError::File {
        path: path.to_owned(),
        source,
    };
    let mut answers = Answers::new();
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
        let topic: BTreeMap<String, Vec<Value>> =
            serde_json::from_str(&text).map_err(|source| CorpusError::Syntax {
                path: path.clone(),
                source,
            })?;
        answers.insert(
            path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            topic,
        );
    }
    Ok(answers)
}

/// Writes a file per topic. One line per exchange: a change of one is a change of one line.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, answers: &Answers) -> Result<(), CorpusError> {
    for (topic, checks) in answers {
        let mut text = String::from("{\n");
        for (index, (name, exchanges)) in checks.iter().enumerate() {
            let lines: Vec<String> = exchanges
                .iter()
                .map(|exchange| format!("    {}", sorted(exchange)))
                .collect();
            let comma = if index + 1 < checks.len() { "," } else { "" };
            text.push_str(&format!("  \"{name}\": [\n{}\n  ]{comma}\n", lines.join(",\n")));
        }
        text.push_str("}\n");
        let path = folder.join(format!("{topic}.json"));
        std::fs::write(&path, text).map_err(|source| CorpusError::File { path, source })?;
    }
    Ok(())
}

/// The server's order of an answer's fields is not the same every time.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let fields: BTreeMap<&String, Value> = object.iter().map(|(name, child)| (name, sorted(child))).collect();
            Value::Object(fields.into_iter().map(|(name, child)| (name.clone(), child)).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
