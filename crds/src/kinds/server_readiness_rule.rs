//! ServerReadinessRule: taints servers until conditions hold (contract section 1.9).

use crate::shared::TaintEffect;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "Taints servers until their conditions are met.",
    kind = "ServerReadinessRule",
    plural = "serverreadinessrules",
    singular = "serverreadinessrule",
    status = "ServerReadinessRuleStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServerReadinessRuleSpec {
    #[schemars(
        length(min = 1, max = 32),
        extend(
            "x-kubernetes-list-map-keys" = ["type"],
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "conditions is immutable"}])
        )
    )]
    pub conditions: Vec<RequiredCondition>,
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "enforcementMode is immutable"}])))]
    pub enforcement_mode: EnforcementMode,
    pub taint: RuleTaint,
    #[schemars(
        schema_with = "crate::schema::label_selector",
        extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "serverSelector is immutable"}]))
    )]
    pub server_selector: LabelSelector,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredCondition {
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    pub required_status: ConditionStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnforcementMode {
    BootstrapOnly,
    Continuous,
}

impl ConditionStatus {
    /// As conditions write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The taint of a rule; its members cannot change in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = json!([
    {"rule": "self.key.size() <= 253", "message": "taint key length must be at most 253 characters"},
    {"rule": "!has(oldSelf.key) || self.key == oldSelf.key", "message": "taint key is immutable"},
    {"rule": "!has(oldSelf.effect) || self.effect == oldSelf.effect", "message": "taint effect is immutable"},
    {"rule": "!has(oldSelf.value) || self.value == oldSelf.value", "message": "taint value is immutable"}
])))]
pub struct RuleTaint {
    #[schemars(length(min = 1))]
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default)]
    #[schemars(extend("default" = "NoBind"))]
    pub effect: TaintEffect,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerReadinessRuleStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions_by_type")]
    pub conditions: Vec<Condition>,
}
