//! Mockups from folders and archives.
//!
//! The layout is the DMTF's: `redfish/v1/Systems/1/index.json` is what `/redfish/v1/Systems/1` answered, `index.xml`
//! the same for XML. The short form, without `redfish/v1`, is understood, too. Other files are left alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::{Mockup, MockupError, Recorded};

impl Mockup {
    /// Reads a folder, or an archive (`.tar`, `.tar.gz`, `.tgz`).
    ///
    /// # Errors
    /// If it cannot be read, is no mockup, or too little of one to make a machine of it.
    pub fn load(path: &Path) -> Result<Mockup, MockupError> {
        let reading = |source| MockupError::Read {
            path: path.to_owned(),
            source,
        };
        let files = if path.is_dir() {
            folder(path).map_err(reading)?
        } else {
            archive(path).map_err(reading)?
        };
        Self::from_files(files, path)
    }

    /// `files` are paths with `/` and contents; `origin` is where they come from, for messages.
    fn from_files(files: BTreeMap<String, Bytes>, origin: &Path) -> Result<Mockup, MockupError> {
        let root = Root::find(&files).ok_or_else(|| MockupError::NoRoot {
            path: origin.to_owned(),
        })?;
        let mut resources = BTreeMap::new();
        for (file, content) in &files {
            let Some((resource, recorded)) = root.resource(file, content) else {
                continue;
            };
            if let Recorded::Json(text) = &recorded {
                serde_json::from_slice::<IgnoredAny>(text).map_err(|error| MockupError::NotJson {
                    file: format!("{}: {file}", origin.display()),
                    error: error.to_string(),
                })?;
            }
            resources.insert(resource, recorded);
        }
        Self::new(resources)
    }
}

/// Where in the files the tree begins.
struct Root {
    /// Of file names, with a slash at its end if there is any.
    prefix: String,
    /// What stands for it in URIs.
    uri: &'static str,
}

impl Root {
    fn find(files: &BTreeMap<String, Bytes>) -> Option<Self> {
        const FULL: &str = "redfish/v1/index.json";
        let named = |end: &'static str| {
            let with = files.keys().filter_map(move |file| file.strip_suffix(end));
            with.filter(|prefix| prefix.is_empty() || prefix.ends_with('/'))
                .min_by_key(|prefix| prefix.len())
        };
        if let Some(prefix) = named(FULL) {
            return Some(Self {
                prefix: prefix.to_owned(),
                uri: "",
            });
        }
        let prefix = named("index.json")?.to_owned();
        let root: serde_json::Value = serde_json::from_slice(files.get(&format!("{prefix}index.json"))?).ok()?;
        let is_root = super::link(&root) == Some("/redfish/v1");
        is_root.then_some(Self {
            prefix,
            uri: "/redfish/v1",
        })
    }

    fn resource(&self, file: &str, content: &Bytes) -> Option<(String, Recorded)> {
        let inside = file.strip_prefix(&self.prefix)?;
        let (folder, name) = inside.rsplit_once('/').unwrap_or(("", inside));
        let recorded = match name {
            "index.json" => Recorded::Json(content.clone()),
            "index.xml" => Recorded::Xml(content.clone()),
            _ => return None,
        };
        let resource = if folder.is_empty() {
            self.uri.to_owned()
        } else {
            format!("{}/{folder}", self.uri)
        };
        Some((resource, recorded))
    }
}

/// All regular files below `root`. Links are not followed: they could lead anywhere.
fn folder(root: &Path) -> std::io::Result<BTreeMap<String, Bytes>> {
    let mut files = BTreeMap::new();
    let mut open = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if kind.is_file() && is_wanted(&name) {
                files.insert(name, std::fs::read(entry.path())?.into());
            }
        }
    }
    Ok(files)
}

/// All regular files of an archive. It is never unpacked to disk, whatever paths it has in it.
fn archive(path: &Path) -> std::io::Result<BTreeMap<String, Bytes>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 2];
    let is_gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let file = BufReader::new(File::open(path)?);
    if is_gzip {
        entries(tar::Archive::new(flate2::read::MultiGzDecoder::new(file)))
    } else {
        entries(tar::Archive::new(file))
    }
}

fn entries(mut archive: tar::Archive<impl Read>) -> std::io::Result<BTreeMap<String, Bytes>> {
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        if entry.header().entry_type().is_file() && is_wanted(&name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(name, content.into());
        }
    }
    Ok(files)
}

fn is_wanted(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    matches!(name, "index.json" | "index.xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> BTreeMap<String, Bytes> {
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes()));
        all.iter().map(file).collect()
    }

    #[test]
    fn the_tree_is_found_wherever_it_begins() {
        const ROOT: &str = r#"{"@odata.id": "/redfish/v1/"}"#;
        let table = [
            (vec![("redfish/v1/index.json", ROOT)], Some(("", ""))),
            (
                vec![("a/b/redfish/v1/index.json", ROOT), ("a/b/redfish/index.json", "{}")],
                Some(("a/b/", "")),
            ),
            (
                vec![("rack/index.json", ROOT), ("rack/Systems/index.json", "{}")],
                Some(("rack/", "/redfish/v1")),
            ),
            (vec![("index.json", r#"{"@odata.id": "/something/else"}"#)], None),
            (vec![("readme.txt", "")], None),
        ];
        for (all, expected) in table {
            let found = Root::find(&files(&all)).map(|root| (root.prefix, root.uri));
            let expected = expected.map(|(prefix, uri)| (prefix.to_owned(), uri));
            assert_eq!(found, expected, "{all:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_recording_is_said() {
        let nothing = Mockup::from_files(files(&[("a.txt", "")]), Path::new("here")).expect_err("no mockup");
        assert!(nothing.to_string().contains("no service root in here"), "{nothing}");
        let broken = [("redfish/v1/index.json", "{}"), ("redfish/v1/Systems/index.json", "{")];
        let broken = Mockup::from_files(files(&broken), Path::new("here")).expect_err("no JSON");
        let text = broken.to_string();
        assert!(
            text.starts_with("here: redfish/v1/Systems/index.json is not JSON"),
            "{text}"
        );
        let poor = Mockup::from_files(files(&[("redfish/v1/index.json", "{}")]), Path::new("here"));
        let poor = poor.expect_err("no system").to_string();
        assert!(poor.contains("Systems"), "{poor}");
    }
}
