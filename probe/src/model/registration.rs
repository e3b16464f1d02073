//! `POST /register`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    BlockDevice, CpuInfo, LldpInterface, MemoryDevice, NetworkInterface, Nic, PciDevice, SystemInfo, null_as_default,
};
use crate::host::Inventory;

/// Body of `POST /register`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    #[serde(rename = "systemUUID")]
    pub system_uuid: String,
    pub data: RegistrationData,
}

/// What an agent knows about its machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationData {
    /// When this was posted, by the clock of the machine; second precision.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "go_time")]
    pub timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub system_info: SystemInfo,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cpu: Vec<CpuInfo>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub lldp: Vec<LldpInterface>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<BlockDevice>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryDevice>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub pci_devices: Vec<PciDevice>,
}

impl RegistrationData {
    /// Joins what was collected at different moments under the time of the post.
    #[must_use]
    pub fn new(timestamp: Timestamp, inventory: Inventory, lldp: Vec<LldpInterface>) -> Self {
        Self {
            timestamp: Some(timestamp),
            system_info: inventory.system_info,
            cpu: inventory.cpu,
            network_interfaces: inventory.network_interfaces,
            lldp,
            storage: inventory.storage,
            memory: inventory.memory,
            nics: inventory.nics,
            pci_devices: inventory.pci_devices,
        }
    }
}

/// RFC 3339 with second precision, `null` for none.
mod go_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_str(&time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            None => Option::<Timestamp>::None.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(deserializer)
    }
}
