//! The files of a report: a page for people, JSON for scripts, JUnit XML for CI.

use super::model::RunReport;
use super::{junit, page};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where a report was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFiles {
    /// Everything, for a browser; needs no other file.
    pub page: PathBuf,
    pub json: PathBuf,
    pub junit: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the report cannot be written to {}: {source}; make it writable, or name another directory", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the report cannot be rendered as {format}: {why}; this is a bug of the report, the run itself is not affected"
    )]
    Render { format: &'static str, why: String },
}

/// Writes `run` into `dir`, which is created if need be. Each file is replaced as a whole, so a reader never sees half of one.
pub fn write(dir: &Path, run: &RunReport) -> Result<WrittenFiles, WriteError> {
    let render = |format, why: String| WriteError::Render { format, why };
    let json = serde_json::to_string_pretty(run).map_err(|error| render("JSON", error.to_string()))?;
    let junit = junit::render(run).map_err(|error| render("JUnit XML", error.to_string()))?;
    let page = page::render(run).map_err(|error| render("HTML", format!("{error:#}")))?;
    fs::create_dir_all(dir).map_err(|source| WriteError::File {
        path: dir.to_owned(),
        source,
    })?;
    // The page comes last: whoever waits for it finds the others too.
    Ok(WrittenFiles {
        json: replace(dir.join("report.json"), &(json + "\n"))?,
        junit: replace(dir.join("junit.xml"), &junit)?,
        page: replace(dir.join("index.html"), &page)?,
    })
}

fn replace(path: PathBuf, content: &str) -> Result<PathBuf, WriteError> {
    let mut name = path.clone().into_os_string();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = fs::File::create(&new)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .and_then(|()| fs::rename(&new, &path));
    match written {
        Ok(()) => Ok(path),
        Err(source) => Err(WriteError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn three_files_are_written_and_replaced() {
        let parent = tempfile::tempdir().expect("a directory");
        let dir = parent.path().join("reports/7");
        let mut run = sample::small();
        write(&dir, &run).expect("written");
        run.scenarios.truncate(1);
        let files = write(&dir, &run).expect("written again");
        let json = fs::read_to_string(&files.json).expect("JSON");
        assert_eq!(serde_json::from_str::<RunReport>(&json).expect("a report"), run);
        assert!(
            fs::read_to_string(&files.page)
                .expect("page")
                .starts_with("<!doctype html>")
        );
        assert!(fs::read_to_string(&files.junit).expect("JUnit").starts_with("<?xml"));
        let mut names: Vec<_> = fs::read_dir(&dir)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["index.html", "junit.xml", "report.json"]);
    }

    #[test]
    fn an_error_names_the_file_and_what_to_do() {
        let parent = tempfile::tempdir().expect("a directory");
        let dir = parent.path().join("occupied");
        fs::write(&dir, "").expect("a file in the way");
        let error = write(&dir, &sample::small())
            .expect_err("a file is no directory")
            .to_string();
        assert!(error.contains(&dir.display().to_string()), "{error}");
        assert!(error.contains("name another directory"), "{error}");
    }
}
