//! `POST /cleanup`: the evidence of a wipe, drive by drive.

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// Body of `POST /cleanup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupReport {
    #[serde(rename = "systemUUID")]
    pub system_uuid: String,
    pub state: CleanupState,
    #[serde(default)]
    pub message: String,
    /// Every drive the host has.
    #[serde(default, deserialize_with = "null_as_default")]
    pub drives: Vec<DriveReport>,
}

/// Where a wipe stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CleanupState {
    InProgress,
    /// Every drive was erased and read back.
    Succeeded,
    /// At least one drive may still hold data.
    Failed,
}

/// What happened to one drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveReport {
    pub name: String,
    #[serde(default)]
    pub serial_number: String,
    #[serde(default)]
    pub wwid: String,
    #[serde(default)]
    pub size_bytes: u64,
    /// Known once the drive was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<EraseMethod>,
    pub state: DriveState,
    #[serde(default)]
    pub message: String,
}

/// Where one drive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriveState {
    Pending,
    Erasing,
    /// Erased, and verified by reading it back.
    Erased,
    Failed,
}

/// How a drive was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EraseMethod {
    /// NVMe Format NVM with a secure erase setting.
    NVMeFormat,
    /// Discard of every block.
    BlockDiscard,
    /// Zeros written over every block.
    Overwrite,
}
