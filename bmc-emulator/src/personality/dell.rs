//! A Dell PowerEdge with an iDRAC 9. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use super::*;

pub(crate) static DELL: Personality = Personality {
    system_id: "System.Embedded.1",
    manager_id: "iDRAC.Embedded.1",
    chassis_id: "System.Embedded.1",
    manufacturer: "Dell Inc.",
    model: "PowerEdge R760",
    vendor: "Dell",
    product: "Integrated Dell Remote Access Controller",
    manager_model: "16G Monolithic",
    manager_firmware: "7.10.30.00",
    bios_version: "2.1.5",
    server_header: Some("Apache"),
    base_registry: "Base.1.12",
    annotates_counts: true,
    storage_id: "PCIeSSD.Slot.1",
    timing: DefaultTiming {
        power_on: Duration::from_secs(5),
        power_off: Duration::from_secs(4),
        post: Duration::from_secs(120),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(180),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
    },
    reset_types: &[
        ResetType::On,
        ResetType::ForceOff,
        ResetType::ForceRestart,
        ResetType::GracefulRestart,
        ResetType::GracefulShutdown,
        ResetType::Nmi,
        ResetType::PowerCycle,
    ],
    manager_reset_types: &["GracefulRestart", "ForceRestart"],
    bios_defaults: &[
        BiosDefault {
            name: "BootMode",
            value: BiosValue::Enumeration(&["Uefi", "Bios"]),
        },
        BiosDefault {
            name: "BootSeqRetry",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "EmbSata",
            value: BiosValue::Enumeration(&["AhciMode", "RaidMode", "Off"]),
        },
        BiosDefault {
            name: "LogicalProc",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "NumLock",
            value: BiosValue::Enumeration(&["On", "Off"]),
        },
        BiosDefault {
            name: "ProcVirtualization",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "PxeDev1EnDis",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "SysProfile",
            value: BiosValue::Enumeration(&["PerfPerWattOptimizedDapc", "PerfOptimized", "Custom"]),
        },
    ],
    bios_registry: "BiosAttributeRegistry.v1_0_3",
    sessions: SessionLimits {
        maximum: 8,
        timeout_seconds: 1800,
    },
    accounts: AccountStyle::Slots {
        count: 16,
        maximum_password_length: 40,
    },
    tasks: TaskStyle {
        job_ids: true,
        kept_for: Duration::from_secs(600),
    },
    boot_order: BootOrderStyle::StagedJob,
    query: QuerySupport {
        expand_levels: 1,
        expand_links: true,
        filter: true,
        select: true,
        only: true,
        paging: true,
    },
    quirks: &[
        Quirk::BiosSettingsBecomeJob,
        Quirk::ResetBiosNeedsBody,
        Quirk::RefusesNoChange,
    ],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::Message,
    starting_percent: 30,
};
