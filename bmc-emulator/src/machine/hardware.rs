//! What a machine is built of. Nothing here changes while it runs, except cables and the settings of NICs.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::drive::{Drive, DriveContent, DriveName};
use super::nic::Nic;
use crate::fleet::spec::{
    AcceleratorSpec, DriveProtocol, DriveSpec, MachineSpec, NicSpec, ProcessorSpec, StorageControllerSpec,
};
use crate::identity::{self, MacAddresses};
use crate::personality::Personality;

#[derive(Debug)]
pub(crate) struct Hardware {
    pub name: String,
    pub uuid: Uuid,
    pub bmc_uuid: Uuid,
    pub chassis_serial_number: String,
    pub manufacturer: String,
    pub model: String,
    pub sku: String,
    pub serial_number: String,
    pub processors: Vec<ProcessorSpec>,
    pub memory_gib: u32,
    pub accelerators: Vec<AcceleratorSpec>,
    pub height_units: Option<u8>,
    pub nics: Vec<Nic>,
    /// Those that the fleet file describes; a drive may hang on another one.
    pub storage_controllers: Vec<StorageControllerSpec>,
    pub bmc_mac_address: String,
    pub bmc_address: String,
    pub bmc_port: u16,
    pub boot_server_url: Option<String>,
}

impl DriveProtocol {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            DriveProtocol::NVMe => "NVMe",
            DriveProtocol::SATA => "SATA",
            DriveProtocol::SAS => "SAS",
        }
    }
}

impl Hardware {
    pub(crate) fn new(
        spec: &MachineSpec,
        personality: &Personality,
        seed: u64,
        bmc_address: String,
        bmc_mac_address: String,
        mac_addresses: &mut MacAddresses,
    ) -> Self {
        let name = spec.name.as_str();
        let serial_number = || identity::serial_number(seed, &[name, "serialNumber"], 7);
        let nics = match &spec.nics {
            Some(nics) => nics.as_slice(),
            None => &[NicSpec {
                name: "eno1".to_owned(),
                speed_mbps: 25_000,
                ..NicSpec::default()
            }],
        };
        let mut mac_address =
            |nic: &NicSpec| mac_addresses.derive(personality.mac_prefix, seed, &[name, "nic", &nic.name]);
        let nics = nics.iter().map(|nic| Nic::new(nic, &mut mac_address)).collect();
        Self {
            name: name.to_owned(),
            uuid: spec
                .system_uuid
                .unwrap_or_else(|| identity::uuid(seed, &[name, "system"])),
            bmc_uuid: identity::uuid(seed, &[name, "bmc"]),
            chassis_serial_number: identity::serial_number(seed, &[name, "chassis"], 10),
            manufacturer: spec
                .manufacturer
                .clone()
                .unwrap_or_else(|| personality.manufacturer.to_owned()),
            model: spec.model.clone().unwrap_or_else(|| personality.model.to_owned()),
            sku: spec
                .sku
                .clone()
                .unwrap_or_else(|| identity::serial_number(seed, &[name, "sku"], 7)),
            serial_number: spec.serial_number.clone().unwrap_or_else(serial_number),
            processors: spec
                .processors
                .clone()
                .unwrap_or_else(|| vec![ProcessorSpec::default()]),
            memory_gib: spec.memory_gib.unwrap_or(64),
            accelerators: spec.accelerators.clone(),
            height_units: spec.height_units,
            nics,
            storage_controllers: spec.storage_controllers.clone(),
            bmc_mac_address,
            bmc_address,
            bmc_port: spec.bmc.port,
            boot_server_url: spec.boot.server_url.clone(),
        }
    }
}

pub(crate) fn drives(spec: &MachineSpec, seed: u64) -> Vec<Drive> {
    let specs = spec.drives.clone().unwrap_or_else(|| vec![default_drive()]);
    specs
        .into_iter()
        .map(|drive| new_drive(drive, &spec.name, seed))
        .collect()
}

/// The drive of a machine whose specification is silent about drives.
pub(crate) fn default_drive() -> DriveSpec {
    DriveSpec {
        name: "nvme0n1".to_owned(),
        serial_number: None,
        size_bytes: 480_000_000_000,
        media_type: Default::default(),
        protocol: Default::default(),
        manufacturer: None,
        model: None,
        controller: None,
        content: BTreeMap::new(),
        secure_erase: true,
    }
}

fn new_drive(spec: DriveSpec, machine: &str, seed: u64) -> Drive {
    let path = [machine, "drive", spec.name.as_str()];
    // NVMe namespaces are known by an EUI-64, SCSI and ATA drives by an NAA identifier (SPC-4).
    let wwid = match spec.protocol {
        DriveProtocol::NVMe => format!("eui.{}", identity::hex(seed, &path, 16)),
        DriveProtocol::SATA | DriveProtocol::SAS => format!("naa.5{}", identity::hex(seed, &path, 15)),
    };
    Drive {
        serial_number: spec
            .serial_number
            .unwrap_or_else(|| identity::serial_number(seed, &path, 14)),
        wwid,
        controller: spec.controller,
        name: DriveName(spec.name),
        size_bytes: spec.size_bytes,
        media_type: spec.media_type,
        protocol: spec.protocol,
        manufacturer: spec.manufacturer.unwrap_or_else(|| "Emulated Storage".to_owned()),
        model: spec.model.unwrap_or_else(|| "ES480".to_owned()),
        secure_erase: spec.secure_erase,
        content: DriveContent {
            records: spec
                .content
                .into_iter()
                .map(|(name, text)| (name, text.into_bytes()))
                .collect(),
        },
        absent: false,
        erasure: None,
    }
}
