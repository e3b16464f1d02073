//! BMCUser: an account on a BMC (deprecated; contract section 1.5).

use crate::shared::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "An account on a BMC.",
    kind = "BMCUser",
    plural = "bmcusers",
    singular = "bmcuser",
    shortname = "bmcu",
    status = "BMCUserStatus",
    derive = "PartialEq",
    deprecated = "metal.ironcore.dev/v1alpha1 BMCUser is deprecated",
    printcolumn = r#"{"name":"ID","type":"string","jsonPath":".status.id"}"#,
    printcolumn = r#"{"name":"UserName","type":"string","jsonPath":".spec.userName"}"#,
    printcolumn = r#"{"name":"RoleID","type":"string","jsonPath":".spec.roleID"}"#,
    printcolumn = r#"{"name":"LastRotation","type":"date","jsonPath":".status.lastRotation"}"#,
    printcolumn = r#"{"name":"PasswordExpiration","type":"date","jsonPath":".status.passwordExpiration"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BMCUserSpec {
    pub user_name: String,
    #[serde(rename = "roleID")]
    pub role_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Go duration, for example `720h0m0s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_period: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_secret_ref: Option<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_ref: Option<LocalObjectReference>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BMCUserStatus {
    #[serde(rename = "effectiveBMCSecretRef", default, skip_serializing_if = "Option::is_none")]
    pub effective_bmc_secret_ref: Option<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_rotation: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub password_expiration: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
