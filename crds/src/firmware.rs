//! Types shared by the kinds that change firmware and its settings (contract section 2.1).

use crate::open_enum::open_enum;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a failed object is tried again by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// The operator's `--default-failed-auto-retry-count` where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub max_attempts: Option<i32>,
}

/// Where a firmware image is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    #[serde(rename = "URI")]
    pub uri: String,
    /// Redfish `TransferProtocol`, for a URI without scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_protocol: Option<String>,
    /// A core Secret with the keys `username` and `password`, for the server that the image comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
}

/// `v1.SecretReference`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretReference {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A Redfish task, as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeTask {
    #[serde(rename = "URI", default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// `TaskState`, or `JobState`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `TaskStatus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage_complete: Option<i32>,
    /// Our addition: since when the BMC has said just this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Option<Time>,
}

/// Our addition: an update that is about to be sent, or was. It is recorded before it is sent, so that a crash does not send it twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeIntent {
    pub id: String,
    #[schemars(schema_with = "crate::schema::time")]
    pub issued_at: Time,
    /// Tasks that the BMC had before. One that it has besides is that of the update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_tasks: Vec<String>,
}

/// What an update may do beside the rules of its vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdatePolicy {
    /// Redfish `ForceUpdate`.
    Force,
}

open_enum! {
    /// State of an object with settings.
    SettingsState { Pending = "Pending", InProgress = "InProgress", Applied = "Applied", Failed = "Failed" }
}

open_enum! {
    /// State of an object with a version.
    VersionState { Pending = "Pending", InProgress = "InProgress", Completed = "Completed", Failed = "Failed" }
}
