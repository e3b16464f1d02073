//! A program that runs until it is dropped.

use crate::testbed::TestbedError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// How much of a log is quoted in an error.
const QUOTED_LINES: usize = 15;

pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(program: PathBuf, arguments: &[String], logs: &Path) -> Result<Self, TestbedError> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = logs.join(format!("{name}.log"));
        let failed = |error: std::io::Error| TestbedError::failed(format!("{name} cannot be started"), error);
        let output = File::create(&log).map_err(failed)?;
        let child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            // Ctrl-C is for whoever started this, who then ends it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        Ok(Self { name, child, log })
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn still_runs(&mut self) -> Result<(), TestbedError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(TestbedError::failed(
                format!("{} has ended ({status})", self.name),
                self.last_words(),
            )),
            Err(error) => Err(TestbedError::failed(format!("{} is out of reach", self.name), error)),
        }
    }

    /// Nothing of what these programs do has to survive.
    pub(super) async fn end(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::debug!(name = self.name, %error, "it had ended already");
        }
    }

    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
    }
}
