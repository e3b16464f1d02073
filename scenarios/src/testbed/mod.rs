//! One running world: a cluster, a fleet of emulated machines, the boot server stand-in and the operator, wired together
//! over their wire protocols. [`Testbed`] is what the engine may ask of any.
//!
//! | module | subject |
//! |---|---|
//! | `world` | builds a world and answers the engine |
//! | `wire` | how its parts reach each other: sockets or memory |
//! | [`cluster`] | the cluster it stands on: embedded, or a real one |
//! | `operator_process` | the operator, crashed, stopped and started |
//! | `firmware_images` | where machines find firmware |
//! | `flags` | the operator's command line in a world of some speed |
//! | `hub` | every event of a world, in order |
//! | [`log_lines`] | log lines as events |
//! | `roles` | what the operator may ask the API server for |
//! | `slot` | an address whose owner comes and goes |

pub mod cluster;
mod firmware_images;
mod flags;
mod hub;
pub mod log_lines;
mod operator_process;
pub(crate) mod roles;
mod slot;
pub(crate) mod wire;
pub(crate) mod world;

pub use hub::Observer;

use crate::edges::Clock;
use crate::script::Capability;
use async_trait::async_trait;
use std::collections::BTreeSet;

/// Namespace of the operator's own objects in every world.
pub const MANAGER_NAMESPACE: &str = "metal-operator-system";

/// Where images of a world come from; the boot server accepts no other registry.
pub const IMAGE_REGISTRY: &str = "registry.example";

/// What a scenario may ask of the world it runs in.
#[async_trait]
pub trait Testbed: Send + Sync {
    /// A client with administrator rights.
    fn kube(&self) -> kube::Client;
    fn clock(&self) -> Clock;
    fn capabilities(&self) -> BTreeSet<Capability>;
    /// Scenario durations are divided by this; 1.0 in virtual time.
    fn time_scale(&self) -> f64;
    fn machines(&self) -> Vec<MachineInfo>;
    /// The truth about a machine, which no API shows. `None` for an unknown machine and for real hardware.
    fn inspect(&self, machine: &str) -> Option<bmc_emulator::MachineTruth>;
    async fn inject(&self, machine: &str, fault: bmc_emulator::Fault) -> Result<(), TestbedError>;
    async fn clear_faults(&self, machine: &str) -> Result<(), TestbedError>;
    async fn machine_action(&self, machine: &str, action: bmc_emulator::AdminAction) -> Result<(), TestbedError>;
    async fn operator(&self, action: OperatorAction) -> Result<(), TestbedError>;
    /// `observer` is called for every event from now on, in order, on the thread that caused it.
    fn observe(&self, observer: Observer);
    /// Ends the run in an orderly way: the operator stops and closes its BMC sessions. The truth stays inspectable.
    async fn finish(&self) -> Result<(), TestbedError>;
}

/// How to reach the BMC of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineInfo {
    pub name: String,
    /// The machine whose BMC manages this one, too, if it has none of its own.
    pub behind: Option<String>,
    pub system_uuid: String,
    pub address: String,
    pub port: u16,
    pub mac: String,
    /// `http` or `https`.
    pub scheme: String,
    pub username: String,
    pub password: Password,
}

impl MachineInfo {
    /// What an emulated BMC says of itself, behind `scheme`.
    pub fn of(bmc: &bmc_emulator::Bmc, scheme: &str) -> Self {
        let endpoint = bmc.endpoint();
        Self {
            name: bmc.name().to_owned(),
            behind: (!bmc.has_own_bmc()).then(|| bmc.front().name().to_owned()),
            system_uuid: bmc.system_uuid().to_string(),
            address: endpoint.address,
            port: endpoint.port,
            mac: endpoint.mac_address,
            scheme: scheme.to_owned(),
            username: endpoint.username,
            password: Password(endpoint.password.expose().to_owned()),
        }
    }
}

/// A password that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// What can be done to the operator process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorAction {
    /// The oldest instance disappears between two instructions: nothing is finished, nothing is closed.
    Crash,
    /// SIGTERM for the oldest instance: it stops reconciling, closes BMC sessions, gives up its lease.
    Stop,
    /// A new instance with empty caches.
    Start,
    /// A new instance beside the one that runs, as in a rolling upgrade.
    StartAnother,
}

/// Anything that happens in a world.
#[derive(Clone, Debug)]
pub enum WorldEvent {
    Kube(kube_emulator::Commit),
    Machine(bmc_emulator::MachineEvent),
    /// One line of a log, as an administrator would read it.
    Log {
        line: String,
    },
    Operator(OperatorAction),
    /// The operator was refused something that no role allows.
    Forbidden {
        request: String,
    },
}

/// The testbed itself failed; the scenario proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    #[error("there is no machine `{name}` in this fleet; its machines are {known}")]
    UnknownMachine { name: String, known: String },
    #[error("{what} is not possible here: {why}")]
    Unsupported { what: String, why: String },
    #[error("{what}")]
    Failed {
        what: String,
        #[source]
        source: crate::edges::BoxError,
    },
}

impl TestbedError {
    /// Wraps an error with what was being done.
    pub fn failed(what: impl Into<String>, source: impl Into<crate::edges::BoxError>) -> Self {
        Self::Failed {
            what: what.into(),
            source: source.into(),
        }
    }
}
