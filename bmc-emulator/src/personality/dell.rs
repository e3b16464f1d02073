//! A Dell PowerEdge with an iDRAC 9. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::machine::Machine;

pub(crate) static DELL: Personality = Personality {
    system_id: "System.Embedded.1",
    manager_id: "iDRAC.Embedded.1",
    chassis_id: "System.Embedded.1",
    manager_nic: "eth0",
    manufacturer: "Dell Inc.",
    ssh_reset_command: Some("racreset"),
    model: "PowerEdge R760",
    vendor: "Dell",
    product: "Integrated Dell Remote Access Controller",
    manager_model: "16G Monolithic",
    manager_firmware: "7.10.30.00",
    bios_version: "2.1.5",
    firmware_ids: FirmwareIds {
        bios: "BIOS",
        bmc: "BMC",
    },
    multipart_push_uri: "/redfish/v1/UpdateService/MultipartUpload",
    mac_prefix: LOCALLY_ADMINISTERED,
    http2: false,
    server_header: Some("Apache"),
    base_registry: "Base.1.12",
    annotates_counts: true,
    error_summary: None,
    storage_id: "PCIeSSD.Slot.1",
    raid: RaidStyle {
        apply_times: &[ApplyTime::Immediate, ApplyTime::OnReset],
        as_tasks: true,
    },
    timing: DefaultTiming {
        power_on: Duration::from_secs(5),
        power_off: Duration::from_secs(4),
        post: Duration::from_secs(120),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(180),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(300),
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
    action_info: &[],
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
    bios_settings: "Settings",
    system_settings: Some("Settings"),
    sessions: SessionLimits {
        maximum: 8,
        timeout_seconds: 1800,
    },
    accounts: AccountStyle::Slots {
        count: 16,
        maximum_password_length: 40,
    },
    custom_roles: false,
    minimum_password_length: 1,
    lockout: Lockout::OFF,
    tasks: TaskStyle {
        job_ids: true,
        kept_for: Duration::from_secs(600),
    },
    boot_order: BootOrderStyle::StagedJob,
    boot_enabled: &OverrideEnabled::ALL,
    boot_targets: &BootTarget::ALL,
    query: QuerySupport {
        expand_levels: 1,
        expand_links: true,
        filter: true,
        select: true,
        only: true,
        excerpt: false,
        paging: true,
    },
    environment: Environment::Both,
    media: MediaStyle {
        place: Place::System,
        slots: &[
            MediaSlotStyle {
                id: "1",
                types: &["CD", "DVD", "USBStick"],
            },
            MediaSlotStyle {
                id: "2",
                types: &["CD", "DVD", "USBStick"],
            },
        ],
    },
    log: LogStyle {
        place: Place::Manager,
        id: "Sel",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: false,
    jobs: JobStyle::ServiceAndDellQueue,
    telemetry: Some(TelemetryStyle {
        thermal: "ThermalSensor",
        power: "PowerMetrics",
        enabled: false,
    }),
    quirks: &[
        Quirk::BiosSettingsBecomeJob,
        Quirk::ResetBiosNeedsBody,
        Quirk::RefusesNoChange,
        Quirk::NewTaskState,
        Quirk::EventTimeWithoutColon,
        Quirk::RegistryMisspells,
        Quirk::SessionLimitInOwnWords,
    ],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::Message,
    starting_percent: 30,
    oem: Some(&Oem {
        name: "Dell",
        root: Some(root),
        system: Some(system),
        manager: None,
    }),
};

/// The service tag is what Dell's support knows a machine by; Redfish shows it as `SKU`.
fn root(machine: &Machine) -> Value {
    json!({
        "@odata.type": "#DellServiceRoot.v1_0_0.DellServiceRoot",
        "IsBranded": 0,
        "ManagerMACAddress": machine.hardware.bmc_mac_address,
        "ServiceTag": machine.hardware.sku,
    })
}

fn system(machine: &Machine) -> Value {
    json!({
        "DellSystem": {
            "@odata.type": "#DellSystem.v1_4_0.DellSystem",
            "ChassisServiceTag": machine.hardware.sku,
            "NodeID": machine.hardware.sku,
            "SystemID": 2668,
        },
    })
}
