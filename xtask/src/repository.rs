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
        // Told by cargo at run time: checkouts that share a target directory also share the binary, and a root that was compiled
        // in would let commands write into another checkout than the one they were started in.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
            miette::miette!(
                help = "run it as `cargo xtask`",
                "cargo did not say where the repository is"
            )
        })?;
        let root = Path::new(&manifest)
            .parent()
            .ok_or_else(|| miette::miette!("{} is in no repository", Path::new(&manifest).display()))?;
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
