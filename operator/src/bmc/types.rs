//! What controllers see of a BMC: plain values without protocol details.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::trust::Trust;
use crate::identity::{DriveUri, ManagerUri, SubscriptionUri, SystemUri, SystemUuid};

/// `spec.protocol.name`, contract section 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolName {
    /// Redfish with the vendor's quirks.
    Redfish,
    /// Plain Redfish, for emulators. Here the same driver: quirks follow from what the service root says.
    RedfishLocal,
}

impl ProtocolName {
    /// Parses the API value. `RedfishWithRegistryPatch` makes the Go operator fake a probe registration; here it is plain
    /// Redfish, because evidence that nobody gave counts for nothing.
    ///
    /// # Errors
    /// A protocol without a driver.
    pub fn parse(name: &str) -> Result<Self, UnsupportedProtocol> {
        match name {
            "Redfish" => Ok(Self::Redfish),
            "RedfishLocal" | "RedfishWithRegistryPatch" => Ok(Self::RedfishLocal),
            other => Err(UnsupportedProtocol(other.to_owned())),
        }
    }
}

/// The text is fixed by contract section 1.1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported BMC protocol {0}")]
pub struct UnsupportedProtocol(String);

/// URL scheme towards a BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTPS; how certificates are checked is the transport's business.
    Https,
}

impl Scheme {
    /// Parses `http` or `https`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    /// The URL scheme.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An account of a BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Redfish `@odata.id`.
    pub uri: String,
    pub id: String,
    pub user_name: String,
    pub role: Option<String>,
    pub enabled: bool,
    pub password_expiration: Option<jiff::Timestamp>,
}

/// What `AccountService` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub accounts: Vec<Account>,
    pub min_password_length: Option<usize>,
    pub max_password_length: Option<usize>,
}

/// User name and password of a BMC account. Wiped from memory on drop, redacted in every output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Account name.
    pub username: String,
    /// Password.
    pub password: Zeroizing<String>,
}

impl Credentials {
    /// Takes a name and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Zeroizing::new(password.into()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([REDACTED])")
    }
}

/// Where a BMC is and how to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmcAccess {
    /// Which protocol to speak.
    pub protocol: ProtocolName,
    /// URL scheme.
    pub scheme: Scheme,
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The account.
    pub credentials: Credentials,
    /// How the certificate is judged.
    pub trust: Trust,
}

/// What a BMC that sends events offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventService {
    /// Collection of subscriptions.
    pub subscriptions: String,
    /// Where to ask for a test event.
    pub test: Option<String>,
    /// Whether it sends metric reports.
    pub sends_metrics: bool,
    /// Where events can be read as a stream.
    pub stream: Option<String>,
}

/// `EventFormatType` of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventFormat {
    /// What happens.
    Event,
    /// Readings of sensors.
    MetricReport,
}

impl EventFormat {
    /// The Redfish spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "Event",
            Self::MetricReport => "MetricReport",
        }
    }
}

/// A subscription as the BMC shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSubscription {
    pub uri: SubscriptionUri,
    /// Where events go.
    pub destination: Option<String>,
    /// The BMC does not send any more.
    pub suspended: bool,
}

/// Power state as the BMC reported it. Everything that is not positively one of the known values is `Unknown`, which is
/// evidence of nothing (S6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportedPower {
    /// Running.
    On,
    /// Off, the only value that proves power-off.
    Off,
    /// On its way to `On`.
    PoweringOn,
    /// On its way to `Off`.
    PoweringOff,
    /// Paused.
    Paused,
    /// Missing, null or not understood.
    Unknown,
}

impl ReportedPower {
    /// The Redfish spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "On",
            Self::Off => "Off",
            Self::PoweringOn => "PoweringOn",
            Self::PoweringOff => "PoweringOff",
            Self::Paused => "Paused",
            Self::Unknown => "Unknown",
        }
    }
}

/// Redfish `ResetType` values that the operator sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResetType {
    /// Power on.
    On,
    /// Power off at once.
    ForceOff,
    /// Ask the operating system to shut down.
    GracefulShutdown,
    /// Ask the operating system (or the manager) to restart.
    GracefulRestart,
    /// Restart at once.
    ForceRestart,
    /// Power on at once.
    ForceOn,
    /// Off, then on.
    PowerCycle,
}

impl ResetType {
    /// The Redfish spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "On",
            Self::ForceOff => "ForceOff",
            Self::GracefulShutdown => "GracefulShutdown",
            Self::GracefulRestart => "GracefulRestart",
            Self::ForceRestart => "ForceRestart",
            Self::ForceOn => "ForceOn",
            Self::PowerCycle => "PowerCycle",
        }
    }
}

/// Boot sources that the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BootTarget {
    /// Network boot by PXE.
    Pxe,
    /// UEFI HTTP boot.
    UefiHttp,
    /// The setup of the firmware: no operating system.
    BiosSetup,
}

/// How long a boot override is in force (Redfish `BootSourceOverrideEnabled`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lasting {
    /// For the next start.
    Once,
    /// Until it is cleared.
    Continuous,
}

impl Lasting {
    /// The Redfish spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "Once",
            Self::Continuous => "Continuous",
        }
    }
}

impl BootTarget {
    /// The Redfish spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pxe => "Pxe",
            Self::UefiHttp => "UefiHttp",
            Self::BiosSetup => "BiosSetup",
        }
    }
}

/// `IndicatorLED` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndicatorLed {
    /// Steady.
    Lit,
    /// Blinking.
    Blinking,
    /// Off.
    Off,
}

impl IndicatorLed {
    /// Parses the API value; `Unknown` and anything else cannot be asked of a BMC.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Lit" => Some(Self::Lit),
            "Blinking" => Some(Self::Blinking),
            "Off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// A `Manager` resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// `@odata.id`.
    pub uri: ManagerUri,
    /// `UUID`.
    pub uuid: Option<String>,
    /// `Manufacturer`.
    pub manufacturer: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `PartNumber`, which the API calls SKU.
    pub sku: Option<String>,
    /// `SerialNumber`.
    pub serial_number: Option<String>,
    /// `FirmwareVersion`.
    pub firmware_version: Option<String>,
    /// `PowerState`.
    pub power_state: ReportedPower,
    /// `Status.State` as spelled by the BMC.
    pub state: Option<String>,
    /// `LastResetTime`.
    pub last_reset_time: Option<jiff::Timestamp>,
    /// Has a graphical console, which contract section 9.4 takes as the mark of a BMC.
    pub has_graphical_console: bool,
    /// Values of `ResetType@Redfish.AllowableValues`; `None` when the BMC does not say.
    pub allowable_resets: Option<Vec<String>>,
}

/// A `ComputerSystem` resource, as read just now.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// `@odata.id`.
    pub uri: SystemUri,
    /// `UUID`; empty when the BMC reports none.
    pub uuid: SystemUuid,
    /// `Manufacturer`.
    pub manufacturer: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `SKU`.
    pub sku: Option<String>,
    /// `SerialNumber`.
    pub serial_number: Option<String>,
    /// `BiosVersion`.
    pub bios_version: Option<String>,
    /// `PowerState`.
    pub power_state: ReportedPower,
    /// `IndicatorLED` as spelled by the BMC.
    pub indicator_led: Option<String>,
    /// `MemorySummary.TotalSystemMemoryGiB`.
    pub total_memory_gib: Option<f64>,
    /// `Boot`.
    pub boot: Boot,
    /// `BootProgress.LastState` as spelled by the BMC.
    pub boot_progress: Option<String>,
    /// Whether the property `Boot.BootSourceOverrideTarget` exists, be it null: iDRAC reports null after a reset and is
    /// bootable all the same (bugs.md #69).
    pub has_override_target: bool,
    /// Values of `ResetType@Redfish.AllowableValues`; `None` when the BMC does not say.
    pub allowable_resets: Option<Vec<String>>,
}

/// `ComputerSystem.Boot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// `BootSourceOverrideEnabled`: `Disabled`, `Once` or `Continuous`.
    pub override_enabled: Option<String>,
    /// `BootSourceOverrideTarget`.
    pub override_target: Option<String>,
    /// `BootSourceOverrideMode`: `UEFI` or `Legacy`.
    pub override_mode: Option<String>,
    /// `BootOrder`; `None` when the BMC has none.
    pub boot_order: Option<Vec<String>>,
    /// The order that waits in the settings object for the next start, where somebody has looked.
    pub staged_order: Option<Vec<String>>,
    /// `BootSourceOverrideTarget@Redfish.AllowableValues`; `None` when the BMC does not say.
    pub allowable_targets: Option<Vec<String>>,
}

impl Boot {
    /// The order of the next start.
    pub fn next_order(&self) -> Option<&[String]> {
        self.staged_order.as_deref().or(self.boot_order.as_deref())
    }
}

/// Hardware as the BMC knows it, in the terms of `Server.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Processors, by id.
    pub processors: Vec<Processor>,
    /// Storage controllers, by name; devices of `SimpleStorage` only where no `Storage` exists.
    pub storages: Vec<Storage>,
}

/// `Server.status.processors[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// `Id`.
    pub id: String,
    /// `ProcessorType`.
    pub processor_type: Option<String>,
    /// `ProcessorArchitecture`.
    pub architecture: Option<String>,
    /// `InstructionSet`.
    pub instruction_set: Option<String>,
    /// `Manufacturer`.
    pub manufacturer: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `MaxSpeedMHz`.
    pub max_speed_mhz: Option<i32>,
    /// `TotalCores`.
    pub total_cores: Option<i32>,
    /// `TotalThreads`.
    pub total_threads: Option<i32>,
}

/// `Server.status.storages[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// `Name`, else `Id`.
    pub name: String,
    /// `Status.State`.
    pub state: Option<String>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Drives.
    pub drives: Vec<StorageDrive>,
}

/// `Server.status.storages[].volumes[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// `Name`, else `Id`.
    pub name: String,
    /// `CapacityBytes`.
    pub capacity_bytes: Option<i64>,
    /// `Status.State`.
    pub state: Option<String>,
    /// `RAIDType`.
    pub raid_type: Option<String>,
    /// `VolumeUsage`.
    pub volume_usage: Option<String>,
}

/// `Server.status.storages[].drives[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageDrive {
    /// `Name`, else `Id`.
    pub name: String,
    /// `MediaType`.
    pub media_type: Option<String>,
    /// `DriveFormFactor`, which the API calls type.
    pub drive_type: Option<String>,
    /// `CapacityBytes`.
    pub capacity_bytes: Option<i64>,
    /// `Manufacturer`.
    pub vendor: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `Status.State`.
    pub state: Option<String>,
}

/// A `Drive` resource, as cleanup needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// `Id`.
    pub id: String,
    /// `@odata.id`.
    pub uri: DriveUri,
    /// `Name`, else `Id`.
    pub name: String,
    /// `SerialNumber`.
    pub serial_number: Option<String>,
    /// `CapacityBytes`.
    pub capacity_bytes: Option<i64>,
    /// Whether the action `#Drive.SecureErase` is offered.
    pub secure_erase: bool,
    /// `Status.State` as spelled by the BMC; `Absent` means an empty bay.
    pub state: Option<String>,
    /// `Status.Health` as spelled by the BMC.
    pub health: Option<String>,
}

/// `Task.TaskState`, reduced to what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Not finished: `New`, `Starting`, `Running`, `Pending`, `Suspended`, `Interrupted`, `Service`, `Stopping`,
    /// `Cancelling`, or a value this driver does not know (bugs.md #106: an unknown state is neither success nor failure).
    Active,
    /// `Completed` with `TaskStatus` OK (or none).
    Succeeded,
    /// `Exception`, `Killed`, `Cancelled`, or `Completed` with a `TaskStatus` other than OK.
    Failed,
}

/// One look at a task. A task that is gone (HTTP 404) is an error for which `BmcError::is_not_found` holds: it proves
/// neither success nor failure (bugs.md #105).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// What it means.
    pub state: TaskState,
    /// `TaskState` and `TaskStatus` as spelled by the BMC, `Completed/OK`.
    pub reported: String,
    /// `PercentComplete`.
    pub percent: Option<u8>,
    /// `Messages[].Message`, in order.
    pub messages: Vec<String>,
    /// `Retry-After` of a task monitor.
    pub retry_after: Option<Duration>,
}

/// A `Bios` resource with its settings object.
#[derive(Clone, Debug, PartialEq)]
pub struct Bios {
    /// `Attributes` in force.
    pub attributes: serde_json::Map<String, Value>,
    /// `Attributes` of the settings object that differ from those in force.
    pub pending: serde_json::Map<String, Value>,
    /// Whether `#Bios.ResetBios` is offered.
    pub supports_reset: bool,
    /// `ResetBiosToDefaultsPending`: a reset was accepted and waits for the next boot.
    pub reset_pending: bool,
}

/// What of a machine has firmware of its own that this driver updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Of the system.
    Bios,
    /// Of the manager.
    Bmc,
}

/// Parameters of `UpdateService.SimpleUpdate`.
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// `ImageURI`.
    pub image_uri: String,
    /// `TransferProtocol`.
    pub transfer_protocol: Option<String>,
    /// For the server that the image comes from.
    pub credentials: Option<Credentials>,
    /// `ForceUpdate`.
    pub force: bool,
}
