//! A Supermicro X12 server. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::machine::Machine;

pub(crate) static SUPERMICRO: Personality = Personality {
    system_id: "1",
    manager_id: "1",
    chassis_id: "1",
    manager_nic: "1",
    manufacturer: "Supermicro",
    ssh_reset_command: None,
    model: "SYS-120C-TN10R",
    vendor: "Supermicro",
    product: "SYS-120C-TN10R",
    manager_model: "ASPEED",
    manager_firmware: "01.03.16",
    bios_version: "1.6",
    firmware_ids: FirmwareIds {
        bios: "BIOS",
        bmc: "BMC",
    },
    multipart_push_uri: "/redfish/v1/UpdateService/upload",
    mac_prefix: [0x3c, 0xec, 0xef],
    http2: false,
    server_header: None,
    base_registry: "Base.1.10",
    annotates_counts: false,
    error_summary: None,
    storage_id: "NVMeSSD",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(6),
        power_off: Duration::from_secs(5),
        post: Duration::from_secs(210),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(120),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(300),
    },
    reset_types: &[
        ResetType::On,
        ResetType::ForceOff,
        ResetType::GracefulShutdown,
        ResetType::GracefulRestart,
        ResetType::ForceRestart,
        ResetType::Nmi,
        ResetType::ForceOn,
        ResetType::PowerCycle,
    ],
    manager_reset_types: &["GracefulRestart", "ForceRestart"],
    action_info: &["ComputerSystem.Reset", "Manager.Reset", "UpdateService.SimpleUpdate"],
    bios_defaults: &[
        BiosDefault {
            name: "BootModeSelect",
            value: BiosValue::Enumeration(&["UEFI", "Legacy", "Dual"]),
        },
        BiosDefault {
            name: "HyperThreading",
            value: BiosValue::Enumeration(&["Enable", "Disable"]),
        },
        BiosDefault {
            name: "PowerTechnology",
            value: BiosValue::Enumeration(&["EnergyEfficient", "Custom", "Disable"]),
        },
        BiosDefault {
            name: "QuietBoot",
            value: BiosValue::Enumeration(&["Enable", "Disable"]),
        },
        BiosDefault {
            name: "WaitFor_F1_IfError",
            value: BiosValue::Enumeration(&["Enable", "Disable"]),
        },
    ],
    bios_registry: "BiosAttributeRegistry.v1_0_0",
    bios_settings: "SD",
    system_settings: None,
    sessions: SessionLimits {
        maximum: 16,
        timeout_seconds: 300,
    },
    accounts: AccountStyle::Collection {
        maximum_password_length: 20,
    },
    custom_roles: false,
    minimum_password_length: 8,
    lockout: Lockout::OFF,
    tasks: TaskStyle {
        job_ids: false,
        kept_for: Duration::from_secs(3600),
    },
    boot_order: BootOrderStyle::Immediate,
    boot_enabled: &OverrideEnabled::ALL,
    boot_targets: &BootTarget::ALL,
    query: QuerySupport {
        expand_levels: 1,
        expand_links: true,
        filter: false,
        select: true,
        only: true,
        excerpt: false,
        paging: true,
    },
    environment: Environment::Both,
    media: MediaStyle {
        place: Place::Manager,
        slots: &[
            MediaSlotStyle {
                id: "VirtualMedia1",
                types: &["CD", "DVD"],
            },
            MediaSlotStyle {
                id: "VirtualMedia2",
                types: &["CD", "DVD"],
            },
        ],
    },
    log: LogStyle {
        place: Place::System,
        id: "Log1",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: false,
    jobs: JobStyle::Nowhere,
    telemetry: None,
    quirks: &[
        Quirk::BootModeReverts,
        Quirk::NoPendingAttributes,
        Quirk::InsertTakesImageOnly,
        Quirk::ImageNameRemains,
    ],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::Message,
    starting_percent: 40,
    oem: Some(&Oem {
        name: "Supermicro",
        root: None,
        system: Some(system),
        manager: None,
    }),
};

fn system(_: &Machine) -> Value {
    json!({ "@odata.type": "#SmcSystemExtensions.v1_0_0.System" })
}
