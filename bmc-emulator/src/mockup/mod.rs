//! Recorded machines: trees of Redfish resources in the layout of the DMTF's mockups, and what makes a machine of one.
//!
//! | module | subject |
//! |---|---|
//! | [`load`] | folders and archives |
//! | [`profile`] | the machine that a tree was recorded from |
//! | [`bios`] | its BIOS attributes, and what they can be |
//! | [`boot`] | its boot options, and what they boot from |
//! | [`overlay`] | what of a recorded resource is alive |
//!
//! A tree is read once and shared by all machines that replay it. How requests are answered from it is in
//! `redfish/recorded.rs`.

mod bios;
mod boot;
mod load;
mod overlay;
mod profile;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

pub(crate) use self::overlay::overlay;
use self::profile::Profile;
use crate::fleet::spec::MachineSpec;
use crate::machine::Machine;
use crate::personality::Personality;

/// A recorded tree. Cheap to clone.
#[derive(Clone)]
pub struct Mockup(Arc<Inner>);

struct Inner {
    resources: BTreeMap<String, Recorded>,
    profile: Profile,
}

/// One recorded answer, as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Json(Bytes),
    Xml(Bytes),
}

/// A recording that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum MockupError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "there is no service root in {}: name the folder that contains redfish/v1/index.json (or the index.json of a service root), or such a folder packed as .tar, .tar.gz or .tgz",
        path.display()
    )]
    NoRoot { path: PathBuf },
    #[error("{file} is not JSON ({error}): record this resource again, or remove the file")]
    NotJson { file: String, error: String },
    #[error("the recording has no {missing}: a machine cannot be made of it; record the whole tree")]
    Incomplete { missing: String },
}

/// What a machine remembers that replays a recording.
#[derive(Debug)]
pub(crate) struct Replay {
    pub mockup: Mockup,
    /// Properties that clients have changed of resources that only the recording knows.
    pub changed: BTreeMap<String, Value>,
}

impl Machine {
    /// From now on it shows itself as it was recorded.
    pub(crate) fn replay(&mut self, mockup: &Mockup) {
        let profile = &mockup.0.profile;
        if profile.describes(self)
            && let Some(boot) = profile.boot()
        {
            self.boot = boot;
        }
        self.replay = Some(Replay {
            mockup: mockup.clone(),
            changed: BTreeMap::new(),
        });
    }
}

impl std::fmt::Debug for Mockup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.resources.len();
        formatter
            .debug_struct("Mockup")
            .field("resources", &count)
            .finish_non_exhaustive()
    }
}

impl Mockup {
    fn new(resources: BTreeMap<String, Recorded>) -> Result<Self, MockupError> {
        let profile = Profile::of(&resources)?;
        Ok(Self(Arc::new(Inner { resources, profile })))
    }

    /// How many resources it consists of.
    pub fn len(&self) -> usize {
        self.0.resources.len()
    }

    /// Never true: a recording without resources is none.
    pub fn is_empty(&self) -> bool {
        self.0.resources.is_empty()
    }

    pub(crate) fn resource(&self, path: &str) -> Option<&Recorded> {
        self.0.resources.get(path)
    }

    /// Where the emulated service has what the recorded one has at `path`, if that is another place.
    pub(crate) fn live_path(&self, path: &str) -> Option<String> {
        let (resource, action) = match path.find("/Actions/") {
            Some(end) => path.split_at(end),
            None => (path, ""),
        };
        let live = self.0.profile.aliases.get(resource)?;
        Some(format!("{live}{action}"))
    }

    /// Whether everything at and below `path` is state of the service: sessions, tasks and the like. What was recorded
    /// of it is history.
    pub(crate) fn is_state(&self, path: &str) -> bool {
        self.0.profile.state.iter().any(|owned| {
            path.strip_prefix(owned.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether it is all of such state, as a collection is.
    pub(crate) fn is_root_of_state(&self, path: &str) -> bool {
        self.0.profile.state.iter().any(|owned| owned == path)
    }

    /// Whether a drive of the machine was recorded at `path`.
    pub(crate) fn is_drive(&self, path: &str) -> bool {
        self.0.profile.drive_uris.contains(path)
    }

    pub(crate) fn personality(&self) -> &'static Personality {
        self.0.profile.personality
    }

    /// What the machine of `spec` is, where it does not say so itself. Of many machines only one can be the recorded
    /// one: the others have identities of their own.
    pub(crate) fn complete(&self, spec: &MachineSpec) -> MachineSpec {
        self.0.profile.complete(spec)
    }
}

impl Recorded {
    /// The document, if it is one. Files are checked when they are loaded.
    pub(crate) fn json(&self) -> Option<Value> {
        match self {
            Recorded::Json(text) => serde_json::from_slice(text).ok(),
            Recorded::Xml(_) => None,
        }
    }
}

/// The resource a property links to: `{"@odata.id": …}`.
fn link(value: &Value) -> Option<&str> {
    value["@odata.id"].as_str().map(|uri| uri.trim_end_matches('/'))
}

/// The links of an array of links, or of a collection.
fn links(value: &Value) -> Vec<&str> {
    let members = value.get("Members").unwrap_or(value);
    members.as_array().into_iter().flatten().filter_map(link).collect()
}

/// The last segment of a URI.
fn id(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or(uri)
}
