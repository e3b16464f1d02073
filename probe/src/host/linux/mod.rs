//! A real Linux host, read from sysfs and procfs.
//!
//! Every source is a file of its own and is read below a root directory, so that tests run on trees of fixtures. The
//! reads are short and never wait for hardware, which is why they are plain blocking reads; what does wait (LLDP,
//! erasing) is asynchronous.

mod addresses;
mod block;
mod cpu;
mod dmi;
mod files;
mod lldp;
mod memory;
mod network;
mod nic;
mod overwrite;
mod pci;
mod protection;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Drive, Host, HostError, Inventory};
use crate::model::{EraseMethod, LldpInterface};

/// Addresses of all interfaces by interface name. The only thing that sysfs does not tell.
pub type AddressSource = Arc<dyn Fn() -> io::Result<BTreeMap<String, Vec<IpAddr>>> + Send + Sync>;

/// The host this process runs on, or a tree that looks like one.
#[derive(Clone)]
pub struct LinuxHost {
    root: PathBuf,
    addresses: AddressSource,
    lldpctl: PathBuf,
}

impl LinuxHost {
    /// The host this process runs on.
    #[must_use]
    pub fn this() -> Self {
        Self::at("/", Arc::new(addresses::of_kernel), "lldpctl")
    }

    /// A host whose `/sys`, `/proc` and `/dev` are below `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>, addresses: AddressSource, lldpctl: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            addresses,
            lldpctl: lldpctl.into(),
        }
    }
}

#[async_trait]
impl Host for LinuxHost {
    async fn inventory(&self) -> Result<Inventory, HostError> {
        let root = self.root.as_path();
        Ok(Inventory {
            system_info: dmi::read(root),
            cpu: files::or_empty("processors", cpu::read(root)),
            network_interfaces: network::read(root, &self.addresses).map_err(|source| HostError::Unreadable {
                what: "network interfaces".into(),
                source: source.into(),
            })?,
            storage: files::or_empty("block devices", block::read(root)),
            memory: files::or_empty("memory", memory::read(root)),
            nics: files::or_empty("network adapters", nic::read(root)),
            pci_devices: files::or_empty("PCI devices", pci::read(root)),
        })
    }

    async fn lldp(&self) -> Result<Vec<LldpInterface>, HostError> {
        lldp::read(&self.lldpctl).await
    }

    async fn drives(&self) -> Result<Vec<Drive>, HostError> {
        let devices = block::read(&self.root).map_err(|source| HostError::Unreadable {
            what: "block devices".into(),
            source: source.into(),
        })?;
        Ok(devices
            .into_iter()
            .filter(|device| !block::is_optical(&self.root, &device.name))
            .map(|device| Drive {
                // The kernel writes a slash in a device name as an exclamation mark.
                name: format!("/dev/{}", device.name.replace('!', "/")),
                serial_number: device.serial,
                wwid: device.wwid,
                size_bytes: device.size_bytes,
            })
            .collect())
    }

    async fn erase(&self, drive: &Drive) -> Result<EraseMethod, HostError> {
        protection::check(&self.root, drive)?;
        overwrite::with_zeros(&self.device(drive), drive).await?;
        Ok(EraseMethod::Overwrite)
    }

    async fn verify_erased(&self, drive: &Drive) -> Result<(), HostError> {
        overwrite::verify(&self.device(drive), drive).await
    }
}

impl LinuxHost {
    fn device(&self, drive: &Drive) -> PathBuf {
        self.root.join(drive.name.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests;
