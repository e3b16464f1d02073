//! A Lenovo ThinkSystem with an XClarity Controller. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::machine::Machine;
use crate::machine::truth::Execution;

pub(crate) static LENOVO: Personality = Personality {
    system_id: "1",
    manager_id: "1",
    chassis_id: "1",
    manager_nic: "NIC",
    manufacturer: "Lenovo",
    ssh_reset_command: Some("resetsp"),
    model: "ThinkSystem SR650 V2",
    vendor: "Lenovo",
    product: "ThinkSystem SR650 V2",
    manager_model: "Lenovo XClarity Controller",
    manager_firmware: "AFBT58B 5.10 2023-12-21",
    bios_version: "AFE134F",
    firmware_ids: FirmwareIds {
        bios: "UEFI",
        bmc: "BMC-Primary",
    },
    multipart_push_uri: "/mfwupdate",
    mac_prefix: [0x7c, 0x8a, 0xe1],
    http2: false,
    server_header: Some("XCC Web Server"),
    base_registry: "Base.1.16",
    annotates_counts: false,
    error_summary: None,
    storage_id: "Direct_Attached_NVMe",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(5),
        power_off: Duration::from_secs(4),
        post: Duration::from_secs(180),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(150),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(300),
    },
    reset_types: &[
        ResetType::On,
        ResetType::Nmi,
        ResetType::GracefulShutdown,
        ResetType::GracefulRestart,
        ResetType::ForceOn,
        ResetType::ForceOff,
        ResetType::ForceRestart,
    ],
    manager_reset_types: &["GracefulRestart", "ForceRestart"],
    action_info: &[
        "ComputerSystem.Reset",
        "Manager.Reset",
        "Manager.ResetToDefaults",
        "SecureBoot.ResetKeys",
        "UpdateService.SimpleUpdate",
    ],
    bios_defaults: &[
        BiosDefault {
            name: "BootModes_InfiniteBootRetry",
            value: BiosValue::Enumeration(&["Disabled", "Enabled"]),
        },
        BiosDefault {
            name: "BootModes_SystemBootMode",
            value: BiosValue::Enumeration(&["UEFIMode", "LegacyMode"]),
        },
        BiosDefault {
            name: "DevicesandIOPorts_COMPort1",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "Memory_ColdBootFast",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "Processors_HyperThreading",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "Processors_IntelVirtualizationTechnology",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "Processors_TurboMode",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
    ],
    bios_registry: "BiosAttributeRegistry.1.0.0",
    bios_settings: "Pending",
    system_settings: Some("Pending"),
    sessions: SessionLimits {
        maximum: 16,
        timeout_seconds: 300,
    },
    accounts: AccountStyle::Collection {
        maximum_password_length: 255,
    },
    custom_roles: true,
    minimum_password_length: 8,
    lockout: Lockout {
        threshold: 5,
        duration: 3600,
        reset_after: 3600,
    },
    tasks: TaskStyle {
        job_ids: false,
        kept_for: Duration::from_secs(3600),
    },
    boot_order: BootOrderStyle::Staged,
    boot_enabled: &[OverrideEnabled::Once, OverrideEnabled::Disabled],
    boot_targets: &BootTarget::ALL,
    query: QuerySupport {
        expand_levels: 2,
        expand_links: true,
        filter: true,
        select: true,
        only: true,
        excerpt: true,
        paging: true,
    },
    environment: Environment::Both,
    media: MediaStyle {
        place: Place::Manager,
        slots: &[
            MediaSlotStyle {
                id: "EXT1",
                types: &["CD", "DVD", "Floppy", "USBStick"],
            },
            MediaSlotStyle {
                id: "EXT2",
                types: &["CD", "DVD", "Floppy", "USBStick"],
            },
        ],
    },
    log: LogStyle {
        place: Place::System,
        id: "PlatformLog",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: false,
    jobs: JobStyle::Nowhere,
    telemetry: Some(TelemetryStyle {
        thermal: "InletAirTemp",
        power: "PowerMetrics",
        enabled: true,
    }),
    quirks: &[Quirk::PendingFirmwareTwins, Quirk::PushPowerButtonListed],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::NoContent,
    starting_percent: 30,
    oem: Some(&Oem {
        name: "Lenovo",
        root: None,
        system: Some(system),
        manager: None,
    }),
};

fn system(machine: &Machine) -> Value {
    let status = match &machine.execution {
        Execution::Nothing => "SystemPowerOff/StateUnknown",
        Execution::Post | Execution::PostHung { .. } | Execution::Firmware { .. } => "SystemOn/StartingUEFI",
        Execution::Setup => "InUEFISetup",
        Execution::Guest { .. } | Execution::Halted { .. } => "BootingOSOrInUndetectedOS",
    };
    json!({
        "@odata.type": "#LenovoComputerSystem.v1_0_0.LenovoSystemProperties",
        "SystemStatus": status,
        "NumberOfReboots": machine.counters.boots,
    })
}
