//! BMC drivers: one pooled, bounded client per BMC, sessions reused and always closed.

mod client;
mod error;
mod pool;
mod redfish;
mod types;

pub use client::BmcClient;
pub use error::{BmcError, ErrorClass};
pub use pool::{BmcPool, PoolSettings};
pub use types::{
    Bios, BmcAccess, Boot, BootTarget, Credentials, Drive, IndicatorLed, Inventory, Manager, Processor, ProtocolName,
    ReportedPower, ResetType, Scheme, Storage, StorageDrive, System, TaskReport, TaskState, UnsupportedProtocol,
    Volume,
};
