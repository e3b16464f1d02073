//! Drives and what is on them. Contents are sparse: named records instead of blocks, so that ten thousand machines
//! fit into memory and a test can say exactly which tenant's data survived.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::fleet::spec::{DriveProtocol, MediaType};

/// Kernel name of a drive without `/dev/`, unique within a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DriveName(pub String);

impl fmt::Display for DriveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is stored on a drive. A drive without records is blank.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveContent {
    /// Record name → bytes. Names are free text, for example a file path.
    #[serde(default)]
    pub records: BTreeMap<String, Vec<u8>>,
}

impl DriveContent {
    /// The record that makes a drive bootable; its bytes name the image.
    pub const BOOT_IMAGE: &str = "boot-image";

    pub fn is_blank(&self) -> bool {
        self.records.is_empty()
    }

    /// What the firmware would boot from this drive.
    pub fn boot_image(&self) -> Option<&[u8]> {
        self.records.get(Self::BOOT_IMAGE).map(Vec::as_slice)
    }

    /// This content with one more record.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        self.records.insert(name.into(), data.into());
        self
    }
}

/// Why a drive did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    #[error("this machine has no drive {0}")]
    NotFound(DriveName),
    #[error("erasing {drive} failed: {message}; replace the drive or erase it again")]
    EraseFailed { drive: DriveName, message: String },
    #[error("the machine lost power or was restarted under this guest")]
    PowerLost,
}

/// One drive of a machine.
#[derive(Debug)]
pub(crate) struct Drive {
    pub name: DriveName,
    pub serial_number: String,
    pub wwid: String,
    /// Redfish id of its storage controller; absent: the only one.
    pub controller: Option<String>,
    pub size_bytes: u64,
    pub media_type: MediaType,
    pub protocol: DriveProtocol,
    pub manufacturer: String,
    pub model: String,
    pub secure_erase: bool,
    pub content: DriveContent,
    /// Pulled out of its slot; the content stays with it.
    pub absent: bool,
    /// An out-of-band erasure under way.
    pub erasure: Option<Erasure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erasure {
    pub until: Instant,
    pub task: String,
}

impl Drive {
    pub(crate) fn is_rotational(&self) -> bool {
        self.media_type == MediaType::HDD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_boot_image_makes_a_drive_bootable() {
        let content = DriveContent::default();
        assert!(content.is_blank());
        let content = content.with("/etc/hostname", "node-1");
        assert!(!content.is_blank());
        assert_eq!(content.boot_image(), None);
        let content = content.with(DriveContent::BOOT_IMAGE, "ghcr.io/example/os:1");
        assert_eq!(content.boot_image(), Some(b"ghcr.io/example/os:1".as_slice()));
    }
}
