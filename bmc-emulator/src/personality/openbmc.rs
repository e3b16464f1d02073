//! A machine whose BMC runs OpenBMC, with bmcweb as its Redfish service. What it does beside the specification is in
//! `quirk.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::machine::Machine;

pub(crate) static OPENBMC: Personality = Personality {
    system_id: "system",
    manager_id: "bmc",
    chassis_id: "chassis",
    manager_nic: "eth0",
    manufacturer: "OpenBMC",
    ssh_reset_command: None,
    model: "OpenBMC Server",
    vendor: "OpenBMC",
    product: "OpenBMC Server",
    manager_model: "OpenBmc",
    manager_firmware: "2.18.0",
    bios_version: "1.0.0",
    firmware_ids: FirmwareIds {
        bios: "bios_active",
        bmc: "bmc_active",
    },
    multipart_push_uri: "/redfish/v1/UpdateService/update-multipart",
    mac_prefix: LOCALLY_ADMINISTERED,
    http2: true,
    server_header: None,
    base_registry: "Base.1.19",
    annotates_counts: true,
    error_summary: None,
    storage_id: "1",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(5),
        power_off: Duration::from_secs(5),
        post: Duration::from_secs(90),
        graceful_shutdown: Duration::from_secs(30),
        secure_erase: Duration::from_secs(90),
        bmc_reset: Duration::from_secs(90),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(240),
    },
    reset_types: &[
        ResetType::On,
        ResetType::ForceOff,
        ResetType::ForceOn,
        ResetType::ForceRestart,
        ResetType::GracefulRestart,
        ResetType::GracefulShutdown,
        ResetType::PowerCycle,
        ResetType::Nmi,
    ],
    manager_reset_types: &["GracefulRestart", "ForceRestart"],
    action_info: &["ComputerSystem.Reset", "Manager.Reset"],
    bios_defaults: &[
        BiosDefault {
            name: "HyperThreading",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "QuietBoot",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
    ],
    bios_registry: "BiosAttributeRegistry.1.0.0",
    bios_settings: "Settings",
    system_settings: None,
    sessions: SessionLimits {
        maximum: 64,
        timeout_seconds: 1800,
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
        expand_levels: 6,
        expand_links: true,
        filter: false,
        select: true,
        only: true,
        excerpt: true,
        paging: true,
    },
    environment: Environment::Subsystems,
    media: MediaStyle {
        place: Place::Manager,
        slots: &[
            MediaSlotStyle {
                id: "Slot_0",
                types: &["CD", "USBStick"],
            },
            MediaSlotStyle {
                id: "Slot_1",
                types: &["CD", "USBStick"],
            },
        ],
    },
    log: LogStyle {
        place: Place::System,
        id: "EventLog",
    },
    network_adapters: false,
    pcie_devices: PcieHolder::System,
    trusted_components: false,
    jobs: JobStyle::Nowhere,
    telemetry: Some(TelemetryStyle {
        thermal: "ThermalMetrics",
        power: "PowerMetrics",
        enabled: false,
    }),
    quirks: &[Quirk::NoBootOrder],
    power: PowerStyle {
        shows_guest_shutdown: true,
    },
    success: SuccessStyle::NoContent,
    starting_percent: 60,
    oem: Some(&Oem {
        name: "OpenBmc",
        root: None,
        system: None,
        manager: Some(manager),
    }),
};

fn manager(_: &Machine) -> Value {
    json!({ "@odata.type": "#OpenBMCManager.v1_0_0.Manager" })
}
