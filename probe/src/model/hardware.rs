//! Firmware identity (DMI), processors, memory and PCI devices.

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// What the firmware says about the machine (SMBIOS types 0, 1 and 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemInfo {
    pub bios_information: BiosInformation,
    pub system_information: SystemInformation,
    pub board_information: BoardInformation,
}

/// SMBIOS type 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BiosInformation {
    pub vendor: String,
    pub version: String,
    pub date: String,
}

/// SMBIOS type 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemInformation {
    pub manufacturer: String,
    pub product_name: String,
    pub version: String,
    pub serial_number: String,
    pub uuid: String,
    pub sku_number: String,
    pub family: String,
}

/// SMBIOS type 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BoardInformation {
    pub manufacturer: String,
    pub product: String,
    pub version: String,
    pub serial_number: String,
    pub asset_tag: String,
}

/// One processor package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CpuInfo {
    /// Physical package id.
    pub id: i64,
    pub total_cores: u32,
    pub total_hardware_threads: u32,
    pub vendor: String,
    pub model: String,
    #[serde(deserialize_with = "null_as_default")]
    pub capabilities: Vec<String>,
}

/// One populated memory slot (SMBIOS type 17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryDevice {
    #[serde(rename = "size")]
    pub size_bytes: i64,
    pub device_set: String,
    pub device_locator: String,
    pub bank_locator: String,
    pub memory_type: String,
    pub speed: String,
    pub vendor: String,
    pub serial_number: String,
    pub asset_tag: String,
    pub part_number: String,
    pub configured_memory_speed: String,
    pub minimum_voltage: String,
    pub maximum_voltage: String,
    pub configured_voltage: String,
}

/// One PCI function. Members with an empty or zero value are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PciDevice {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    #[serde(rename = "vendorID", skip_serializing_if = "String::is_empty")]
    pub vendor_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub product: String,
    #[serde(rename = "productID", skip_serializing_if = "String::is_empty")]
    pub product_id: String,
    /// -1 when unknown.
    #[serde(rename = "numaNodeID", skip_serializing_if = "is_zero")]
    pub numa_node_id: i32,
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}
