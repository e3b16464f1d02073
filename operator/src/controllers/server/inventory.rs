//! `Server.status` from what the BMC and the probe say. Pure.

use crds::kinds::server_status::{
    LldpNeighbor, NetworkInterface, Processor, ServerStatus, Storage, StorageDrive, StorageVolume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::bmc::{Inventory, System};
use crate::registry::HardwareData;

/// Everything that Initial writes (contract section 3.4).
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
    // Nobody holds the machine and nothing of a tenant is on it: this is the order to come back to.
    status.boot_order = system.boot.boot_order.clone().unwrap_or_default();
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
