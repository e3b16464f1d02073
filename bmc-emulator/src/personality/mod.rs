//! How BMCs of different vendors differ, as data. A personality is shared and immutable; what a single machine
//! changes lives in the machine.

mod ami;
mod dell;
mod generic;
mod hpe;
mod lenovo;
mod openbmc;
mod styles;
mod supermicro;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::ami::AMI;
use self::dell::DELL;
pub(crate) use self::generic::GENERIC;
use self::hpe::HPE;
use self::lenovo::LENOVO;
use self::openbmc::OPENBMC;
pub(crate) use self::styles::{
    AccountStyle, ApplyTime, BiosDefault, BiosValue, BootOrderStyle, DefaultTiming, Environment, ErrorSummary,
    FirmwareIds, JobStyle, LOCALLY_ADMINISTERED, LogStyle, MediaSlotStyle, MediaStyle, Oem, OemObject, PcieHolder,
    Place, PowerStyle, QuerySupport, RaidStyle, SessionLimits, SuccessStyle, TaskStyle, TelemetryStyle,
};
use self::supermicro::SUPERMICRO;
use crate::machine::boot::{BootTarget, OverrideEnabled};
use crate::machine::power::ResetType;
use crate::quirk::Quirk;
use crate::redfish::lockout::Lockout;

/// Which personality a machine shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PersonalityName {
    /// What the Redfish specification says, and nothing else.
    #[default]
    Generic,
    /// An iDRAC 9.
    Dell,
    /// An iLO 6.
    Hpe,
    /// An XClarity Controller.
    Lenovo,
    /// A Supermicro X12 board.
    Supermicro,
    /// A MegaRAC BMC by AMI.
    Ami,
    /// bmcweb, the Redfish service of OpenBMC.
    Openbmc,
}

impl PersonalityName {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Generic,
        Self::Dell,
        Self::Hpe,
        Self::Lenovo,
        Self::Supermicro,
        Self::Ami,
        Self::Openbmc,
    ];

    /// What its BMCs do beside the specification, unless a fleet file says otherwise.
    #[must_use]
    pub fn quirks(self) -> &'static [Quirk] {
        self.personality().quirks
    }

    pub(crate) fn personality(self) -> &'static Personality {
        match self {
            PersonalityName::Generic => &GENERIC,
            PersonalityName::Dell => &DELL,
            PersonalityName::Hpe => &HPE,
            PersonalityName::Lenovo => &LENOVO,
            PersonalityName::Supermicro => &SUPERMICRO,
            PersonalityName::Ami => &AMI,
            PersonalityName::Openbmc => &OPENBMC,
        }
    }
}

impl std::fmt::Display for PersonalityName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Generic => "generic",
            Self::Dell => "dell",
            Self::Hpe => "hpe",
            Self::Lenovo => "lenovo",
            Self::Supermicro => "supermicro",
            Self::Ami => "ami",
            Self::Openbmc => "openbmc",
        })
    }
}

/// The data by which one vendor's BMC differs from another's.
#[derive(Clone, Debug)]
pub(crate) struct Personality {
    /// Identifiers of the members of the three main collections.
    pub system_id: &'static str,
    pub manager_id: &'static str,
    pub chassis_id: &'static str,
    /// The only Ethernet interface of the manager.
    pub manager_nic: &'static str,
    pub manufacturer: &'static str,
    /// What restarts the BMC in its shell, where it has one that can.
    pub ssh_reset_command: Option<&'static str>,
    pub model: &'static str,
    /// `ServiceRoot.Vendor` and `ServiceRoot.Product`.
    pub vendor: &'static str,
    pub product: &'static str,
    pub manager_model: &'static str,
    pub manager_firmware: &'static str,
    pub bios_version: &'static str,
    pub firmware_ids: FirmwareIds,
    /// Where a firmware image can be sent to.
    pub multipart_push_uri: &'static str,
    /// How the hardware addresses of its network cards begin, the BMC's included: an OUI of the vendor.
    pub mac_prefix: [u8; 3],
    /// Whether it offers HTTP/2 (ALPN) beside HTTP/1.1.
    pub http2: bool,
    /// `Server` header of every answer, where the vendor sends one.
    pub server_header: Option<&'static str>,
    /// Name and version of the Base registry its messages come from.
    pub base_registry: &'static str,
    /// Whether arrays in messages are followed by their `@odata.count`.
    pub annotates_counts: bool,
    /// Summary of errors, where it says nothing about them.
    pub error_summary: Option<ErrorSummary>,
    pub storage_id: &'static str,
    pub raid: RaidStyle,
    pub timing: DefaultTiming,
    pub reset_types: &'static [ResetType],
    pub manager_reset_types: &'static [&'static str],
    /// Actions that have an `ActionInfo` besides their `AllowableValues`.
    pub action_info: &'static [&'static str],
    pub bios_defaults: &'static [BiosDefault],
    pub bios_registry: &'static str,
    /// Last segment of the URI of the BIOS settings object.
    pub bios_settings: &'static str,
    /// The same of the system's, if it has one: for boot settings.
    pub system_settings: Option<&'static str>,
    pub sessions: SessionLimits,
    pub accounts: AccountStyle,
    /// Whether users can make roles of their own.
    pub custom_roles: bool,
    /// As the factory sets them.
    pub minimum_password_length: u32,
    pub lockout: Lockout,
    pub tasks: TaskStyle,
    pub boot_order: BootOrderStyle,
    /// What `BootSourceOverrideEnabled` and `BootSourceOverrideTarget` may be.
    pub boot_enabled: &'static [OverrideEnabled],
    pub boot_targets: &'static [BootTarget],
    pub query: QuerySupport,
    pub environment: Environment,
    pub media: MediaStyle,
    pub log: LogStyle,
    /// Whether the chassis has `NetworkAdapters`, and the system `NetworkInterfaces`.
    pub network_adapters: bool,
    pub pcie_devices: PcieHolder,
    /// Whether a TPM is shown as a component of its own, with what it has measured.
    pub trusted_components: bool,
    pub jobs: JobStyle,
    pub telemetry: Option<TelemetryStyle>,
    /// What its BMCs do beside the specification.
    pub quirks: &'static [Quirk],
    pub power: PowerStyle,
    /// Answer to a PATCH or POST that worked and has nothing to show.
    pub success: SuccessStyle,
    /// How long after its reset a BMC already accepts connections but still answers 503, in percent of `bmc_reset`.
    pub starting_percent: u32,
    pub oem: Option<&'static Oem>,
}
