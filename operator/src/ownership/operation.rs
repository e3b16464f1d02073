//! Disruptive BMC operations, and how their outcome shows in a later read.

use std::fmt;

use crate::bmc::{ReportedPower, ResetType, System};
use crate::identity::DriveUri;

/// An operation that changes what a machine does or holds. Each is sent through [`super::intent`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `ComputerSystem.Reset`.
    Reset(ResetType),
    /// Network boot at the next start, once.
    NetworkBoot,
    /// No boot override.
    ClearBootOverride,
    /// `Boot.BootOrder`.
    BootOrder(Vec<String>),
    /// `Bios.ResetBios`.
    ResetBios,
    /// `Drive.SecureErase`.
    SecureErase(DriveUri),
}

impl fmt::Display for Operation {
    /// The name under which the operation is recorded in `status.operation`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(reset) => f.write_str(reset.as_str()),
            Self::NetworkBoot => f.write_str("BootSourceOverride:Pxe"),
            Self::ClearBootOverride => f.write_str("BootSourceOverride:None"),
            Self::BootOrder(_) => f.write_str("BootOrder"),
            Self::ResetBios => f.write_str("ResetBios"),
            Self::SecureErase(drive) => write!(f, "SecureErase:{drive}"),
        }
    }
}

/// The recorded names of operations that can start a machine.
pub fn starts_a_machine(name: &str) -> bool {
    ["On", "ForceOn", "ForceRestart", "GracefulRestart", "PowerCycle"].contains(&name)
}

/// Whether a fresh read of the system shows the outcome of the operation recorded under `name`. `None` where the system resource
/// cannot show it, so that something else has to.
pub fn outcome_shows(name: &str, system: &System) -> Option<bool> {
    match name {
        "On" | "ForceOn" => Some(system.power_state == ReportedPower::On),
        "ForceOff" | "GracefulShutdown" => Some(system.power_state == ReportedPower::Off),
        "BootSourceOverride:Pxe" => Some(boots_from_network_once(system)),
        "BootSourceOverride:None" => Some(!has_boot_override(system)),
        _ => None,
    }
}

/// Whether the next start, and only that, goes to the network.
pub fn boots_from_network_once(system: &System) -> bool {
    system.boot.override_enabled.as_deref() == Some("Once") && system.boot.override_target.as_deref() == Some("Pxe")
}

/// Whether any boot override is in force. A vendor that leaves the target behind after `Disabled` has none.
pub fn has_boot_override(system: &System) -> bool {
    let enabled = system.boot.override_enabled.as_deref();
    let target = system.boot.override_target.as_deref();
    matches!(enabled, Some("Once" | "Continuous")) && !matches!(target, None | Some("None"))
}
