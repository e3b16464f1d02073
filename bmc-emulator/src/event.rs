//! What happens to machines, as seen by an observer that is part of the test, not of the emulated world.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::machine::power::PowerState;

/// Called synchronously, in the order in which things happen to one machine, and never while a machine is locked.
pub type Observer = Arc<dyn Fn(&MachineEvent) + Send + Sync>;

/// Something that happened to one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineEvent {
    pub machine: String,
    pub at: Timestamp,
    #[serde(flatten)]
    pub kind: MachineEventKind,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all_fields = "camelCase")]
pub enum MachineEventKind {
    /// The power state a BMC would show has changed.
    Power {
        state: PowerState,
    },
    /// A reset command was accepted.
    ResetRequested {
        reset_type: String,
    },
    /// Somebody has pressed the power button of the machine.
    PowerButtonPressed,
    /// POST is over and the firmware works through these devices.
    BootStarted {
        devices: Vec<String>,
        from_override: bool,
    },
    /// POST is over, and the setup of the firmware waits for somebody. Nothing is booted.
    SetupEntered,
    /// Nothing could be booted.
    BootFailed {
        reason: String,
    },
    /// An operating system was loaded from this boot device and runs.
    GuestStarted {
        source: String,
    },
    /// The guest has said what it is; see [`crate::InBand::identify`].
    GuestIdentified {
        source: String,
        kind: String,
        label: String,
    },
    /// The guest ended by itself or was cut off.
    GuestStopped {
        reason: String,
    },
    DriveWritten {
        drive: String,
        records: Vec<String>,
    },
    DriveEraseStarted {
        drive: String,
        in_band: bool,
    },
    DriveErased {
        drive: String,
        in_band: bool,
    },
    /// An erasure has reported success, and everything is still on the drive.
    DriveEraseLied {
        drive: String,
        in_band: bool,
    },
    DriveEraseFailed {
        drive: String,
        in_band: bool,
        message: String,
    },
    VolumeCreated {
        controller: String,
        volume: String,
    },
    /// What a host has written to it is still on its drives.
    VolumeDeleted {
        controller: String,
        volume: String,
    },
    VolumeInitialized {
        controller: String,
        volume: String,
        is_fast: bool,
    },
    SessionOpened {
        session: String,
        user: String,
    },
    SessionClosed {
        session: String,
        reason: String,
    },
    /// A request carried user name and password and was accepted for them.
    BasicAuthenticated {
        user: String,
    },
    LoginFailed {
        user: String,
    },
    RequestServed {
        method: String,
        path: String,
        status: u16,
    },
    FaultFired {
        fault: u64,
        method: String,
        path: String,
    },
    BmcReset,
    BmcReady,
    TaskFinished {
        task: String,
        state: String,
    },
}
