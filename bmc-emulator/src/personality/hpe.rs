//! A HPE ProLiant Gen11 with an iLO 6. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::machine::Machine;
use crate::machine::installed_firmware::Component;
use crate::machine::truth::Execution;

pub(crate) static HPE: Personality = Personality {
    system_id: "1",
    manager_id: "1",
    chassis_id: "1",
    manager_nic: "1",
    manufacturer: "HPE",
    ssh_reset_command: Some("cd /map1 && reset"),
    model: "ProLiant DL380 Gen11",
    vendor: "HPE",
    product: "ProLiant DL380 Gen11",
    manager_model: "iLO 6",
    manager_firmware: "iLO 6 v1.55",
    bios_version: "U54 v1.48 (10/19/2023)",
    firmware_ids: FirmwareIds { bios: "2", bmc: "1" },
    multipart_push_uri: "/cgi-bin/uploadFile",
    mac_prefix: [0x94, 0x40, 0xc9],
    http2: false,
    server_header: Some("HPE-iLO-Server/1.30"),
    base_registry: "Base.1.18",
    annotates_counts: false,
    error_summary: Some(ErrorSummary {
        code: "iLO.0.10.ExtendedInfo",
        message: "See @Message.ExtendedInfo for more information.",
    }),
    storage_id: "DE00A000",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(6),
        power_off: Duration::from_secs(5),
        post: Duration::from_secs(180),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(90),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(240),
    },
    reset_types: &[
        ResetType::On,
        ResetType::ForceOff,
        ResetType::GracefulShutdown,
        ResetType::ForceRestart,
        ResetType::Nmi,
        ResetType::GracefulRestart,
    ],
    manager_reset_types: &["ForceRestart", "GracefulRestart"],
    action_info: &[],
    bios_defaults: &[
        BiosDefault {
            name: "AdminName",
            value: BiosValue::Text(""),
        },
        BiosDefault {
            name: "BootMode",
            value: BiosValue::Enumeration(&["Uefi", "LegacyBios"]),
        },
        BiosDefault {
            name: "EmbeddedSata",
            value: BiosValue::Enumeration(&["Ahci", "Raid"]),
        },
        BiosDefault {
            name: "NicBoot1",
            value: BiosValue::Enumeration(&["NetworkBoot", "Disabled"]),
        },
        BiosDefault {
            name: "PowerRegulator",
            value: BiosValue::Enumeration(&["DynamicPowerSavings", "StaticLowPower", "StaticHighPerf", "OsControl"]),
        },
        BiosDefault {
            name: "ProcHyperthreading",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "ProcVirtualization",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "UrlBootFile",
            value: BiosValue::Text(""),
        },
    ],
    bios_registry: "BiosAttributeRegistryU54.v1_1_48",
    bios_settings: "Settings",
    system_settings: None,
    sessions: SessionLimits {
        maximum: 20,
        timeout_seconds: 1800,
    },
    accounts: AccountStyle::Collection {
        maximum_password_length: 39,
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
        expand_links: false,
        filter: true,
        select: false,
        only: true,
        excerpt: false,
        paging: false,
    },
    environment: Environment::Both,
    media: MediaStyle {
        place: Place::Manager,
        slots: &[
            MediaSlotStyle {
                id: "1",
                types: &["Floppy", "USBStick"],
            },
            MediaSlotStyle {
                id: "2",
                types: &["CD", "DVD"],
            },
        ],
    },
    log: LogStyle {
        place: Place::System,
        id: "IML",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: true,
    jobs: JobStyle::Nowhere,
    telemetry: Some(TelemetryStyle {
        thermal: "ThermalMetrics",
        power: "PowerMetrics",
        enabled: true,
    }),
    quirks: &[
        Quirk::ModifyRefusedDuringPost,
        Quirk::BootModeNotWritable,
        Quirk::CoarseBootProgress,
        Quirk::NoAccountTypes,
        Quirk::RetryPolicyRejected,
        Quirk::EjectNeedsBody,
    ],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::Error,
    starting_percent: 30,
    oem: Some(&Oem {
        name: "Hpe",
        root: Some(root),
        system: Some(system),
        manager: Some(manager),
    }),
};

fn root(machine: &Machine) -> Value {
    json!({
        "@odata.type": "#HpeiLOServiceExt.v2_5_0.HpeiLOServiceExt",
        "Manager": [{
            "ManagerType": machine.personality.manager_model,
            "ManagerFirmwareVersion": "1.55",
            "HostName": machine.hardware.name,
        }],
    })
}

/// `PostState` is what tools for iLOs look at, for `BootProgress` says little.
fn system(machine: &Machine) -> Value {
    let post_state = match &machine.execution {
        Execution::Nothing => "PowerOff",
        Execution::Post | Execution::PostHung { .. } | Execution::Setup => "InPost",
        Execution::Firmware { .. } => "InPostDiscoveryComplete",
        Execution::Guest { .. } | Execution::Halted { .. } => "FinishedPost",
    };
    json!({
        "@odata.type": "#HpeComputerSystemExt.v2_13_0.HpeComputerSystemExt",
        "PostState": post_state,
    })
}

fn manager(machine: &Machine) -> Value {
    json!({
        "@odata.type": "#HpeiLO.v2_8_0.HpeiLO",
        "Firmware": {
            "Current": { "VersionString": machine.firmware.version(Component::Bmc, machine.personality) },
        },
    })
}
