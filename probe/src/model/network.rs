//! Network interfaces as the kernel sees them, and the adapters behind them.

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkInterface {
    pub name: String,
    /// Deprecated single address; still read, because older agents write only this one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
    #[serde(deserialize_with = "null_as_default")]
    pub ip_addresses: Vec<String>,
    pub mac_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier_status: Option<CarrierStatus>,
}

/// Whether there is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CarrierStatus {
    Up,
    Down,
}

/// One network adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nic {
    pub name: String,
    pub mac: String,
    /// `unknown` when the adapter is not a PCI device.
    pub pci_address: String,
    /// Such as `25000Mb/s`; `unknown` without a link.
    pub speed: String,
    #[serde(deserialize_with = "null_as_default")]
    pub link_modes: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub supported_ports: Vec<String>,
    pub firmware_version: String,
}
