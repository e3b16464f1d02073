//! What the emulator is known to answer differently, and why that is all right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::compare::{self, Difference};
use crate::runner::Answers;

/// One reason, and what differs for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub reason: String,
    /// Checks, each with all places that differ: `3 body/message`.
    pub checks: BTreeMap<String, Vec<String>>,
}

/// A list of known differences that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KnownError {
    path: PathBuf,
    message: String,
}

/// Reads `differences.yaml`.
///
/// # Errors
/// It cannot be read, or names a check twice.
pub fn read(path: &Path) -> Result<Vec<Known>, KnownError> {
    let failed = |message: String| KnownError {
        path: path.to_owned(),
        message,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let known: Vec<Known> = serde_saphyr::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let mut seen = BTreeSet::new();
    for check in known.iter().flat_map(|known| known.checks.keys()) {
        if !seen.insert(check) {
            return Err(failed(format!("{check} is listed twice")));
        }
    }
    Ok(known)
}

/// The differences of every check that has some, by topic and name. Checks that only one side knows are not compared.
pub fn find(real: &Answers, emulated: &Answers) -> BTreeMap<(String, String), Vec<Difference>> {
    let mut found = BTreeMap::new();
    for (topic, checks) in emulated {
        for (check, exchanges) in checks {
            let Some(answers) = real.get(topic).and_then(|topic| topic.get(check)) else {
                continue;
            };
            let differences = compare::exchanges(answers, exchanges);
            if !differences.is_empty() {
                found.insert((topic.clone(), check.clone()), differences);
            }
        }
    }
    found
}

/// What differs without being known, and what is known but does not differ (any more), in sentences.
pub fn surprises(found: &BTreeMap<(String, String), Vec<Difference>>, known: &[Known]) -> Vec<String> {
    let known: BTreeMap<&String, &Vec<String>> = known.iter().flat_map(|known| &known.checks).collect();
    let mut surprises = Vec::new();
    let mut met = BTreeSet::new();
    for ((topic, check), differences) in found {
        met.insert(check);
        let places: BTreeSet<&String> = differences.iter().map(|difference| &difference.place).collect();
        let expected: BTreeSet<&String> = known.get(check).into_iter().copied().flatten().collect();
        for difference in differences
            .iter()
            .filter(|difference| !expected.contains(&difference.place))
        {
            surprises.push(format!("{topic}, {check}, {difference}"));
        }
        for place in expected.difference(&places) {
            surprises.push(format!(
                "{topic}, {check}, {place}: does not differ any more; take it out of differences.yaml"
            ));
        }
    }
    for check in known.keys().filter(|check| !met.contains(*check)) {
        surprises.push(format!(
            "{check}: does not differ any more; take it out of differences.yaml"
        ));
    }
    surprises
}

/// `DIFFERENCES.md`.
pub fn document(checks: usize, found: &BTreeMap<(String, String), Vec<Difference>>, known: &[Known]) -> String {
    let mut text = String::from(
        "<!-- Made by `cargo xtask conformance --write-differences` from conformance/differences.yaml and conformance/corpus. -->\n\n\
         # Where kube-emulator answers differently than kube-apiserver\n\n",
    );
    let _ = writeln!(
        text,
        "Of {checks} checks, {} are answered in every field as by kube-apiserver v1.34.4. `cargo test` sees to it that this list is complete, \
         and that nothing stands here that does not differ.\n",
        checks - found.len()
    );
    let by_name: BTreeMap<&String, &Vec<Difference>> = found.iter().map(|((_, name), found)| (name, found)).collect();
    for reason in known {
        let _ = writeln!(text, "## {}\n", reason.reason.trim());
        let _ = writeln!(
            text,
            "| check | place | kube-apiserver | kube-emulator |\n|---|---|---|---|"
        );
        for check in reason.checks.keys() {
            for difference in by_name.get(check).into_iter().copied().flatten() {
                let _ = writeln!(
                    text,
                    "| {check} | {} | {} | {} |",
                    difference.place,
                    cell(difference.real.as_ref()),
                    cell(difference.emulated.as_ref())
                );
            }
        }
        text.push('\n');
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn cell(side: Option<&serde_json::Value>) -> String {
    let Some(value) = side else { return "–".to_owned() };
    let text = value.to_string().replace('|', "\\|").replace('`', "'");
    let short: String = text.chars().take(160).collect();
    format!("`{short}{}`", if short.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_and_what_is_not_there_are_both_surprises() {
        let difference = |place: &str| Difference {
            place: place.to_owned(),
            real: Some(serde_json::json!(1)),
            emulated: None,
        };
        let found = BTreeMap::from([(
            ("t".to_owned(), "a".to_owned()),
            vec![difference("1 x"), difference("1 y")],
        )]);
        let known = [Known {
            reason: "because".to_owned(),
            checks: BTreeMap::from([
                ("a".to_owned(), vec!["1 x".to_owned(), "1 z".to_owned()]),
                ("b".to_owned(), vec!["1 x".to_owned()]),
            ]),
        }];
        assert_eq!(
            surprises(&found, &known),
            [
                "t, a, 1 y: 1 there, nothing here",
                "t, a, 1 z: does not differ any more; take it out of differences.yaml",
                "b: does not differ any more; take it out of differences.yaml",
            ]
        );
    }
}
