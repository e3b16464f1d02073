//! `--config FILE`: the options as a YAML map, under the names of the flags. What stands on the command line or in an environment
//! variable goes before what stands in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Command;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// The flag that names the file.
const FLAG: &str = "config";

/// A file of options that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("--{FLAG}: {file}: {message}")]
    Unreadable { file: String, message: String },
    #[error("--{FLAG}: {file}:{line}: {message}")]
    Syntax { file: String, line: u64, message: String },
    #[error("--{FLAG}: {file}:{line}: `{field}`: {message}")]
    Field {
        file: String,
        line: u64,
        field: String,
        message: String,
    },
}

/// The values of one option: several where it can be repeated.
struct Values(Vec<String>);

/// `arguments` with what the file adds. Without `--config` they stay as they are.
///
/// # Errors
/// [`FileError`].
pub(super) fn extended(
    command: &Command,
    mut arguments: Vec<OsString>,
    is_set: impl Fn(&OsStr) -> bool,
) -> Result<Vec<OsString>, FileError> {
    let Some(path) = named(&arguments) else {
        return Ok(arguments);
    };
    let file = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| FileError::Unreadable {
        file: file.clone(),
        message: error.to_string(),
    })?;
    let given = names(&arguments);
    for (name, values) in entries(&file, &text)? {
        let line = values.referenced.line();
        check(command, &name, &values.value).map_err(|message| FileError::Field {
            file: file.clone(),
            line,
            field: name.clone(),
            message,
        })?;
        let variable = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(&name))
            .and_then(|argument| argument.get_env().map(OsStr::to_owned));
        if given.contains(&name) || variable.is_some_and(|variable| is_set(&variable)) {
            continue;
        }
        arguments.extend(
            values
                .value
                .0
                .iter()
                .map(|value| OsString::from(format!("--{name}={value}"))),
        );
    }
    Ok(arguments)
}

/// The file that `--config` names, in either syntax; the last one, as Go's flags have it.
fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let mut found = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else { continue };
        if text == "--config" {
            found = arguments.next().map(PathBuf::from);
        } else if let Some(path) = text.strip_prefix("--config=") {
            found = Some(PathBuf::from(path));
        }
    }
    found.filter(|path: &PathBuf| path != Path::new(""))
}

/// The names of the flags that are given.
fn names(arguments: &[OsString]) -> BTreeSet<String> {
    arguments
        .iter()
        .filter_map(|argument| argument.to_str()?.strip_prefix("--"))
        .map(|flag| flag.split_once('=').map_or(flag, |(name, _)| name).to_owned())
        .collect()
}

fn entries(file: &str, text: &str) -> Result<BTreeMap<String, Spanned<Values>>, FileError> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(BTreeMap::new());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        // Without the excerpt that the parser draws.
        let message = error.without_snippet().to_string();
        match error.location() {
            Some(place) => FileError::Syntax {
                file: file.to_owned(),
                line: place.line(),
                message,
            },
            None => FileError::Unreadable {
                file: file.to_owned(),
                message,
            },
        }
    })
}

/// Whether the option exists and takes these values.
fn check(command: &Command, name: &str, values: &Values) -> Result<(), String> {
    let known = |argument: &&clap::Arg| argument.get_long() == Some(name);
    if name == FLAG {
        return Err("a file cannot name another one".to_owned());
    }
    let Some(argument) = command.get_arguments().find(known) else {
        return Err("there is no such option".to_owned());
    };
    if values.0.len() != 1 && !matches!(argument.get_action(), clap::ArgAction::Append) {
        return Err("one value is needed".to_owned());
    }
    let flags = values.0.iter().map(|value| format!("--{name}={value}"));
    let alone = command.clone().mut_args(|argument| argument.required(false));
    alone
        .try_get_matches_from(std::iter::once(String::new()).chain(flags))
        .map(|_| ())
        .map_err(|error| first_sentence(&error))
}

/// What clap says, without its advice on how to use a command line.
fn first_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.map(|line| line.trim().trim_start_matches("error: ")).collect();
    lines.join(" ")
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalars;

        impl<'de> Visitor<'de> for Scalars {
            type Value = Values;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value, or a list of values")
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Values, E> {
                Ok(Values(vec![value.to_string()]))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Values, E> {
                Ok(Values(vec![value.to_string()]))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Values, E> {
                Ok(Values(vec![value.to_string()]))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Values, E> {
                Ok(Values(vec![value.to_string()]))
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Values, E> {
                Ok(Values(vec![value.to_owned()]))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Values, E> {
                Err(E::custom("a value is missing; write \"\" for an empty one"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(Values(value)) = sequence.next_element()? {
                    match <[String; 1]>::try_from(value) {
                        Ok([value]) => values.push(value),
                        Err(_) => return Err(A::Error::custom("a list of lists is no value")),
                    }
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_any(Scalars)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Options;

    fn extended_by(file: &str, arguments: &[&str], environment: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.yaml");
        std::fs::write(&path, file).expect("written");
        let mut all: Vec<OsString> = vec![format!("--config={}", path.display()).into()];
        all.extend(arguments.iter().map(OsString::from));
        let is_set = |variable: &OsStr| environment.iter().any(|set| OsStr::new(set) == variable);
        match extended(&Options::command(), all, is_set) {
            Ok(arguments) => Ok(arguments[1..]
                .iter()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect()),
            Err(error) => Err(error.to_string().replace(&path.display().to_string(), "operator.yaml")),
        }
    }

    #[test]
    fn a_file_has_the_names_of_the_flags() {
        let file = "# A comment\nleader-elect: true\nregistry-port: 1234\nserver-resync-interval: 90s\nbmc-ca-file: /ca\n\
                    endpoint-discovery-leases: [ 'kea:/a', 'isc:/b' ]\nmac-prefixes-file: ''\n";
        insta::assert_debug_snapshot!(extended_by(file, &[], &[]).expect("good"), @r#"
        [
            "--bmc-ca-file=/ca",
            "--endpoint-discovery-leases=kea:/a",
            "--endpoint-discovery-leases=isc:/b",
            "--leader-elect=true",
            "--mac-prefixes-file=",
            "--registry-port=1234",
            "--server-resync-interval=90s",
        ]
        "#);
        assert_eq!(extended_by("# nothing\n", &[], &[]), Ok(vec![]));
    }

    #[test]
    fn the_command_line_and_the_environment_go_before_the_file() {
        let file = "registry-port: 1234\nregistry-address: 10.0.0.1\nprobe-image: a\n";
        let given = ["--registry-port", "5", "--probe-image=b"];
        assert_eq!(
            extended_by(file, &given, &["REGISTRY_ADDRESS"]).expect("good"),
            ["--registry-port", "5", "--probe-image=b"]
        );
        assert_eq!(
            extended_by(file, &given, &[]).expect("good"),
            ["--registry-port", "5", "--probe-image=b", "--registry-address=10.0.0.1"]
        );
    }

    #[test]
    fn errors_name_file_line_and_field() {
        for (file, wanted) in [
            ("a: 1\n", "operator.yaml:1: `a`: there is no such option"),
            (
                "leader-elect: true\n\nregistry-port: many\n",
                "operator.yaml:3: `registry-port`: invalid value 'many' for '--registry-port <PORT>': invalid digit found in string",
            ),
            (
                "server-resync-interval: 5\n",
                "operator.yaml:1: `server-resync-interval`: invalid value '5' for",
            ),
            (
                "config: other.yaml\n",
                "operator.yaml:1: `config`: a file cannot name another one",
            ),
            (
                "registry-port: [1, 2]\n",
                "operator.yaml:1: `registry-port`: one value is needed",
            ),
            ("leader-elect:\n", "a value is missing"),
            ("leader-elect: { a: 1 }\n", "operator.yaml:1: "),
            ("- a\n", "operator.yaml:1: "),
            ("a: 'b\n", "operator.yaml:"),
        ] {
            let error = extended_by(file, &[], &[]).expect_err(file);
            assert!(
                error.starts_with("--config: ") && error.contains(wanted),
                "{file}: {error}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = extended(&Options::command(), vec!["--config".into(), "/missing".into()], |_| {
            false
        });
        let error = error.expect_err("missing").to_string();
        assert!(error.starts_with("--config: /missing: No such file"), "{error}");
    }
}
