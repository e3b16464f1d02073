//! What can be wrong with a fleet file.

use crate::fault::FaultError;

/// A fleet that cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FleetError {
    #[error("{file}:{line}:{column}: {message}")]
    Parse {
        file: String,
        line: u64,
        column: u64,
        message: String,
    },
    #[error("two machines are called {0:?}; names must be unique (a template with count makes them so with {{index}})")]
    DuplicateName(String),
    #[error("{first} and {second} both have the BMC address {address}; leave bmc.address out to get one each")]
    DuplicateAddress {
        address: String,
        first: String,
        second: String,
    },
    #[error("bootOrder of {machine} names {device:?}, which is neither a drive nor a NIC of it")]
    UnknownBootDevice { machine: String, device: String },
    #[error("machine {machine}: {message}")]
    Invalid { machine: String, message: String },
    #[error("machine {machine} replays {mockup}, which has not been loaded")]
    MockupNotLoaded { machine: String, mockup: String },
    #[error("rule {number} of faults: {error}")]
    Fault { number: usize, error: InjectError },
    #[error("a time scale of {0} is not a positive number")]
    BadTimeScale(f64),
}

/// A fault that cannot be injected into the machines it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    #[error("no machine has a name like {0:?}; `*` stands for any text")]
    NoMachine(String),
    #[error("{machine}: {error}")]
    Fault { machine: String, error: FaultError },
}
