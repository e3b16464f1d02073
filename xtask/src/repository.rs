//! Where the files of this repository are.

use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};

/// The root of the repository, as seen from the current directory: messages and reports then name files as whoever reads them
/// would type them.
#[derive(Debug)]
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    pub(crate) fn find() -> miette::Result<Self> {
        let here = std::env::current_dir()
            .into_diagnostic()
            .wrap_err("the current directory cannot be determined")?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let root = root.expect("the manifest of xtask is in a folder of the repository");
        Ok(Self {
            root: seen_from(&here, root),
        })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }
}

/// `..` once per folder between; absolute from outside.
fn seen_from(here: &Path, root: &Path) -> PathBuf {
    match here.strip_prefix(root) {
        Ok(below) => below.components().map(|_| "..").collect(),
        Err(_) => root.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_where_the_reader_is() {
        for (here, expected) in [
            ("/src/metal", "scenarios/scripts"),
            ("/src/metal/xtask/src", "../../scenarios/scripts"),
            ("/home/somebody", "/src/metal/scenarios/scripts"),
        ] {
            let root = seen_from(Path::new(here), Path::new("/src/metal"));
            assert_eq!(root.join("scenarios/scripts"), Path::new(expected), "{here}");
        }
    }
}
