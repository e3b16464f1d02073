//! Evidence of a cleanup (our extension, design section 4): what was erased, how, and what was not.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cleanup of one tenancy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CleanupStatus {
    /// The epoch of the cleanup itself; reports of any other epoch do not count.
    pub epoch: i64,
    pub state: CleanupState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub started_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub completed_at: Option<Time>,
    /// How often the cleanup of this epoch was started.
    #[serde(default)]
    pub attempts: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios_reset: Option<StepState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_order: Option<StepState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drives: Vec<DriveEvidence>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CleanupState {
    #[default]
    Pending,
    InProgress,
    Succeeded,
    Failed,
}

/// State of a cleanup step that concerns the whole machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepState {
    #[default]
    Pending,
    Done,
    /// The BMC does not offer it; nothing was done and nothing is claimed.
    Unsupported,
    Failed,
}

/// What is known about one drive. A drive counts as clean only in state `Erased`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriveEvidence {
    /// Redfish `@odata.id` of the drive, or the device path when only the wipe agent has seen it.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    pub method: EraseMethod,
    pub state: DriveState,
    /// Redfish task of an out-of-band erase.
    #[serde(rename = "taskURI", default, skip_serializing_if = "Option::is_none")]
    pub task_uri: Option<String>,
    /// When the out-of-band erase was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub started_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub completed_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EraseMethod {
    /// Out of band, Redfish `Drive.SecureErase`.
    SecureErase,
    /// In band, by the wipe agent.
    #[default]
    Agent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriveState {
    #[default]
    Pending,
    Erasing,
    Erased,
    Failed,
}
