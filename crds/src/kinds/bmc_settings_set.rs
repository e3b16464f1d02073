//! BMCSettingsSet: BMCSettings for every BMC with certain labels (contract section 2.7).

use crate::kinds::bmc_settings::BMCSettingsTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "BMCSettings for every BMC with certain labels.",
    kind = "BMCSettingsSet",
    plural = "bmcsettingssets",
    singular = "bmcsettingsset",
    status = "BMCSettingsSetStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BMCVersion","type":"string","jsonPath":".spec.bmcSettingsTemplate.version"}"#,
    printcolumn = r#"{"name":"TotalBMCs","type":"integer","jsonPath":".status.fullyLabeledBMCs"}"#,
    printcolumn = r#"{"name":"AvailableBMCSettings","type":"integer","jsonPath":".status.availableBMCSettings"}"#,
    printcolumn = r#"{"name":"Pending","type":"integer","jsonPath":".status.pendingBMCSettings"}"#,
    printcolumn = r#"{"name":"InProgress","type":"integer","jsonPath":".status.inProgressBMCSettings"}"#,
    printcolumn = r#"{"name":"Completed","type":"integer","jsonPath":".status.completedBMCSettings"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.failedBMCSettings"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BMCSettingsSetSpec {
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub bmc_selector: LabelSelector,
    pub bmc_settings_template: BMCSettingsTemplate,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BMCSettingsSetStatus {
    /// Selected BMCs.
    #[serde(rename = "fullyLabeledBMCs", default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<i32>,
    #[serde(rename = "availableBMCSettings", default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i32>,
    #[serde(rename = "pendingBMCSettings", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i32>,
    #[serde(rename = "inProgressBMCSettings", default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<i32>,
    #[serde(rename = "completedBMCSettings", default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i32>,
    #[serde(rename = "failedBMCSettings", default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}
