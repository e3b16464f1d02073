//! Disruptive BMC operations, and how their outcome shows in a later read.

use std::fmt;

use crate::bmc::{BootTarget, Lasting, ReportedPower, ResetType, System};
use crate::identity::DriveUri;

/// An operation that changes what a machine does or holds. Each is sent through [`super::intent`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `ComputerSystem.Reset`.
    Reset(ResetType),
    /// Network boot at the next start, once.
    NetworkBoot,
    /// The same boot source at every start, until it is cleared: firmware restarts machines by itself (bugs.md #66).
    LastingBoot(BootTarget),
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
            Self::LastingBoot(target) => write!(f, "{LASTING_BOOT}{}", target.as_str()),
            Self::ClearBootOverride => f.write_str("BootSourceOverride:None"),
            Self::BootOrder(_) => f.write_str("BootOrder"),
            Self::ResetBios => f.write_str("ResetBios"),
            Self::SecureErase(drive) => write!(f, "SecureErase:{drive}"),
        }
    }
}

/// How the name of a [`Operation::LastingBoot`] begins.
const LASTING_BOOT: &str = "BootSourceOverride:Continuous:";

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
        name => name
            .strip_prefix(LASTING_BOOT)
            .map(|target| has_override(system, Lasting::Continuous, target)),
    }
}

/// Whether every start goes to this source.
pub fn always_boots_from(system: &System, target: BootTarget) -> bool {
    has_override(system, Lasting::Continuous, target.as_str())
}

fn has_override(system: &System, lasting: Lasting, target: &str) -> bool {
    system.boot.override_enabled.as_deref() == Some(lasting.as_str())
        && system.boot.override_target.as_deref() == Some(target)
}

/// Whether the next start, and only that, goes to the network.
pub fn boots_from_network_once(system: &System) -> bool {
    has_override(system, Lasting::Once, BootTarget::Pxe.as_str())
}

/// Whether any boot override is in force. A vendor that leaves the target behind after `Disabled` has none.
pub fn has_boot_override(system: &System) -> bool {
    let enabled = system.boot.override_enabled.as_deref();
    let target = system.boot.override_target.as_deref();
    matches!(enabled, Some("Once" | "Continuous")) && !matches!(target, None | Some("None"))
}
