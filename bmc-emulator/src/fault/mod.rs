//! Faults that a test injects: into single requests of the Redfish face, and into the machine behind it.
//!
//! A dropped connection cannot be expressed as an HTTP response. The router answers it with status 502 and the
//! extension [`ConnectionDropped`]; the TLS server of this crate closes the socket instead of sending that response,
//! and an in-memory network has to turn it into a transport error.

mod glob;
mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::table::Faults;
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
    /// The BMC lies about the power state.
    WrongPowerState {
        reported: PowerState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<u32>,
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
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum HttpAction {
    /// Answered with this status; without a body of its own, with a Redfish error. Nothing is carried out.
    Status {
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<serde_json::Value>,
    },
    /// Answered as usual, but later (machine time).
    Latency { duration: DurationText },
    /// The connection is closed without an answer. With `processed` the request has been carried out before.
    Drop {
        #[serde(default)]
        processed: bool,
    },
    /// No answer ever, and the connection stays open.
    Hang,
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
}
