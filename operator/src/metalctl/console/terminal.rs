//! The terminal at which somebody sits.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Context;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::fs::File;

/// Columns and rows where there is no terminal.
const DEFAULT_SIZE: (u32, u32) = (80, 24);

/// Columns and rows.
pub(super) fn size() -> (u32, u32) {
    match tcgetwinsize(stdin()) {
        Ok(size) if size.ws_col > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => DEFAULT_SIZE,
    }
}

/// What is typed.
pub(super) fn keyboard() -> anyhow::Result<File> {
    file(stdin().as_fd())
}

/// Where it is shown.
pub(super) fn screen() -> anyhow::Result<File> {
    file(stdout().as_fd())
}

fn file(of: BorrowedFd<'_>) -> anyhow::Result<File> {
    let own = of.try_clone_to_owned().context("there is no terminal")?;
    Ok(File::from_std(own.into()))
}

/// Every key goes to the machine, Ctrl-C among them, until this is dropped.
pub(super) struct RawTerminal {
    before: Option<Termios>,
}

impl RawTerminal {
    /// # Errors
    /// The terminal's. What is no terminal needs no settings.
    pub(super) fn enter() -> anyhow::Result<Self> {
        if !stdin().is_terminal() {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(stdin()).context("the terminal does not say how it is set")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Flush, &raw).context("the terminal cannot be set")?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(stdin(), OptionalActions::Flush, before);
        }
    }
}
