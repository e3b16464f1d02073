//! An emulated machine, as an agent sees it from inside.

use async_trait::async_trait;
use bmc_emulator::{DriveName, InBand, InBandDrive, InBandNic};
use probe::model::{
    BiosInformation, BlockDevice, CarrierStatus, CpuInfo, EraseMethod, LldpInterface, LldpNeighbor, MemoryDevice,
    NetworkInterface, Nic, SystemInfo, SystemInformation,
};
use probe::{Drive, Host, HostError, Inventory};

/// Sector size that all emulated drives have.
const SECTOR_BYTES: u64 = 512;

/// [`Host`] over the in-band view of an emulated machine.
pub(super) struct VirtualHost(pub(super) InBand);

#[async_trait]
impl Host for VirtualHost {
    async fn inventory(&self) -> Result<Inventory, HostError> {
        let machine = &self.0;
        let nics = machine.nics();
        Ok(Inventory {
            system_info: self.system_info(),
            cpu: self.processors(),
            network_interfaces: nics.iter().map(network_interface).collect(),
            storage: machine.drives().into_iter().map(block_device).collect(),
            memory: vec![MemoryDevice {
                size_bytes: i64::try_from(machine.memory_bytes()).unwrap_or(i64::MAX),
                device_locator: "total".to_owned(),
                memory_type: "Unknown".to_owned(),
                ..MemoryDevice::default()
            }],
            nics: nics.into_iter().map(adapter).collect(),
            pci_devices: Vec::new(),
        })
    }

    async fn lldp(&self) -> Result<Vec<LldpInterface>, HostError> {
        let heard: Vec<_> = self.0.nics().into_iter().filter_map(lldp_interface).collect();
        match heard.is_empty() {
            true => Err(HostError::LldpUnavailable {
                reason: "no cable of this machine ends in a switch".to_owned(),
            }),
            false => Ok(heard),
        }
    }

    async fn drives(&self) -> Result<Vec<Drive>, HostError> {
        let drives = self.0.drives().into_iter().map(|drive| Drive {
            name: drive.path,
            serial_number: drive.serial_number,
            wwid: drive.wwid,
            size_bytes: drive.size_bytes,
        });
        Ok(drives.collect())
    }

    async fn erase(&self, drive: &Drive) -> Result<EraseMethod, HostError> {
        let failed = |source: probe::BoxError| HostError::Erase {
            drive: drive.name.clone(),
            source,
        };
        let found = self.find(drive).ok_or_else(|| failed("the drive is gone".into()))?;
        self.0.erase(&found.name).await.map_err(|error| failed(error.into()))?;
        Ok(match (found.protocol, found.rotational) {
            ("NVMe", _) => EraseMethod::NVMeFormat,
            (_, false) => EraseMethod::BlockDiscard,
            (_, true) => EraseMethod::Overwrite,
        })
    }

    async fn verify_erased(&self, drive: &Drive) -> Result<(), HostError> {
        let failed = |source: probe::BoxError| HostError::Verify {
            drive: drive.name.clone(),
            source,
        };
        let found = self.find(drive).ok_or_else(|| failed("the drive is gone".into()))?;
        match self
            .0
            .read(&found.name)
            .map_err(|error| failed(error.into()))?
            .is_blank()
        {
            true => Ok(()),
            false => Err(HostError::NotErased {
                drive: drive.name.clone(),
                offset: 0,
            }),
        }
    }
}

impl VirtualHost {
    fn find(&self, drive: &Drive) -> Option<InBandDrive> {
        let same = |found: &InBandDrive| found.path == drive.name && found.serial_number == drive.serial_number;
        self.0.drives().into_iter().find(same)
    }

    fn system_info(&self) -> SystemInfo {
        let dmi = self.0.dmi();
        SystemInfo {
            bios_information: BiosInformation {
                vendor: dmi.bios_vendor,
                version: dmi.bios_version,
                date: String::new(),
            },
            system_information: SystemInformation {
                manufacturer: dmi.manufacturer,
                product_name: dmi.product_name,
                serial_number: dmi.serial_number,
                uuid: dmi.system_uuid.to_string(),
                sku_number: dmi.sku,
                ..SystemInformation::default()
            },
            ..SystemInfo::default()
        }
    }

    fn processors(&self) -> Vec<CpuInfo> {
        let processors = self.0.processors().into_iter().zip(0..);
        let package = |(processor, id): (bmc_emulator::fleet::spec::ProcessorSpec, i64)| CpuInfo {
            id,
            total_cores: processor.cores,
            total_hardware_threads: processor.threads,
            vendor: processor.manufacturer,
            model: processor.model,
            capabilities: Vec::new(),
        };
        processors.map(package).collect()
    }
}

fn network_interface(nic: &InBandNic) -> NetworkInterface {
    NetworkInterface {
        name: nic.name.clone(),
        ip_address: String::new(),
        ip_addresses: nic.ips.iter().map(ToString::to_string).collect(),
        mac_address: nic.mac_address.clone(),
        carrier_status: Some(if nic.carrier {
            CarrierStatus::Up
        } else {
            CarrierStatus::Down
        }),
    }
}

fn adapter(nic: InBandNic) -> Nic {
    Nic {
        name: nic.name,
        mac: nic.mac_address,
        pci_address: "unknown".to_owned(),
        speed: if nic.carrier {
            format!("{}Mb/s", nic.speed_mbps)
        } else {
            "unknown".to_owned()
        },
        ..Nic::default()
    }
}

fn lldp_interface(nic: InBandNic) -> Option<LldpInterface> {
    let neighbor = nic.neighbor?;
    Some(LldpInterface {
        name: nic.name,
        neighbors: vec![LldpNeighbor {
            chassis_id: neighbor.chassis_id,
            port_id: neighbor.port_id,
            port_description: neighbor.port_description,
            system_name: neighbor.system_name,
            system_description: neighbor.system_description,
            mgmt_ip: neighbor
                .management_addresses
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
            // What every switch says of itself.
            capabilities: vec!["Bridge".to_owned()],
            ..LldpNeighbor::default()
        }],
    })
}

fn block_device(drive: InBandDrive) -> BlockDevice {
    let DriveName(name) = drive.name;
    BlockDevice {
        path: format!("/sys/block/{name}"),
        name,
        rotational: drive.rotational,
        vendor: drive.manufacturer,
        model: drive.model,
        serial: drive.serial_number,
        wwid: drive.wwid,
        physical_block_size: SECTOR_BYTES,
        logical_block_size: SECTOR_BYTES,
        hw_sector_size: SECTOR_BYTES,
        size_bytes: drive.size_bytes,
        ..BlockDevice::default()
    }
}
