//! Small files with one value each, as sysfs has them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing::warn;

/// The content without surrounding blanks; empty if the file is missing or unreadable, as many are on virtual machines
/// and without privileges.
pub(super) fn text(path: impl AsRef<Path>) -> String {
    fs::read(path)
        .map(|bytes| {
            String::from_utf8_lossy(&bytes)
                .trim_matches(|c: char| c.is_whitespace() || c == '\0')
                .to_owned()
        })
        .unwrap_or_default()
}

/// The content as a number.
pub(super) fn number<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path).parse().ok()
}

/// Whether the file says `1`.
pub(super) fn flag(path: impl AsRef<Path>) -> bool {
    text(path) == "1"
}

/// The entries of a directory by name, sorted. A directory that does not exist has none.
pub(super) fn entries(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = listing
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

/// What a source gave, or nothing with a warning: a missing source must not keep a machine from registering.
pub(super) fn or_empty<T>(what: &'static str, result: io::Result<Vec<T>>) -> Vec<T> {
    result.unwrap_or_else(|error| {
        warn!(what, %error, "not collected");
        Vec::new()
    })
}
