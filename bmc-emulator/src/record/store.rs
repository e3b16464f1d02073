//! The files of a recording.
//!
//! As long as it is not finished it is `<output>.partial`, readable by its owner only: secrets are not in there, but
//! serial numbers still are, since what has to be replaced is known at the end only. The output appears at once, or not.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::scrub::Identities;
use super::{RecordError, RecordOptions};

/// What a resource consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Json(Value),
    Xml(String),
}

pub(super) struct Partial {
    pub folder: PathBuf,
}

impl Partial {
    /// Makes the folder, or goes on with the one that is there.
    pub(super) fn open(output: &Path) -> Result<Self, RecordError> {
        let mut name = output.as_os_str().to_owned();
        name.push(".partial");
        let folder = PathBuf::from(name);
        let writing = |source| RecordError::Write {
            path: folder.clone(),
            source,
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(writing)?;
        Ok(Self { folder })
    }

    fn file(&self, path: &str, name: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/')).join(name)
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Content>, RecordError> {
        let damaged = |file: &Path, reason: String| RecordError::DamagedPartial {
            path: file.to_owned(),
            reason,
        };
        let (json, xml) = (self.file(path, "index.json"), self.file(path, "index.xml"));
        if json.is_file() {
            let text = fs::read(&json).map_err(|error| damaged(&json, error.to_string()))?;
            let document = serde_json::from_slice(&text).map_err(|error| damaged(&json, error.to_string()))?;
            return Ok(Some(Content::Json(document)));
        }
        if xml.is_file() {
            let text = fs::read_to_string(&xml).map_err(|error| damaged(&xml, error.to_string()))?;
            return Ok(Some(Content::Xml(text)));
        }
        Ok(None)
    }

    /// Complete, or not at all: an interrupted write must not look like a resource.
    pub(super) fn write(&self, path: &str, content: &Content) -> Result<(), RecordError> {
        let (name, text) = encode(content);
        let file = self.file(path, name);
        let unfinished = self.file(path, "unfinished");
        let write = || {
            fs::create_dir_all(self.file(path, ""))?;
            fs::write(&unfinished, text)?;
            fs::rename(&unfinished, &file)
        };
        write().map_err(|source| RecordError::Write {
            path: file.clone(),
            source,
        })
    }

    pub(super) fn count(&self) -> usize {
        files(&self.folder).map_or(0, |files| files.len())
    }

    /// Scrubs everything, puts it where it belongs, and returns how many resources there are.
    pub(super) fn finish(&self, options: &RecordOptions, skipped: &[(String, String)]) -> Result<usize, RecordError> {
        let damaged = |error: std::io::Error| RecordError::DamagedPartial {
            path: self.folder.clone(),
            reason: error.to_string(),
        };
        let mut contents = BTreeMap::new();
        for path in files(&self.folder).map_err(damaged)? {
            if let Some(content) = self.read(&path)? {
                contents.insert(path, content);
            }
        }
        let identities = if options.keep_identities {
            Identities::default()
        } else {
            Identities::find(contents.values(), options.salt)
        };
        let mut output: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (path, mut content) in contents {
            if let Content::Json(document) = &mut content {
                identities.replace(document);
            }
            let (name, text) = encode(&content);
            output.insert(
                format!("{}/{name}", identities.replace_text(&path).trim_start_matches('/')),
                text,
            );
        }
        let resources = output.len();
        let skipped: Vec<Value> = skipped
            .iter()
            .map(|(path, reason)| json!({ "path": identities.replace_text(path), "reason": reason }))
            .collect();
        let about = json!({
            "recordedBy": "bmc-emulator",
            "resources": resources,
            "identities": if options.keep_identities { "as they are" } else { "replaced" },
            "skipped": skipped,
        });
        output.insert("recording.json".to_owned(), pretty(&about));
        publish(&options.output, &output).map_err(|source| RecordError::Write {
            path: options.output.clone(),
            source,
        })?;
        fs::remove_dir_all(&self.folder).map_err(|source| RecordError::Write {
            path: self.folder.clone(),
            source,
        })?;
        Ok(resources)
    }
}

fn encode(content: &Content) -> (&'static str, Vec<u8>) {
    match content {
        Content::Json(document) => ("index.json", pretty(document)),
        Content::Xml(text) => ("index.xml", text.clone().into_bytes()),
    }
}

fn pretty(document: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Paths of all resources below a folder.
fn files(root: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), String::new())];
    while let Some((folder, path)) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), format!("{path}/{name}")));
            } else if matches!(name.as_str(), "index.json" | "index.xml") {
                found.push(path.clone());
            }
        }
    }
    Ok(found)
}

/// Under another name first, so that what has the right name is complete.
fn publish(output: &Path, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let mut name = output.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let is_archive = output.to_string_lossy().ends_with(".tar.gz") || output.to_string_lossy().ends_with(".tgz");
    if is_archive {
        let encoder = GzEncoder::new(fs::File::create(&new)?, Compression::default());
        let mut archive = tar::Builder::new(encoder);
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content.as_slice())?;
        }
        archive.into_inner()?.finish()?.flush()?;
    } else {
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        for (name, content) in files {
            let file = new.join(name);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(file, content)?;
        }
    }
    fs::rename(new, output)
}
