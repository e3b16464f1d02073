//! `cargo xtask crds`: files that are generated from types, checked in, and verified.

use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the CustomResourceDefinitions to crds/manifests, from the types in crds/src/kinds
#[derive(Debug, clap::Args)]
pub(crate) struct CrdsArguments {
    /// Write nothing; fail when a file is not as it would be written.
    #[arg(long)]
    check: bool,
}

pub(crate) fn crds(repository: &Repository, arguments: &CrdsArguments) -> miette::Result<ExitCode> {
    let folder = repository.path("crds/manifests");
    let generated = Generated {
        command: "cargo xtask crds",
        files: crds::manifest::files()
            .into_iter()
            .map(|file| (folder.join(file.name), file.content))
            .collect(),
        // A kind that is gone must not stay installed.
        nothing_else_in: Some(folder),
    };
    generated.check_or_write(arguments.check)
}

/// Files as they should be.
struct Generated {
    /// What writes them.
    command: &'static str,
    files: Vec<(PathBuf, String)>,
    /// A folder whose YAML files are all generated.
    nothing_else_in: Option<PathBuf>,
}

/// How a file differs from what it should be.
#[derive(Debug, PartialEq, Eq)]
enum Drift {
    Missing,
    Outdated,
    /// Nothing generates it any more.
    Extra,
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "missing ",
            Self::Outdated => "outdated",
            Self::Extra => "extra   ",
        })
    }
}

impl Generated {
    fn check_or_write(&self, check: bool) -> miette::Result<ExitCode> {
        let drift = self.drift()?;
        if drift.is_empty() {
            println!("{} generated files are up to date", self.files.len());
            return Ok(ExitCode::SUCCESS);
        }
        if check {
            for (path, drift) in &drift {
                eprintln!("{drift}  {}", path.display());
            }
            eprintln!(
                "generated files differ from what generates them; run `{}`",
                self.command
            );
            return Ok(ExitCode::FAILURE);
        }
        for (path, drift) in &drift {
            self.mend(path, drift)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn drift(&self) -> miette::Result<Vec<(PathBuf, Drift)>> {
        let mut drift = Vec::new();
        for (path, content) in &self.files {
            match std::fs::read_to_string(path) {
                Ok(existing) if existing == *content => {}
                Ok(_) => drift.push((path.clone(), Drift::Outdated)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    drift.push((path.clone(), Drift::Missing));
                }
                Err(error) => {
                    return Err(error)
                        .into_diagnostic()
                        .wrap_err_with(|| format!("{} cannot be read", path.display()));
                }
            }
        }
        if let Some(folder) = &self.nothing_else_in {
            let expected: BTreeSet<&Path> = self.files.iter().map(|(path, _)| path.as_path()).collect();
            let extra = yaml_files(folder)?
                .into_iter()
                .filter(|path| !expected.contains(path.as_path()));
            drift.extend(extra.map(|path| (path, Drift::Extra)));
        }
        Ok(drift)
    }

    fn mend(&self, path: &Path, drift: &Drift) -> miette::Result<()> {
        let (done, result) = match drift {
            Drift::Extra => ("removed", std::fs::remove_file(path)),
            Drift::Missing | Drift::Outdated => ("wrote", self.write(path)),
        };
        result
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be brought up to date", path.display()))?;
        println!("{done} {}", path.display());
        Ok(())
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let content = self
            .files
            .iter()
            .find(|(known, _)| known == path)
            .map(|(_, content)| content);
        std::fs::write(path, content.expect("only a generated file is missing or outdated"))
    }
}

fn yaml_files(folder: &Path) -> miette::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .into_diagnostic()
        .wrap_err_with(|| format!("the folder {} cannot be read", folder.display()))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_found_and_mended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let generated = Generated {
            command: "cargo xtask test",
            files: ["same.yaml", "old.yaml", "new.yaml"]
                .map(|name| (path(name), "content".to_owned()))
                .into(),
            nothing_else_in: Some(folder.path().to_owned()),
        };
        for (name, content) in [
            ("same.yaml", "content"),
            ("old.yaml", "before"),
            ("gone.yaml", "content"),
            ("README.md", "kept"),
        ] {
            std::fs::write(path(name), content).expect("a file");
        }
        assert_eq!(
            generated.drift().expect("readable"),
            [
                (path("old.yaml"), Drift::Outdated),
                (path("new.yaml"), Drift::Missing),
                (path("gone.yaml"), Drift::Extra)
            ]
        );
        assert_eq!(generated.check_or_write(true).expect("readable"), ExitCode::FAILURE);
        assert_eq!(generated.check_or_write(false).expect("writable"), ExitCode::SUCCESS);
        assert_eq!(generated.drift().expect("readable"), []);
        assert!(path("README.md").exists());
    }
}
