//! What the switches said.

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// The neighbours of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LldpInterface {
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub neighbors: Vec<LldpNeighbor>,
}

/// One neighbour (IEEE 802.1AB TLVs).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LldpNeighbor {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chassis_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub port_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub port_description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mgmt_ip: String,
    /// Only those that are enabled.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vlan_id: String,
}
