//! What an agent needs from the machine it runs on.

pub mod linux;

use async_trait::async_trait;

use crate::edges::BoxError;
use crate::model::{
    BlockDevice, CpuInfo, EraseMethod, LldpInterface, MemoryDevice, NetworkInterface, Nic, PciDevice, SystemInfo,
};

/// A machine as seen from its own operating system.
#[async_trait]
pub trait Host: Send + Sync {
    /// Everything about the hardware but LLDP.
    ///
    /// # Errors
    /// Only when the network interfaces cannot be read: without them a registration is worthless. Any other source that
    /// fails is logged and left empty.
    async fn inventory(&self) -> Result<Inventory, HostError>;

    /// What the neighbours said by LLDP, one entry per interface. An empty list means that nothing was heard *yet*.
    ///
    /// # Errors
    /// [`HostError::LldpUnavailable`] when this host does not listen to LLDP at all.
    async fn lldp(&self) -> Result<Vec<LldpInterface>, HostError>;

    /// Every drive that may hold data, including those that cannot be erased: what is left out of this list is not
    /// covered by the proof of a wipe.
    ///
    /// # Errors
    /// When the list is not certain to be complete.
    async fn drives(&self) -> Result<Vec<Drive>, HostError>;

    /// Erases a drive completely. Returns how.
    ///
    /// # Errors
    /// Whenever any part of the drive may still hold data.
    async fn erase(&self, drive: &Drive) -> Result<EraseMethod, HostError>;

    /// Reads the drive back and succeeds only if nothing is left on it.
    ///
    /// # Errors
    /// [`HostError::NotErased`] names the first remains; any other error means that nothing was proven.
    async fn verify_erased(&self, drive: &Drive) -> Result<(), HostError>;
}

/// The hardware of a host, in the shapes of the registry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    pub system_info: SystemInfo,
    pub cpu: Vec<CpuInfo>,
    pub network_interfaces: Vec<NetworkInterface>,
    pub storage: Vec<BlockDevice>,
    pub memory: Vec<MemoryDevice>,
    pub nics: Vec<Nic>,
    pub pci_devices: Vec<PciDevice>,
}

/// One drive to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Device path, such as `/dev/nvme0n1`.
    pub name: String,
    pub serial_number: String,
    /// World-wide identifier; empty when the drive has none.
    pub wwid: String,
    pub size_bytes: u64,
}

impl Drive {
    /// Whether both describe the same piece of hardware. The size is left out: some erase methods change it.
    #[must_use]
    pub fn is_same_device(&self, other: &Drive) -> bool {
        self.name == other.name && self.serial_number == other.serial_number && self.wwid == other.wwid
    }
}

/// Why a host could not answer or act.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("cannot read {what}: {source}")]
    Unreadable {
        what: String,
        #[source]
        source: BoxError,
    },
    #[error("no LLDP on this host: {reason}")]
    LldpUnavailable { reason: String },
    #[error("{drive} is in use ({by}) and was not touched; unmount it or remove it from the machine, then wipe again")]
    DriveInUse { drive: String, by: String },
    #[error("{drive} is {reason} and was not touched; remove it from the machine or make it writable, then wipe again")]
    DriveProtected { drive: String, reason: &'static str },
    #[error("erasing {drive} failed: {source}; data may be left on it")]
    Erase {
        drive: String,
        #[source]
        source: BoxError,
    },
    #[error("{drive} still holds data at byte {offset} after it was erased; replace the drive")]
    NotErased { drive: String, offset: u64 },
    #[error("reading {drive} back failed: {source}; its wipe is not proven")]
    Verify {
        drive: String,
        #[source]
        source: BoxError,
    },
}
