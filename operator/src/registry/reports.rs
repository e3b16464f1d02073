//! What agents report, as stored.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{HardwareData, Term};

/// What a probe posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Term of the token that came with it.
    pub term: Term,
    /// When, by this operator's clock: the machine's clock proves nothing (bugs.md #143).
    pub received_at: Timestamp,
    /// The `data` object as posted.
    pub data: Arc<Value>,
}

impl Registration {
    /// The parts that end up in `Server.status`.
    pub fn hardware(&self) -> HardwareData {
        HardwareData::parse(&self.data)
    }
}

/// What a wipe agent posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupReport {
    /// How far the whole wipe is.
    pub state: CleanupState,
    /// Text for people.
    #[serde(default)]
    pub message: String,
    /// Every drive that the agent found.
    #[serde(default)]
    pub drives: Vec<CleanupDrive>,
    /// When it arrived, by this operator's clock.
    #[serde(skip, default = "epoch_start")]
    pub received_at: Timestamp,
}

fn epoch_start() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// State of a whole wipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CleanupState {
    /// At work.
    InProgress,
    /// Every drive is erased and verified.
    Succeeded,
    /// At least one drive is not.
    Failed,
}

/// One drive of a wipe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CleanupDrive {
    /// Device path, `/dev/nvme0n1`.
    pub name: String,
    /// Serial number.
    pub serial_number: String,
    /// World-wide identifier.
    pub wwid: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// `NVMeFormat`, `BlockDiscard` or `Overwrite`; empty before it is chosen.
    pub method: String,
    /// How far this drive is.
    pub state: CleanupDriveState,
    /// Text for people.
    pub message: String,
}

/// State of one drive's wipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CleanupDriveState {
    /// Not begun.
    #[default]
    Pending,
    /// At work.
    Erasing,
    /// Erased and verified.
    Erased,
    /// Not erased.
    Failed,
}
