//! The DMTF's schema files (CSDL). They are not part of this repository: they are the DMTF's.

use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::Command;

const DEFAULT: &str = "../shared/mockups/redfish-csdl.tar.xz";
/// One that every bundle has; the validator looks for files by such names.
const WITNESS: &str = "ServiceRoot_v1.xml";

/// Unpacks the bundle below `folder`, and says where the files are.
pub(super) fn unpack(
    repository: &Repository,
    given: Option<&Path>,
    folder: &Path,
    python: PathBuf,
) -> miette::Result<PathBuf> {
    let bundle = given.map_or_else(|| repository.path(DEFAULT), Path::to_owned);
    if !bundle.exists() {
        miette::bail!(
            help = "pack the DMTF's CSDL files (DSP8010; also in openbmc/bmcweb, redfish-core/schema/dmtf/csdl) with tar, \
                    and name the file by --schemas FILE",
            "there is no schema bundle {}",
            bundle.display()
        );
    }
    let unpacked = folder.join("schemas");
    std::fs::remove_dir_all(&unpacked).ok();
    // Python is here anyway, and knows every compression.
    let output = Command::new(python)
        .args(["-m", "tarfile", "-e"])
        .arg(&bundle)
        .arg(&unpacked)
        .output()
        .into_diagnostic()
        .wrap_err("python3 cannot be started")?;
    let found = find(&unpacked);
    found.ok_or_else(|| {
        miette::miette!(
            help = "it is no archive of *_v1.xml files, or it is damaged",
            "{} has no {WITNESS}: {}",
            bundle.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })
}

/// The folder below `folder` that has the files in it.
fn find(folder: &Path) -> Option<PathBuf> {
    if folder.join(WITNESS).exists() {
        return Some(folder.to_owned());
    }
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .find_map(|path| find(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_files_are_found_wherever_they_are_packed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()), None);
        let inner = folder.path().join("a").join("csdl");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join(WITNESS), "").unwrap();
        assert_eq!(find(folder.path()), Some(inner));
    }
}
