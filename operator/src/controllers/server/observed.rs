//! What a decision is made from: one consistent look at the world, without I/O.

use std::time::Duration;

use crds::kinds::server::CleanupPolicy;
use crds::{Power, Server, ServerState, ServerStatus};
use jiff::Timestamp;

use crate::bmc::{Bios, BmcError, Drive, ReportedPower, System, TaskReport};
use crate::conditions;
use crate::identity::TaskUri;
use crate::options::Options;
use crate::ownership::pacing::Pace;
use crate::registry::{CleanupReport, Registration};
use crate::sabotage::{self, Bug};

/// Condition on a Server: whether its machine is another than the probe saw.
pub(super) const HARDWARE_CHANGED: &str = "HardwareChanged";

/// Times and policies, from the options.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Resets: polling interval and timeout.
    pub power: Pace,
    /// How long a BMC has to say Off before it is believed.
    pub off_confirmation: Duration,
    /// Other BMC resources.
    pub resource: Pace,
    /// Between two looks at a server where nothing happens.
    pub resync: Duration,
    pub discovery_timeout: Duration,
    pub cleanup_timeout: Duration,
    pub drive_timeout: Duration,
    pub cleanup_policy: CleanupPolicy,
    /// Whether a holder's demand for Off is forced when the operating system ignores it.
    pub enforce_power_off: bool,
    /// Namespace of the operator's own boot configurations.
    pub manager_namespace: String,
}

impl From<&Options> for Settings {
    fn from(options: &Options) -> Self {
        let controllers = &options.controllers;
        let resync = controllers.server_resync_interval.get();
        Self {
            power: Pace {
                interval: controllers.power_polling_interval.get(),
                patience: controllers.power_polling_timeout.get(),
                longest_pause: resync.max(controllers.power_polling_timeout.get()),
            },
            off_confirmation: controllers.power_off_confirmation_time.get(),
            resource: Pace {
                interval: controllers.resource_polling_interval.get(),
                patience: controllers.resource_polling_timeout.get(),
                longest_pause: resync.max(controllers.resource_polling_timeout.get()),
            },
            resync,
            discovery_timeout: options.discovery_timeout.get(),
            cleanup_timeout: options.cleanup.cleanup_timeout.get(),
            drive_timeout: options.cleanup.cleanup_drive_timeout.get(),
            cleanup_policy: match options.cleanup.cleanup_policy {
                crate::options::CleanupPolicy::Secure => CleanupPolicy::Secure,
                crate::options::CleanupPolicy::Skip => CleanupPolicy::Skip,
            },
            enforce_power_off: controllers.enforce_power_off,
            manager_namespace: options.manager_namespace.clone(),
        }
    }
}

/// The holder that `spec.serverClaimRef` names. Gone is said only after a live read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No reference.
    None,
    /// The claim is there and wants this power.
    Claim { power: Power },
    /// There is a live claim of that name, but the reference does not say that it is this one.
    Adoptable { uid: String },
    /// The Server came back from a backup, and a live read showed no claim that it can mean: it may come back later.
    Missing,
    /// A live read showed: not found, another UID, or being deleted.
    Gone,
}

/// The maintenance that `spec.serverMaintenanceRef` names. Gone is said only after a live read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// No reference.
    None,
    /// It wants this power, and this booted: nothing, if it has no template.
    Active {
        power: Option<Power>,
        boot: Option<BootView>,
    },
    /// A live read showed: not found, or another UID.
    Gone,
}

/// The boot configuration that the state and epoch of the server call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootView {
    /// Not there, not referenced by the server, or made for an earlier epoch.
    Missing,
    /// There; the boot server has not decided yet.
    Pending,
    Ready,
    /// The boot server refuses it.
    Refused {
        message: String,
    },
}

/// What cleanup asked to see.
#[derive(Clone, Debug, Default)]
pub struct CleanupView {
    pub drives: Option<Vec<Drive>>,
    /// Outer: was read. Inner: the BMC has a Bios resource.
    pub bios: Option<Option<Bios>>,
    /// Looks at the tasks of running erasures. A task that cannot be read is evidence of nothing; one that is gone says so.
    pub tasks: Vec<(TaskUri, Result<TaskReport, BmcError>)>,
    pub report: Option<CleanupReport>,
}

/// One look.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub server: &'a Server,
    pub now: Timestamp,
    pub settings: &'a Settings,
    /// The system as read in this pass, after the holder was looked up; `None` when it could not be read: evidence of nothing.
    pub system: Option<&'a System>,
    pub holder: Holder,
    pub maintenance: Maintenance,
    /// Whether another maintenance may begin, where the server is in Maintenance and none has it.
    pub maintenance_queued: bool,
    pub boot: BootView,
    /// Whether the cache shows a boot configuration that the operator made for the server, whether or not the server references it.
    pub own_boot_exists: bool,
    /// Of this epoch.
    pub registration: Option<Registration>,
    pub cleanup: CleanupView,
}

impl Observed<'_> {
    /// The status, empty when there is none.
    pub fn status(&self) -> &ServerStatus {
        static EMPTY: std::sync::LazyLock<ServerStatus> = std::sync::LazyLock::new(ServerStatus::default);
        self.server.status.as_ref().unwrap_or(&EMPTY)
    }

    pub fn epoch(&self) -> i64 {
        self.server.tenancy_epoch()
    }

    /// Power as read in this pass.
    pub fn power(&self) -> ReportedPower {
        match self.system.map_or(ReportedPower::Unknown, |system| system.power_state) {
            // Incident 51.
            ReportedPower::Unknown if sabotage::active(Bug::UnknownPowerIsOff) => ReportedPower::Off,
            power => power,
        }
    }

    /// Whether discovery has looked the machine over, and nobody has lost what it found.
    pub fn is_inventoried(&self) -> bool {
        let status = self.status();
        // Other operators took one without writing when.
        let any = !status.processors.is_empty() || status.total_system_memory.is_some();
        // A BMC may have nothing to tell. Incident 82.
        any || status.inventory_time.is_some() && !sabotage::active(Bug::InventoryRequired)
    }

    /// Whether the inventory is one of before the server entered its state: others have had the machine since.
    pub fn inventory_is_outdated(&self) -> bool {
        let status = self.status();
        let since = status.state_since.as_ref().map(|time| time.0);
        let taken = status.inventory_time.as_ref().map(|time| time.0);
        taken.is_none() || taken < since
    }

    /// Where a server goes that nobody holds and that has nothing on it.
    pub fn state_when_free(&self) -> ServerState {
        let changed = conditions::is_true(&self.status().conditions, HARDWARE_CHANGED);
        if self.is_inventoried() && !changed {
            ServerState::Available
        } else {
            ServerState::Initial
        }
    }

    pub fn cleanup_policy(&self) -> CleanupPolicy {
        self.server.spec.cleanup_policy.unwrap_or(self.settings.cleanup_policy)
    }

    /// How long the server has been in its state. A state whose entry time was lost was entered now.
    pub fn time_in_state(&self) -> Duration {
        let since = self.status().state_since.as_ref().map_or(self.now, |time| time.0);
        Duration::try_from(self.now.duration_since(since)).unwrap_or(Duration::ZERO)
    }

    /// The operator's own boot configuration of this server.
    pub fn own_boot_reference(&self) -> crds::ObjectReference {
        crds::ObjectReference {
            namespace: self.settings.manager_namespace.clone(),
            name: self.server.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Whether the server references that boot configuration.
    pub fn has_own_boot_reference(&self) -> bool {
        self.server.spec.boot_configuration_ref.as_ref() == Some(&self.own_boot_reference())
    }
}
