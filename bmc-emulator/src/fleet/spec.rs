//! What a fleet file says. Everything has a default, so that `machines: [{name: a}]` is a complete fleet.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::duration::DurationText;
use crate::fault::FleetFault;
use crate::machine::volume::RaidType;
use crate::personality::PersonalityName;
use crate::quirk::Quirk;
use crate::secret::Secret;

/// A fleet of machines, each with a BMC of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetSpec {
    pub machines: Vec<MachineSpec>,
    /// BMCs without an address of their own get this one and those that follow. Default: 127.8.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_address: Option<Ipv4Addr>,
    /// What goes wrong from the beginning, as if it were injected before the first request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FleetFault>,
}

/// One machine, or with `count` a template for many. In a template every text may contain `{index}`, which becomes
/// 0, 1, 2, …; a name without it gets `-<index>` appended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineSpec {
    pub name: String,
    /// How many machines this entry stands for. Absent: one, named exactly `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    #[serde(default)]
    pub personality: PersonalityName,
    /// Name of an earlier machine whose BMC manages this one, too, as a further system: a sled of the same enclosure. It has no BMC of its
    /// own then, and nothing to say in `bmc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// A recorded tree that the machine replays: a folder or archive in the layout of the DMTF's mockups, seen from the
    /// fleet file. It brings its personality along, and whatever of the hardware is not said here. With `count`, every
    /// machine has serial numbers and addresses of its own; without, the recorded ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mockup: Option<String>,
    /// Default: derived from the seed and the name.
    #[serde(default, rename = "systemUUID", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub system_uuid: Option<Uuid>,
    /// Default: what the personality says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// A model of the catalogue (`bmc-emulator models`), whose hardware the machine has where this entry says nothing else, or any other
    /// text, which is only shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of its chassis, in units of a rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height_units: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Default: one processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<Vec<ProcessorSpec>>,
    /// Default: 64.
    #[serde(default, rename = "memoryGiB", skip_serializing_if = "Option::is_none")]
    pub memory_gib: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accelerators: Vec<AcceleratorSpec>,
    /// Default: one NVMe drive of 480 GB that supports SecureErase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drives: Option<Vec<DriveSpec>>,
    /// Storage controllers about which there is more to say than their id, which a drive names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_controllers: Vec<StorageControllerSpec>,
    /// RAID volumes that are there when the fleet starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeSpec>,
    /// Default: one NIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nics: Option<Vec<NicSpec>>,
    #[serde(default)]
    pub boot: BootSpec,
    #[serde(default)]
    pub bmc: BmcSpec,
    #[serde(default)]
    pub timing: TimingSpec,
    /// Names of drives and NICs in the order the firmware tries them as delivered from the factory.
    /// Default: all drives, then all NICs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_order: Option<Vec<String>>,
    /// BIOS attributes that differ from the personality's factory defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bios_attributes: BTreeMap<String, serde_json::Value>,
    /// What its BMC does beside the specification, in addition to what BMCs of this personality do (`bmc-emulator quirks`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<Quirk>,
    /// What its BMC does not do, although others of this personality do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_quirks: Vec<Quirk>,
    /// Whether it has a TPM. Default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<bool>,
    /// Whether the machine is switched on when the fleet starts. Default: off.
    #[serde(default)]
    pub powered_on: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProcessorSpec {
    pub manufacturer: String,
    pub model: String,
    /// Redfish `ProcessorArchitecture`.
    pub architecture: String,
    /// Redfish `InstructionSet`.
    pub instruction_set: String,
    #[serde(rename = "maxSpeedMHz")]
    pub max_speed_mhz: u32,
    pub cores: u32,
    pub threads: u32,
}

impl Default for ProcessorSpec {
    fn default() -> Self {
        Self {
            manufacturer: "Emulated Silicon".to_owned(),
            model: "Emulated Processor 2400".to_owned(),
            architecture: "x86".to_owned(),
            instruction_set: "x86-64".to_owned(),
            max_speed_mhz: 2400,
            cores: 16,
            threads: 32,
        }
    }
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceleratorSpec {
    pub manufacturer: String,
    pub model: String,
    #[serde(rename = "memoryGiB")]
    pub memory_gib: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriveSpec {
    /// Kernel name without `/dev/`, for example `nvme0n1`.
    pub name: String,
    /// Default: derived from the machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    #[serde(default = "default_drive_size")]
    pub size_bytes: u64,
    #[serde(default)]
    pub media_type: MediaType,
    #[serde(default)]
    pub protocol: DriveProtocol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Redfish id of the storage controller it is attached to. Default: the personality's only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// What is on it when the fleet starts, by any name: `partition-table: gpt`, `filesystem:/var: ext4`, `raid-member: md0`. An erasure is
    /// checked by what is left of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub content: BTreeMap<String, String>,
    /// Whether the BMC offers `Drive.SecureErase` for this drive.
    #[serde(default = "yes")]
    pub secure_erase: bool,
}

fn default_drive_size() -> u64 {
    480_000_000_000
}

fn yes() -> bool {
    true
}

/// Redfish `MediaType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MediaType {
    #[default]
    SSD,
    HDD,
}

/// Redfish `Protocol` of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriveProtocol {
    #[default]
    NVMe,
    SATA,
    SAS,
}

/// A storage controller: the card or the port that drives hang on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageControllerSpec {
    /// Redfish `Id` of its `Storage`.
    pub id: String,
    pub manufacturer: String,
    pub model: String,
    pub firmware_version: String,
    /// The volumes it can make of its drives. Default: none, it passes its drives on.
    #[serde(rename = "raidTypes", skip_serializing_if = "Vec::is_empty")]
    pub raid_types: Vec<RaidType>,
}

impl Default for StorageControllerSpec {
    fn default() -> Self {
        Self {
            id: String::new(),
            manufacturer: "Emulated Storage".to_owned(),
            model: "ES Controller".to_owned(),
            firmware_version: "1.0.0".to_owned(),
            raid_types: Vec::new(),
        }
    }
}

/// A RAID volume. The host sees it as a drive of its own, and none of its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeSpec {
    /// `Id` of the storage controller.
    pub controller: String,
    pub raid_type: RaidType,
    /// Names of its members.
    pub drives: Vec<String>,
    /// Default: made of its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NicSpec {
    /// Kernel name, for example `eno1`.
    pub name: String,
    /// Default: derived from the machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// Addresses the interface has once an operating system runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<IpAddr>,
    #[serde(default = "default_nic_speed")]
    pub speed_mbps: u32,
    /// The card it is a port of (Redfish `Id` of its `NetworkAdapter`). Default: a card of its own, with its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What LLDP would tell about the other end of the cable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbor: Option<NeighborSpec>,
}

fn default_nic_speed() -> u32 {
    25_000
}

/// The switch port at the other end, as LLDP announces it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NeighborSpec {
    #[serde(rename = "chassisID")]
    pub chassis_id: String,
    #[serde(default)]
    pub system_name: String,
    #[serde(default)]
    pub system_description: String,
    #[serde(rename = "portID")]
    pub port_id: String,
    #[serde(default)]
    pub port_description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub management_addresses: Vec<IpAddr>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BootSpec {
    /// What DHCP would hand out: the firmware fetches `<serverURL>/ipxe/<uuid>`. Absent: network boot finds nothing.
    #[serde(default, rename = "serverURL", skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BmcSpec {
    /// Address or host name. Default: an address of its own, counted up from `firstAddress` of the fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub port: u16,
    /// Default: derived from the machine's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    pub username: String,
    pub password: Secret,
    /// Whether the BMC allows nothing before this password has been changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub password_change_required: bool,
    /// Port of its SSH shell. Default: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_port: Option<u16>,
}

impl Default for BmcSpec {
    fn default() -> Self {
        Self {
            address: None,
            port: 8443,
            mac_address: None,
            username: "admin".to_owned(),
            password: Secret::new("password"),
            password_change_required: false,
            ssh_port: None,
        }
    }
}

/// How long the hardware takes; what is absent comes from the personality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimingSpec {
    /// From the command until the power is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_on: Option<DurationText>,
    /// From the command until the power is off (forced).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_off: Option<DurationText>,
    /// Power-on self test: from power on until the firmware looks for something to boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<DurationText>,
    /// From the power-button press until the guest has shut down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graceful_shutdown: Option<DurationText>,
    /// Erasure of one drive, out of band as well as in band.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_erase: Option<DurationText>,
    /// How long a BMC does not answer after its own reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc_reset: Option<DurationText>,
    /// Pause between two attempts of the firmware to fetch its boot script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_retry: Option<DurationText>,
    /// Loading of the operating system, after the firmware has handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_boot: Option<DurationText>,
    /// From the command until a firmware image has been fetched, checked and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_update: Option<DurationText>,
}
