//! BMC drivers: one pooled, bounded client per BMC, sessions reused and always closed.

pub mod attributes;
mod client;
mod error;
pub mod manager_attributes;
mod pool;
mod redfish;
mod trust;
mod types;

pub use attributes::AttributeRegistry;
pub use client::BmcClient;
pub use error::{BmcError, ErrorClass};
pub use pool::{BmcPool, PoolSettings};
pub use trust::{CA_KEY, FINGERPRINT_KEY, Fingerprint, Trust, TrustError};
pub use types::{
    Account, Accounts, Bios, BmcAccess, Boot, BootTarget, Component, Credentials, Drive, EventFormat, EventService,
    EventSubscription, IndicatorLed, Inventory, Lasting, Manager, Processor, ProtocolName, ReportedPower, ResetType,
    Scheme, Storage, StorageDrive, System, TaskReport, TaskState, UnsupportedProtocol, UpdateRequest, Volume,
};
