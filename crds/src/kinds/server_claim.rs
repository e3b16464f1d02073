//! ServerClaim: a user's demand for a server (contract section 1.7).

use crate::open_enum::open_enum;
use crate::shared::{LocalObjectReference, Power, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "A user's demand for a server.",
    kind = "ServerClaim",
    plural = "serverclaims",
    singular = "serverclaim",
    shortname = "scl",
    namespaced,
    status = "ServerClaimStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Server","type":"string","jsonPath":".spec.serverRef.name"}"#,
    printcolumn = r#"{"name":"Ignition","type":"string","jsonPath":".spec.ignitionSecretRef.name"}"#,
    printcolumn = r#"{"name":"Image","type":"string","jsonPath":".spec.image"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = json!([
    {"rule": "!has(oldSelf.serverRef) || has(self.serverRef)", "message": "serverRef is required once set"},
    {"rule": "!has(oldSelf.serverSelector) || has(self.serverSelector)", "message": "serverSelector is required once set"}
])))]
pub struct ServerClaimSpec {
    /// `On` or `Off`.
    pub power: Power,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "serverRef is immutable"}])))]
    pub server_ref: Option<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        schema_with = "crate::schema::label_selector",
        extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "serverSelector is immutable"}]))
    )]
    pub server_selector: Option<LabelSelector>,
    /// A core Secret with the key `ignition`, in the claim's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition_secret_ref: Option<LocalObjectReference>,
    /// A core Secret of type `metal.ironcore.dev/user-data`, in the claim's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data_ref: Option<LocalObjectReference>,
    pub image: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
}

open_enum! {
    /// Whether a claim has its server.
    ClaimPhase { Bound = "Bound", Unbound = "Unbound" }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerClaimStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClaimPhase>,
    /// Our addition: `Bound` says why a claim waits. Ignored by other clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions_by_type")]
    pub conditions: Vec<Condition>,
}
