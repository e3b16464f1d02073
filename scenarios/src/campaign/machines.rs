//! The machines of a campaign: of several vendors, with BMCs that are odd in different ways, and with drives that can be erased by the BMC
//! and drives that cannot.

use crate::script::model::{OperatorSpec, Scalar, Scenario};
use bmc_emulator::fleet::spec::{BmcSpec, DriveProtocol, DriveSpec, MachineSpec, MediaType, NeighborSpec, NicSpec};
use bmc_emulator::{FleetSpec, PersonalityName, Quirk, Secret};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the machine with this number.
pub(super) fn name(number: u32) -> String {
    format!("node-{number}")
}

/// The Server object of a machine (contract section 3.3).
pub(super) fn server(machine: &str) -> String {
    format!("{machine}-system-0")
}

/// Drives of the machine with this number, and whether the BMC can erase each.
pub(super) fn drives(number: u32) -> Vec<(&'static str, bool)> {
    match number % 3 {
        0 => vec![("nvme0n1", true)],
        1 => vec![("nvme0n1", true), ("sda", false)],
        _ => vec![("sda", false), ("sdb", false)],
    }
}

/// What the BMC of the machine with this number does beside the specification: every fifth is as it should be.
fn quirks(number: u32) -> Vec<Quirk> {
    match number % 5 {
        // Without out-of-band erasure there is no drive a BMC would have to know.
        2 if number % 3 == 2 => vec![Quirk::BootModeNotWritable, Quirk::NoStorage],
        0 => vec![
            Quirk::NullOverrideTarget,
            Quirk::InventoryOnlyWhenOn,
            Quirk::NewTaskNotFound,
        ],
        1 => vec![
            Quirk::ManagerWithoutPowerState,
            Quirk::CompletedCritical,
            Quirk::NoBios,
            Quirk::LongHardwareAddress,
        ],
        2 => vec![Quirk::BootModeNotWritable, Quirk::ResetTimeZero, Quirk::NoManagedBy],
        3 => vec![
            Quirk::NoBootMode,
            Quirk::TasksLostAtReset,
            Quirk::NoBios,
            Quirk::EmptyHardwareAddress,
            Quirk::ExtendedInfoIsObject,
        ],
        _ => Vec::new(),
    }
}

/// NIC every machine boots from.
pub(super) const NIC: &str = "eno1";

/// What a campaign runs in: these machines, and an operator that elects a leader.
pub(super) fn scenario(name: &str, description: &str, numbers: &[u32]) -> Scenario {
    let mut operator = OperatorSpec::default();
    operator.elect();
    let workers = ("server-max-concurrent-reconciles".to_owned(), Scalar("16".to_owned()));
    operator.options.extend([workers]);
    Scenario {
        name: name.to_owned(),
        description: description.to_owned(),
        file: String::new(),
        requires: BTreeSet::new(),
        parameters: BTreeMap::from([("servers".to_owned(), numbers.len().to_string())]),
        fleet: FleetSpec {
            faults: Vec::new(),
            machines: numbers.iter().copied().map(machine).collect(),
            first_address: None,
        },
        operator,
        steps: Vec::new(),
    }
}

fn machine(number: u32) -> MachineSpec {
    MachineSpec {
        name: name(number),
        personality: match number % 2 {
            0 => PersonalityName::Generic,
            _ => PersonalityName::Dell,
        },
        quirks: quirks(number),
        drives: Some(drives(number).into_iter().map(drive).collect()),
        nics: Some(vec![NicSpec {
            name: NIC.to_owned(),
            speed_mbps: 25_000,
            neighbor: Some(NeighborSpec {
                chassis_id: format!("switch-{}", number / 16),
                port_id: format!("port-{}", number % 16),
                // Some switches announce where they are managed.
                management_addresses: (number % 2 == 1).then(|| [10, 0, 0, 1].into()).into_iter().collect(),
                ..NeighborSpec::default()
            }),
            ..NicSpec::default()
        }]),
        bmc: BmcSpec {
            password: Secret::new(format!("canary-bmc-password-{number}")),
            // As with a DPU whose only port is InfiniBand.
            mac_address: (number % 5 == 1).then(|| {
                format!(
                    "80:00:00:48:fe:80:00:00:00:00:00:00:ec:0d:9a:03:00:{:02x}:00:01",
                    number % 256
                )
            }),
            ..BmcSpec::default()
        },
        ..MachineSpec::default()
    }
}

fn drive((name, secure_erase): (&str, bool)) -> DriveSpec {
    let is_nvme = name.starts_with("nvme");
    DriveSpec {
        name: name.to_owned(),
        serial_number: None,
        size_bytes: 480_000_000_000,
        media_type: if is_nvme { MediaType::SSD } else { MediaType::HDD },
        protocol: if is_nvme {
            DriveProtocol::NVMe
        } else {
            DriveProtocol::SATA
        },
        manufacturer: None,
        model: None,
        // SATA drives hang on a controller of their own.
        content: std::collections::BTreeMap::new(),
        controller: (!is_nvme).then(|| "AHCI.Embedded.1".to_owned()),
        secure_erase,
    }
}
