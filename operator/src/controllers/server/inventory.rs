//! `Server.status` from what the BMC and the probe say. Pure.

use crds::kinds::server_status::{
    LldpNeighbor, NetworkInterface, Processor, ServerStatus, Storage, StorageDrive, StorageVolume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::bmc::{Inventory, System};
use crate::registry::HardwareData;

/// Whether the inventory tells of another machine than the one before: what the probe saw of it does not count any more. The firmware may have
/// changed, and what the volumes are.
pub(super) fn tells_of_other_hardware(before: &ServerStatus, after: &ServerStatus) -> bool {
    let drives = |status: &ServerStatus| {
        let all = status.storages.iter().flat_map(|storage| &storage.drives);
        let present = all.filter(|drive| drive.state.as_deref() != Some("Absent"));
        let mut known: Vec<_> = present
            .map(|drive| (drive.name.clone(), drive.model.clone(), drive.capacity.clone()))
            .map(|(name, model, capacity)| (name, model, capacity.map(|capacity| capacity.0)))
            .collect();
        known.sort();
        known
    };
    before.serial_number != after.serial_number
        || before.total_system_memory != after.total_system_memory
        || before.processors != after.processors
        || drives(before) != drives(after)
}

/// Everything that Initial writes (contract section 3.4), but the boot order.
pub(super) fn write(status: &mut ServerStatus, system: &System, inventory: &Inventory) {
    status.bios_version = system.bios_version.clone();
    status.serial_number = system.serial_number.clone();
    status.sku = system.sku.clone();
    status.manufacturer = system.manufacturer.clone();
    status.model = system.model.clone();
    status.total_system_memory = system
        .total_memory_gib
        .filter(|gib| gib.is_finite() && *gib >= 0.0)
        .map(|gib| Quantity(format!("{gib:.0}Gi")));
    status.processors = inventory
        .processors
        .iter()
        .map(|processor| Processor {
            id: processor.id.clone(),
            type_: processor.processor_type.clone(),
            architecture: processor.architecture.clone(),
            instruction_set: processor.instruction_set.clone(),
            manufacturer: processor.manufacturer.clone(),
            model: processor.model.clone(),
            max_speed_mhz: processor.max_speed_mhz,
            total_cores: processor.total_cores,
            total_threads: processor.total_threads,
        })
        .collect();
    status.storages = inventory
        .storages
        .iter()
        .map(|storage| Storage {
            name: Some(storage.name.clone()),
            state: storage.state.clone(),
            volumes: storage
                .volumes
                .iter()
                .map(|volume| StorageVolume {
                    name: Some(volume.name.clone()),
                    capacity: volume.capacity_bytes.map(bytes),
                    state: volume.state.clone(),
                    raid_type: volume.raid_type.clone(),
                    volume_usage: volume.volume_usage.clone(),
                })
                .collect(),
            drives: storage
                .drives
                .iter()
                .map(|drive| StorageDrive {
                    name: Some(drive.name.clone()),
                    media_type: drive.media_type.clone(),
                    type_: drive.drive_type.clone(),
                    capacity: drive.capacity_bytes.map(bytes),
                    vendor: drive.vendor.clone(),
                    model: drive.model.clone(),
                    state: drive.state.clone(),
                })
                .collect(),
        })
        .collect();
}

fn bytes(bytes: i64) -> Quantity {
    Quantity(bytes.to_string())
}

/// Network interfaces and their LLDP neighbours, as the probe saw them.
pub(super) fn network_interfaces(hardware: &HardwareData) -> Vec<NetworkInterface> {
    hardware
        .network_interfaces
        .iter()
        .map(|interface| NetworkInterface {
            name: interface.name.clone(),
            mac_address: interface.mac_address.clone(),
            ip: None,
            ips: interface.ips.iter().map(ToString::to_string).collect(),
            carrier_status: interface.carrier_status.clone(),
            neighbors: interface
                .neighbors
                .iter()
                .map(|neighbor| LldpNeighbor {
                    mac_address: neighbor.mac_address.clone(),
                    port_id: neighbor.port_id.clone(),
                    port_description: neighbor.port_description.clone(),
                    system_name: neighbor.system_name.clone(),
                    system_description: neighbor.system_description.clone(),
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_and_volumes_do_not_make_another_machine() {
        let drive = |name: &str| StorageDrive {
            name: Some(name.into()),
            ..StorageDrive::default()
        };
        let with = |drives: Vec<StorageDrive>| ServerStatus {
            bios_version: Some("1".into()),
            storages: vec![Storage {
                drives,
                ..Storage::default()
            }],
            ..ServerStatus::default()
        };
        let before = with(vec![drive("a"), drive("b")]);
        let empty_bay = StorageDrive {
            state: Some("Absent".into()),
            ..drive("c")
        };
        for (after, expected) in [
            (with(vec![drive("b"), drive("a"), empty_bay]), false),
            (with(vec![drive("a")]), true),
            (with(vec![drive("a"), drive("c")]), true),
            (
                ServerStatus {
                    bios_version: Some("2".into()),
                    ..before.clone()
                },
                false,
            ),
            (
                ServerStatus {
                    serial_number: Some("other".into()),
                    ..before.clone()
                },
                true,
            ),
        ] {
            assert_eq!(tells_of_other_hardware(&before, &after), expected, "{after:?}");
        }
    }
}
