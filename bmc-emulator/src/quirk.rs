//! What real BMCs do that the specification does not say, each as a named switch. A personality has those of its vendor; a fleet file adds
//! and removes single ones.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! quirks {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $source:literal;)*) => {
        /// A behaviour of real BMCs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Quirk {
            $($(#[doc = $doc])* #[serde(rename = $text)] $name,)*
        }

        impl Quirk {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As fleet files write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Where it was seen (an issue, a pull request, a release note), or what allows it.
            #[must_use]
            pub const fn source(self) -> &'static str {
                match self { $(Self::$name => $source,)* }
            }

            /// What happens, in a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

quirks! {
    /// A PATCH of the BIOS settings with an apply time creates the job by itself: 202 with `Location`.
    BiosSettingsBecomeJob = "bios-settings-become-job", "quadsproject/quads#726";
    /// A PATCH of the BIOS settings without an apply time waits until a job is made of it, through any number of POSTs.
    BiosSettingsNeedJob = "bios-settings-need-job", "dell/iDRAC-Redfish-Scripting#84";
    /// `Bios` shows pending attributes as if they were in force.
    BiosShowsPending = "bios-shows-pending", "NVIDIA libredfish#25";
    /// `Bios.ResetBios` without a body answers 400.
    ResetBiosNeedsBody = "reset-bios-needs-body", "OpenStack release note fix-2008198";
    /// A reset command that asks for what already is answers 409.
    RefusesNoChange = "refuses-no-change", "OpenStack release note reboot-do-not-power-off-if-already";
    /// A graceful shutdown or restart is accepted and ignored while no operating system runs.
    FirmwareIgnoresPowerButton = "firmware-ignores-power-button", "ironcore-dev/metal-operator#129";
    /// The URI of a new task answers 404 for two seconds.
    NewTaskNotFound = "new-task-not-found", "OpenStack release note fix-dell-bmc-404-race-condition";
    /// A task that failed ends as `Completed`, with a `TaskStatus` of `Critical`.
    CompletedCritical = "completed-critical", "OpenStack release note raise-error-on-async-task-failure";
    /// `LastResetTime` of the manager is `0000-00-00T00:00:00Z`.
    ResetTimeZero = "reset-time-zero", "nv-redfish, bmc_quirks.rs";
    /// `@Message.ExtendedInfo` of an error is an object, not a list of objects.
    ExtendedInfoIsObject = "extended-info-is-object", "OpenStack release note fix-extended-info-error-handling";
    /// A PATCH that names `BootSourceOverrideMode` fails as a whole with 400.
    BootModeNotWritable = "boot-mode-not-writable", "ansible-collections/community.general#3509";
    /// There is no `BootSourceOverrideMode`.
    NoBootMode = "no-boot-mode", "OpenStack release note redfish-boot-mode-override-not-present";
    /// A boot override of which not all of target, enabled and mode are sent is accepted and ignored.
    PartialBootIgnored = "partial-boot-ignored", "OpenStack release note fix-redfish-boot-device-full-request";
    /// `BootSourceOverrideTarget` is null while there is no override.
    NullOverrideTarget = "null-override-target", "ironcore-dev/metal-operator#1017";
    /// A boot override without `BootSourceOverrideMode` sets the mode back to `Legacy`.
    BootModeReverts = "boot-mode-reverts", "DMTF/Redfishtool#106";
    /// Boot settings can be changed in the settings object of the system only.
    BootOnlyInSettings = "boot-only-in-settings", "DMTF/Redfish-Tacklebox#111";
    /// There are no `BootOptions`, and no `BootOrder`.
    NoBootOrder = "no-boot-order", "openbmc/bmcweb, redfish-core/lib/systems.hpp";
    /// `BootProgress` is either `None` or `OSRunning`.
    CoarseBootProgress = "coarse-boot-progress", "bb-Ricardo/check_redfish#170";
    /// A PATCH of the system or the BIOS settings during POST answers 400 `UnableToModifyDuringSystemPOST`.
    ModifyRefusedDuringPost = "modify-refused-during-post", "ironcore-dev/metal-operator#997";
    /// A PATCH without `If-Match` answers 428.
    PatchNeedsIfMatch = "patch-needs-if-match", "stmcginnis/gofish#171";
    /// The BIOS settings object has no `Attributes` while nothing is pending.
    NoPendingAttributes = "no-pending-attributes", "NVIDIA libredfish, src/supermicro.rs";
    /// Accounts have no `AccountTypes`.
    NoAccountTypes = "no-account-types", "nv-redfish, bmc_quirks.rs";
    /// A subscription with `DeliveryRetryPolicy` is refused.
    RetryPolicyRejected = "retry-policy-rejected", "metal-operator, bmc/redfish_hpe.go";
    /// Every member of the firmware inventory has a twin whose `Id` ends in `-Pending`.
    PendingFirmwareTwins = "pending-firmware-twins", "metal-operator, bmc/redfish_lenovo.go";
    /// A task is `New` for ten seconds before it is anything else.
    NewTaskState = "new-task-state", "OpenStack release note fix-firmware-update-new-task-state";
    /// A request that starts a task answers 202 without `Location`.
    AcceptedWithoutLocation = "accepted-without-location", "sushy, connector.py";
    /// Time stamps of events have the offset `-0600`, without a colon.
    EventTimeWithoutColon = "event-time-without-colon", "nv-redfish, bmc_quirks.rs";
    /// Subscriptions have no `Context`.
    NoSubscriptionContext = "no-subscription-context", "sushy, resources/eventservice";
    /// The reset type `PushPowerButton` is listed, and refused.
    PushPowerButtonListed = "push-power-button-listed", "ironcore-dev/metal-operator#129";
    /// A boot override of `Continuous` is gone after one boot.
    ContinuousNotKept = "continuous-not-kept", "ansible-collections/community.general#11543";
    /// ETags are weak, and `If-Match` with one of them answers 412.
    WeakEtags = "weak-etags", "OpenStack release note do-not-offer-compression";
    /// The clock cannot be set to a fraction of a second.
    ClockTakesWholeSeconds = "clock-takes-whole-seconds", "OpenStack release note redfish-bmc-clock-offset";
    /// `VirtualMedia.InsertMedia` refuses `Inserted` and `WriteProtected`.
    InsertTakesImageOnly = "insert-takes-image-only", "OpenStack release note fix-insert-media-payload";
    /// `VirtualMedia.InsertMedia` refuses a request without `TransferProtocolType`.
    TransferProtocolRequired = "transfer-protocol-required", "OpenStack release note action-parameter-missing";
    /// A boot override to `Cd` does not boot from a virtual CD. `UsbCd` does, which no schema knows.
    VirtualCdIsUsbCd = "virtual-cd-is-usb-cd", "OpenStack release note change-bootdev-smc";
    /// `ImageName` of virtual media stays after the medium was ejected.
    ImageNameRemains = "image-name-remains", "ansible-collections/community.general#4839";
    /// `VirtualMedia.EjectMedia` without a body answers 415.
    EjectNeedsBody = "eject-needs-body", "OpenStack release note fix-eject-media-empty-dict";
    /// Virtual media have no actions: an image is inserted and ejected by PATCH.
    MediaByPatch = "media-by-patch", "OpenStack release note fix-virtual-media-fallback";
    /// Processors and memory are known only while the machine runs.
    InventoryOnlyWhenOn = "inventory-only-when-on", "NVIDIA infra-controller#1110";
    /// The manager has no `PowerState`.
    ManagerWithoutPowerState = "manager-without-power-state", "ironcore-dev/metal-operator#594";
    /// An Ethernet interface of the manager has a hardware address of twenty octets, as InfiniBand has.
    LongHardwareAddress = "long-hardware-address", "NVIDIA infra-controller#4756";
    /// An Ethernet interface of the manager has an empty hardware address.
    EmptyHardwareAddress = "empty-hardware-address", "OpenStack release note skip-empty-mac";
    /// `Links.ManagedBy` of the system is missing.
    NoManagedBy = "no-managed-by", "OpenStack release note retry-on-missing-managedby";
    /// The BMC knows no drive: the system has no `Storage`.
    NoStorage = "no-storage", "DSP0268: `Storage` of a ComputerSystem is optional";
    /// A boot override of `Once` stays when the machine has booted by it.
    OnceStaysArmed = "once-stays-armed", "v1k0d3n/kubevirt-redfish#3";
    /// The system has no `Bios`: its settings can neither be read nor reset.
    NoBios = "no-bios", "DSP0268: `Bios` of a ComputerSystem is optional";
    /// Storage answers 503 `SYS518` for twenty seconds after the BMC has restarted.
    StorageNotReadyAfterRestart = "storage-not-ready-after-restart", "OpenStack release note increase-server-retries";
    /// A session that there is no room for is refused with `RAC0218`, a message of the vendor's.
    SessionLimitInOwnWords = "session-limit-in-own-words", "stmcginnis/gofish#75";
    /// A task that has ended can be read for a minute, and its monitor not at all.
    TasksVanish = "tasks-vanish", "OpenStack release note fix-bios-update-silent-fail";
    /// The BIOS attribute registry says `Readonly` where it means `ReadOnly`.
    RegistryMisspells = "registry-misspells", "metal-operator, bmc/redfish_dell.go";
    /// A PATCH of the BIOS settings answers 400 although it has become a job.
    RefusedButDone = "refused-but-done", "ansible-collections/community.general#3826";
    /// A PATCH of the BIOS settings answers 400 because attributes are read-only, and works when it is sent again.
    FirstBiosPatchFails = "first-bios-patch-fails", "NVIDIA libredfish, src/dell.rs";
    /// `VirtualMedia.InsertMedia` answers 500 `SYS446`, and works when it is sent again.
    FirstInsertFails = "first-insert-fails", "dell/iDRAC-Redfish-Scripting#60";
    /// For ten seconds after an image was ejected the slot still shows it as inserted, and takes no other.
    EjectTakesTime = "eject-takes-time", "OpenStack release note fix-redfish-vmedia-insert-retry";
    /// Virtual media are below the manager, where this vendor had them before it moved them to the system.
    MediaAtManager = "media-at-manager", "dell/iDRAC-Redfish-Scripting#265";
    /// A boot override that is enabled with the target `None` is refused.
    OverrideNoneRefused = "override-none-refused", "ironcore-dev/metal-operator#998";
    /// `HttpBootUri` can be set, and is ignored.
    HttpBootUriIgnored = "http-boot-uri-ignored", "NVIDIA libredfish#76";
    /// A reset within five seconds after the power state has changed answers 400 `InvalidOperationForSystemState`.
    BusyAfterPowerChange = "busy-after-power-change", "OpenStack release note retry-ilo-not-ready";
    /// Registries answer 406 to those who do not take gzip.
    RegistriesNeedGzip = "registries-need-gzip", "sushy, connector.py";
    /// Members of the PCIe devices are empty objects while the machine powers on.
    PcieMembersEmpty = "pcie-members-empty", "NVIDIA libredfish, src/hpe.rs";
    /// ETags have quotes within their quotes.
    EtagsQuotedTwice = "etags-quoted-twice", "ansible-collections/community.general#3268";
    /// ETags of compressed answers are weak, and `If-Match` with one of them answers 412.
    GzipWeakensEtags = "gzip-weakens-etags", "OpenStack release note do-not-offer-compression";
    /// `ForceRestart` of a machine that runs ends in a POST that never does. Off and on again is the cure.
    ForceRestartHangs = "force-restart-hangs", "NVIDIA libredfish, src/lenovo.rs";
    /// The system has no `EthernetInterfaces`.
    NoEthernetInterfaces = "no-ethernet-interfaces", "OpenStack release note handle-missing-ethernetinterfaces";
    /// The clock refuses the offset that it has.
    SameOffsetRefused = "same-offset-refused", "OpenStack release note redfish-bmc-clock-offset";
    /// `SecureBoot` answers 500 during POST.
    SecureBootFailsDuringPost = "secure-boot-fails-during-post", "OpenStack release note redfish-500";
    /// The BMC answers nothing for five minutes after its own update.
    DeafAfterUpdate = "deaf-after-update", "OpenStack release note bmc-validation-after-firmware-update";
    /// `Members` of an empty collection is null.
    NullMembers = "null-members", "nv-redfish, bmc_quirks.rs";
    /// Records of events have neither `MemberId` nor `EventType`.
    BareEventRecords = "bare-event-records", "nv-redfish, bmc_quirks.rs";
    /// A restart of the BMC loses its tasks. What they did goes on.
    TasksLostAtReset = "tasks-lost-at-reset", "ironcore-dev/metal-operator#617";
}

impl fmt::Display for Quirk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Those of one machine: its vendor's, more, and less.
pub(crate) fn of(vendor: &[Quirk], more: &[Quirk], less: &[Quirk]) -> BTreeSet<Quirk> {
    let all = vendor.iter().chain(more);
    all.filter(|quirk| !less.contains(quirk)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_fleet_files() {
        for quirk in Quirk::ALL {
            assert_eq!(serde_json::to_value(quirk).unwrap(), quirk.as_str());
            assert!(
                quirk.description().ends_with('.') && !quirk.source().is_empty(),
                "{quirk}"
            );
        }
    }

    #[test]
    fn a_fleet_file_has_the_last_word() {
        let (a, b, c) = (Quirk::NoBootMode, Quirk::NewTaskNotFound, Quirk::ResetTimeZero);
        assert_eq!(of(&[a, b], &[c], &[b]), BTreeSet::from([a, c]));
    }
}
