//! A Gigabyte server with an AMI MegaRAC BMC. What it does beside the specification is in `quirk.rs`.

use std::time::Duration;

use super::*;

pub(crate) static AMI: Personality = Personality {
    system_id: "Self",
    manager_id: "Self",
    chassis_id: "Self",
    manager_nic: "eth0",
    manufacturer: "GIGABYTE",
    ssh_reset_command: None,
    model: "R282-Z93",
    vendor: "AMI",
    product: "AMI Redfish Server",
    manager_model: "410810600",
    manager_firmware: "13.06.05",
    bios_version: "M21",
    firmware_ids: FirmwareIds {
        bios: "BIOS",
        bmc: "BMCImage1",
    },
    multipart_push_uri: "/redfish/v1/UpdateService/upload",
    mac_prefix: [0xb4, 0x2e, 0x99],
    http2: false,
    server_header: Some("AMI MegaRAC Redfish Service"),
    base_registry: "Base.1.13",
    annotates_counts: true,
    error_summary: None,
    storage_id: "StorageUnit_0",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(6),
        power_off: Duration::from_secs(5),
        post: Duration::from_secs(150),
        graceful_shutdown: Duration::from_secs(25),
        secure_erase: Duration::from_secs(120),
        bmc_reset: Duration::from_secs(150),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(300),
    },
    reset_types: &[
        ResetType::On,
        ResetType::ForceOff,
        ResetType::GracefulShutdown,
        ResetType::ForceRestart,
        ResetType::PowerCycle,
    ],
    manager_reset_types: &["ForceRestart"],
    action_info: &[
        "ComputerSystem.Reset",
        "Manager.Reset",
        "Manager.ResetToDefaults",
        "UpdateService.SimpleUpdate",
    ],
    bios_defaults: &[
        BiosDefault {
            name: "FBO001",
            value: BiosValue::Enumeration(&["UEFI", "LEGACY"]),
        },
        BiosDefault {
            name: "IPMI100",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "PCIS007",
            value: BiosValue::Enumeration(&["PCIS007Enabled", "PCIS007Disabled"]),
        },
        BiosDefault {
            name: "SETUP001",
            value: BiosValue::Text(""),
        },
    ],
    bios_registry: "BiosAttributeRegistry.5.19.0",
    bios_settings: "SD",
    system_settings: Some("SD"),
    sessions: SessionLimits {
        maximum: 18,
        timeout_seconds: 300,
    },
    accounts: AccountStyle::Collection {
        maximum_password_length: 20,
    },
    custom_roles: true,
    minimum_password_length: 8,
    lockout: Lockout::OFF,
    tasks: TaskStyle {
        job_ids: false,
        kept_for: Duration::from_secs(3600),
    },
    boot_order: BootOrderStyle::Staged,
    boot_enabled: &OverrideEnabled::ALL,
    boot_targets: &BootTarget::ALL,
    query: QuerySupport {
        expand_levels: 5,
        expand_links: true,
        filter: true,
        select: true,
        only: false,
        excerpt: false,
        paging: true,
    },
    environment: Environment::Legacy,
    media: MediaStyle {
        place: Place::Manager,
        slots: &[
            MediaSlotStyle {
                id: "CD1",
                types: &["CD", "DVD"],
            },
            MediaSlotStyle {
                id: "HD1",
                types: &["USBStick"],
            },
        ],
    },
    log: LogStyle {
        place: Place::Manager,
        id: "SEL",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: false,
    jobs: JobStyle::Nowhere,
    telemetry: None,
    quirks: &[Quirk::BootOnlyInSettings, Quirk::PatchNeedsIfMatch],
    power: PowerStyle {
        shows_guest_shutdown: false,
    },
    success: SuccessStyle::NoContent,
    starting_percent: 40,
    oem: None,
};
