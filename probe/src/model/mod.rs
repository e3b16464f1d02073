//! The JSON bodies of the registry. Field names and shapes are those of the `metal.ironcore.dev` Go agent, so that
//! either side can be exchanged: lists may arrive as `null`, every member may be absent.

mod cleanup;
mod hardware;
mod lldp;
mod network;
mod registration;
mod storage;

pub use cleanup::{CleanupReport, CleanupState, DriveReport, DriveState, EraseMethod};
pub use hardware::{
    BiosInformation, BoardInformation, CpuInfo, MemoryDevice, PciDevice, SystemInfo, SystemInformation,
};
pub use lldp::{LldpInterface, LldpNeighbor};
pub use network::{CarrierStatus, NetworkInterface, Nic};
pub use registration::{Registration, RegistrationData};
pub use storage::BlockDevice;

use serde::{Deserialize, Deserializer};

/// Go marshals a nil slice as `null`.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
