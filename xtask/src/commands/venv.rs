//! A Python environment: other people's tools, pinned, without touching what is installed on the host.

use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Makes it if it is not there.
    pub(crate) fn open(folder: &Path) -> miette::Result<Self> {
        let venv = Self {
            folder: folder.to_owned(),
        };
        if !venv.python().exists() {
            eprintln!("making a Python environment in {}", folder.display());
            let made = Command::new("python3").args(["-m", "venv"]).arg(folder).output();
            let output = made
                .into_diagnostic()
                .map_err(|error| error.context("python3 cannot be started: install Python 3.9 or newer"))?;
            demand(
                &output,
                "python3 cannot make an environment: install its venv module (Debian: python3-venv)",
            )?;
        }
        Ok(venv)
    }

    /// Installs `pins` (`package==version`); what is there already in the right version stays.
    pub(crate) fn install(&self, pins: &[String]) -> miette::Result<()> {
        let output = Command::new(self.python())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(pins)
            .output()
            .into_diagnostic()
            .wrap_err("pip cannot be started")?;
        demand(
            &output,
            "pip cannot install the tools: make a package index reachable (pip.conf), or name an environment that has them by --venv",
        )
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.program("python3")
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder.join(folder).join(name)
    }
}

/// Fails with `advice` and what the program said, unless it succeeded.
fn demand(output: &Output, advice: &'static str) -> miette::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(miette::miette!(
        help = advice,
        "{}",
        String::from_utf8_lossy(&said).trim()
    ))
}
