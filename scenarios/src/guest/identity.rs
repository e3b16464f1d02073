//! What a guest turned out to be, in the words of its machine's events and truth: for invariants, never for the operator.

use bmc_emulator::InBand;
use probe::command_line::Command;

use super::tenant::TenantLabel;

/// The kinds of guests. With a tenant or a maintenance system, the label is its [`TenantLabel`]; with an agent, the UUID of the server that the
/// agent was told to stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuestKind {
    ProbeAgent,
    WipeAgent,
    /// A tenant that came over the network and installs itself.
    DeliveredTenant,
    /// A tenant that was started from the drive on which it once installed itself.
    InstalledTenant,
    /// Tools that people boot to work on a machine.
    MaintenanceSystem,
}

impl GuestKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ProbeAgent,
        Self::WipeAgent,
        Self::DeliveredTenant,
        Self::InstalledTenant,
        Self::MaintenanceSystem,
    ];

    /// The word for it in events and truth.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProbeAgent => "probe agent",
            Self::WipeAgent => "wipe agent",
            Self::DeliveredTenant => "delivered tenant",
            Self::InstalledTenant => "installed tenant",
            Self::MaintenanceSystem => "maintenance system",
        }
    }

    /// The kind that is called so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether somebody's workload runs.
    #[must_use]
    pub fn is_tenant(self) -> bool {
        matches!(self, Self::DeliveredTenant | Self::InstalledTenant)
    }
}

pub(super) fn label(machine: &InBand, kind: GuestKind, label: &TenantLabel) {
    machine.identify(kind.as_str(), label.to_string());
}

pub(super) fn agent(machine: &InBand, command: &Command) {
    let (kind, registry) = match command {
        Command::Probe(options) => (GuestKind::ProbeAgent, &options.registry),
        Command::Wipe(options) => (GuestKind::WipeAgent, &options.registry),
    };
    machine.identify(kind.as_str(), registry.server_uuid.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for kind in GuestKind::ALL {
            assert_eq!(GuestKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(GuestKind::parse("tenant"), None);
    }
}
