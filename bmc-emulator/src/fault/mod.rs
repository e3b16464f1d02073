//! Faults that a test injects: into single requests of the Redfish face, and into the machine behind it.
//!
//! A dropped connection cannot be expressed as an HTTP response. The router answers it with status 502 and the
//! extension [`ConnectionDropped`]; the TLS server of this crate closes the socket instead of sending that response,
//! and an in-memory network has to turn it into a transport error.

mod action;
mod glob;
mod rules;
mod table;
mod when;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::action::{Distribution, HttpAction};
pub use self::rules::FleetFault;
pub(crate) use self::table::{Asked, Faults, HttpOutcome, Stuck};
pub use self::when::When;
use crate::fleet::duration::DurationText;
use crate::machine::drive::DriveName;
use crate::machine::power::PowerState;

/// Response extension: there is no response, the connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionDropped;

/// Identifies an injected fault within one BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// Something that goes wrong. `remaining` says how often; absent, it goes wrong until the fault is cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Requests of the Redfish face that match are not answered as they should be.
    Http {
        /// Absent: every method.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// `*` stands for one path segment or a part of it, `**` for anything. Query and trailing slash do not count.
        path: String,
        action: HttpAction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
        /// Which of the requests that match. Absent: all of them.
        #[serde(default, skip_serializing_if = "When::is_default")]
        when: When,
    },
    /// The certificate that the BMC presents has expired. Where there is no TLS (in a simulation) nobody gets through, as
    /// nobody should.
    CertificateExpired {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The certificate that the BMC presents is that of another host. Without TLS as above.
    CertificateWrongName {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The guest ignores the power button: a graceful shutdown or restart is accepted and never happens.
    NeverEndingShutdown {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// Erasing the drive takes its time and then fails, out of band and in band.
    DriveEraseFails {
        drive: DriveName,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// Connections to the BMC are dropped for a while (machine time), or until the fault is cleared.
    BmcUnreachable {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The BMC lies about the power state, so often or for so long (machine time).
    WrongPowerState {
        reported: PowerState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The BMC does not know the power state: `PowerState` is null.
    PowerStateUnknown {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// A reset command is answered with success and lost.
    LostReset {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// Right credentials and valid session tokens are refused with 401.
    WrongCredentials {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// Nobody can log in, because other clients left their sessions open: a BMC has room for few, and keeps each until
    /// it times out. Open sessions and Basic authentication keep working.
    SessionTableFull {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
        /// How long the others keep the table full (machine time).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The BMC's clock has lost its time, as with an empty battery and no time server: it counts from 1970-01-01 since
    /// the BMC was started. Whatever the BMC dates is wrong; timers and the events of observers are not.
    ClockReset {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// The host's clock has lost its time, as with an empty battery: operating systems, which have no time server yet, date what
    /// they say from 1970-01-01 on. It counts since the BMC was started, like that of `ClockReset`.
    HostClockReset {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// Erasing the drive takes its time, reports success, and the data is still there, out of band and in band: firmware
    /// that acknowledges a command it does not implement. Only who reads the drive can tell.
    DriveEraseLies {
        drive: DriveName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// Tasks of the BMC that take long stay Running at 99 percent, as when a controller has forgotten the job that the
    /// BMC waits for. They end as usual once the fault is gone.
    TaskNeverEnds {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// POST does not come to its end, as with a memory module that fails its training: the power is On and nothing
    /// boots, whatever the boot settings. The next reset or power cycle tries again.
    PostFails {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// The next operating system dies this long after it was started (machine time), agent or tenant, as in a kernel
    /// panic: the power stays On and nothing runs any more.
    GuestDies {
        after: DurationText,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// The operating system hears no LLDP neighbours: switches that do not send, or a NIC firmware that keeps the frames
    /// to itself.
    NoLldp {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// Events do not get from the BMC to those who have subscribed, as behind a firewall that lets nobody out: each is tried as often as
    /// it should be, and then given up.
    EventsLost {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<DurationText>,
    },
    /// Network boots go out by a NIC from which no boot server can be reached, as after a BIOS update that renumbers
    /// the NICs. Counts boots, not the devices that one boot tries.
    WrongNic {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
    },
    /// The power state of the system is read as it was so long ago (machine time), as from BMCs that ask the hardware
    /// now and then and answer from memory.
    StaleReads { duration: DurationText },
}

impl Fault {
    /// The drive it is about.
    pub(crate) fn drive(&self) -> Option<&DriveName> {
        match self {
            Fault::DriveEraseFails { drive, .. } | Fault::DriveEraseLies { drive, .. } => Some(drive),
            _ => None,
        }
    }

    /// After how much machine time it ends by itself.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let lasts = match self {
            Fault::Http { when, .. } => {
                let delay = when.after.map_or(Duration::ZERO, |text| text.0);
                return when.lasts.map(|text| text.0 + delay);
            }
            Fault::BmcUnreachable { duration }
            | Fault::SessionTableFull { duration, .. }
            | Fault::WrongPowerState { duration, .. }
            | Fault::PowerStateUnknown { duration }
            | Fault::ClockReset { duration }
            | Fault::HostClockReset { duration }
            | Fault::TaskNeverEnds { duration }
            | Fault::CertificateExpired { duration }
            | Fault::CertificateWrongName { duration }
            | Fault::NoLldp { duration }
            | Fault::EventsLost { duration } => *duration,
            _ => None,
        };
        lasts.map(|text| text.0)
    }
}

/// A fault that cannot be injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    #[error("this machine has no drive {0}; its drives are listed by inspect")]
    UnknownDrive(DriveName),
    #[error("{0} is not an HTTP status; give a number from 200 to 599")]
    BadStatus(u16),
    #[error("a fault with remaining 0 would never fire; leave it out for no limit")]
    NothingRemaining,
    #[error("a probability is greater than 0 and at most 1; leave it out to concern every request")]
    BadProbability,
    #[error("the minimum of a latency is not greater than its maximum")]
    BadRange,
    #[error("{0:?} is no JSON pointer; it begins with a slash, as in /Boot/BootOrder")]
    BadPointer(String),
}
