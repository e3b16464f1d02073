//! The ways in which vendors differ, one type each.

use std::time::Duration;

use serde_json::Value;

use crate::machine::Machine;

/// Until a vendor has an OUI (IEEE 802: the second-lowest bit of the first octet says so).
pub(crate) const LOCALLY_ADMINISTERED: [u8; 3] = [0x02, 0, 0];

/// Members of `UpdateService/FirmwareInventory`.
#[derive(Clone, Debug)]
pub(crate) struct FirmwareIds {
    pub bios: &'static str,
    pub bmc: &'static str,
}

/// `error.code` and `error.message` of every error.
#[derive(Clone, Debug)]
pub(crate) struct ErrorSummary {
    pub code: &'static str,
    pub message: &'static str,
}

/// What a vendor adds to resources below `Oem`, under its name.
#[derive(Debug)]
pub(crate) struct Oem {
    pub name: &'static str,
    pub root: Option<OemObject>,
    pub system: Option<OemObject>,
    pub manager: Option<OemObject>,
}

pub(crate) type OemObject = fn(&Machine) -> Value;

/// Delays of real hardware of this kind; a fleet file overrides them one by one.
#[derive(Clone, Debug)]
pub(crate) struct DefaultTiming {
    pub power_on: Duration,
    pub power_off: Duration,
    pub post: Duration,
    pub graceful_shutdown: Duration,
    pub secure_erase: Duration,
    pub bmc_reset: Duration,
    pub boot_retry: Duration,
    pub os_boot: Duration,
    pub firmware_update: Duration,
}

/// A BIOS attribute as the factory sets it.
#[derive(Debug)]
pub(crate) struct BiosDefault {
    pub name: &'static str,
    pub value: BiosValue,
}

#[derive(Debug)]
pub(crate) enum BiosValue {
    /// One of the listed value names; the first is the default.
    Enumeration(&'static [&'static str]),
    Integer {
        default: i64,
        lower: i64,
        upper: i64,
    },
    Text(&'static str),
}

impl BiosValue {
    pub(crate) fn default_value(&self) -> serde_json::Value {
        match self {
            BiosValue::Enumeration(values) => values[0].into(),
            BiosValue::Integer { default, .. } => (*default).into(),
            BiosValue::Text(text) => (*text).into(),
        }
    }

    /// What is wrong with `value`, if anything.
    pub(crate) fn accepts(&self, value: &serde_json::Value) -> bool {
        match self {
            BiosValue::Enumeration(values) => value.as_str().is_some_and(|text| values.contains(&text)),
            BiosValue::Integer { lower, upper, .. } => value.as_i64().is_some_and(|n| (*lower..=*upper).contains(&n)),
            BiosValue::Text(_) => value.is_string(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct SessionLimits {
    pub maximum: usize,
    /// `SessionService.SessionTimeout` in seconds.
    pub timeout_seconds: u64,
}

/// How accounts are created and removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountStyle {
    /// POST to the collection, DELETE of the member.
    Collection { maximum_password_length: u32 },
    /// A fixed number of slots: POST and DELETE answer 405, an empty slot has an empty `UserName`, slot 1 is reserved.
    Slots { count: u32, maximum_password_length: u32 },
}

impl AccountStyle {
    pub(crate) fn maximum_password_length(self) -> u32 {
        match self {
            AccountStyle::Collection {
                maximum_password_length,
            }
            | AccountStyle::Slots {
                maximum_password_length,
                ..
            } => maximum_password_length,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TaskStyle {
    /// Whether ids look like `JID_123456789012` instead of counting from 1.
    pub job_ids: bool,
    /// How long a finished task can still be read.
    pub kept_for: Duration,
}

/// When a change of volumes takes effect (`@Redfish.OperationApplyTime`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplyTime {
    Immediate,
    OnReset,
}

impl ApplyTime {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ApplyTime::Immediate => "Immediate",
            ApplyTime::OnReset => "OnReset",
        }
    }
}

/// Where tasks are also shown as jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobStyle {
    Nowhere,
    Service,
    /// In the `JobService`, and in the job queue that iDRACs have below their manager.
    ServiceAndDellQueue,
}

impl JobStyle {
    pub(crate) fn has_service(self) -> bool {
        self != JobStyle::Nowhere
    }
}

/// What the `TelemetryService` reports: a `MetricReportDefinition` for temperatures and fans, and one for power.
#[derive(Clone, Debug)]
pub(crate) struct TelemetryStyle {
    pub thermal: &'static str,
    pub power: &'static str,
    /// Whether reports are made as delivered.
    pub enabled: bool,
}

/// What PCIe devices are listed below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PcieHolder {
    Chassis,
    System,
}

/// How RAID volumes are configured.
#[derive(Clone, Debug)]
pub(crate) struct RaidStyle {
    /// What a request may ask for; the first one is the default.
    pub apply_times: &'static [ApplyTime],
    /// Whether also what is done at once is a task.
    pub as_tasks: bool,
}

impl RaidStyle {
    /// At once, while the client waits.
    pub(crate) const SYNCHRONOUS: RaidStyle = RaidStyle {
        apply_times: &[ApplyTime::Immediate],
        as_tasks: false,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BootOrderStyle {
    /// A PATCH of `Boot.BootOrder` takes effect at once.
    Immediate,
    /// It waits for the next POST.
    Staged,
    /// It becomes a job (202 with `Location`) that the next POST carries out.
    StagedJob,
}

/// Which resources show temperatures, fans and power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// `Thermal` and `Power`.
    Legacy,
    /// `ThermalSubsystem`, `PowerSubsystem` and `EnvironmentMetrics`, which have replaced them.
    Subsystems,
    Both,
}

impl Environment {
    pub(crate) fn has_legacy(self) -> bool {
        self != Environment::Subsystems
    }

    pub(crate) fn has_subsystems(self) -> bool {
        self != Environment::Legacy
    }
}

/// Where the event log is, and its `Id`.
#[derive(Clone, Debug)]
pub(crate) struct LogStyle {
    pub place: Place,
    pub id: &'static str,
}

/// Where virtual media are, and which there are.
#[derive(Clone, Debug)]
pub(crate) struct MediaStyle {
    pub place: Place,
    pub slots: &'static [MediaSlotStyle],
}

/// Below which resource vendors put what belongs to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    System,
    Manager,
}

#[derive(Debug)]
pub(crate) struct MediaSlotStyle {
    pub id: &'static str,
    /// `MediaTypes`.
    pub types: &'static [&'static str],
}

impl MediaSlotStyle {
    /// Whether firmware takes it for a drive of discs.
    pub(crate) fn is_optical(&self) -> bool {
        self.types.contains(&"CD")
    }
}

/// Query parameters the service understands (`ServiceRoot.ProtocolFeaturesSupported`); it refuses the others.
#[derive(Clone, Debug)]
pub(crate) struct QuerySupport {
    /// How deep `$expand` goes; 0: not at all.
    pub expand_levels: u32,
    /// Whether `$expand` also takes `*` and `~`.
    pub expand_links: bool,
    pub filter: bool,
    pub select: bool,
    pub only: bool,
    pub excerpt: bool,
    /// `$skip` and `$top`.
    pub paging: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PowerStyle {
    /// Whether `PowerState` shows `PoweringOff` while the guest shuts down; others show `On` until the power is off.
    pub shows_guest_shutdown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuccessStyle {
    /// 204 without a body.
    NoContent,
    /// 200 with an `@Message.ExtendedInfo` that reports success.
    Message,
    /// 200 with an error object that reports success.
    Error,
}
