//! A BMC that does what the specification says.

use std::time::Duration;

use super::*;

pub(crate) static GENERIC: Personality = Personality {
    system_id: "1",
    manager_id: "BMC",
    chassis_id: "1",
    manager_nic: "eth0",
    manufacturer: "Contoso",
    ssh_reset_command: None,
    model: "Contoso 3500",
    vendor: "Contoso",
    product: "Contoso Management Controller",
    manager_model: "Contoso BMC 2",
    manager_firmware: "1.45.455b66-rev4",
    bios_version: "P79 v1.45",
    firmware_ids: FirmwareIds {
        bios: "BIOS",
        bmc: "BMC",
    },
    multipart_push_uri: "/redfish/v1/UpdateService/MultipartUpload",
    mac_prefix: LOCALLY_ADMINISTERED,
    http2: false,
    server_header: None,
    base_registry: "Base.1.19",
    annotates_counts: false,
    error_summary: None,
    storage_id: "1",
    raid: RaidStyle::SYNCHRONOUS,
    timing: DefaultTiming {
        power_on: Duration::from_secs(3),
        power_off: Duration::from_secs(2),
        post: Duration::from_secs(60),
        graceful_shutdown: Duration::from_secs(20),
        secure_erase: Duration::from_secs(90),
        bmc_reset: Duration::from_secs(90),
        boot_retry: Duration::from_secs(5),
        os_boot: Duration::from_secs(20),
        firmware_update: Duration::from_secs(180),
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
    manager_reset_types: &["ForceRestart", "GracefulRestart"],
    action_info: &[
        "ComputerSystem.Reset",
        "Drive.SecureErase",
        "Manager.Reset",
        "Manager.ResetToDefaults",
        "SecureBoot.ResetKeys",
        "UpdateService.SimpleUpdate",
        "Volume.Initialize",
    ],
    bios_defaults: &[
        BiosDefault {
            name: "AdminPhone",
            value: BiosValue::Text(""),
        },
        BiosDefault {
            name: "BootMode",
            value: BiosValue::Enumeration(&["Uefi", "LegacyBios"]),
        },
        BiosDefault {
            name: "EmbeddedSata",
            value: BiosValue::Enumeration(&["Ahci", "Raid", "Off"]),
        },
        BiosDefault {
            name: "HyperThreading",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
        BiosDefault {
            name: "NicBoot1",
            value: BiosValue::Enumeration(&["NetworkBoot", "Disabled"]),
        },
        BiosDefault {
            name: "PowerProfile",
            value: BiosValue::Enumeration(&["BalancedPowerPerf", "MaxPerf", "MinPower"]),
        },
        BiosDefault {
            name: "PostDelaySeconds",
            value: BiosValue::Integer {
                default: 0,
                lower: 0,
                upper: 60,
            },
        },
        BiosDefault {
            name: "Virtualization",
            value: BiosValue::Enumeration(&["Enabled", "Disabled"]),
        },
    ],
    bios_registry: "BiosAttributeRegistry.1.0.0",
    bios_settings: "Settings",
    system_settings: None,
    sessions: SessionLimits {
        maximum: 32,
        timeout_seconds: 1800,
    },
    accounts: AccountStyle::Collection {
        maximum_password_length: 64,
    },
    custom_roles: true,
    minimum_password_length: 1,
    lockout: Lockout::OFF,
    tasks: TaskStyle {
        job_ids: false,
        kept_for: Duration::from_secs(24 * 3600),
    },
    boot_order: BootOrderStyle::Immediate,
    boot_enabled: &OverrideEnabled::ALL,
    boot_targets: &BootTarget::ALL,
    query: QuerySupport {
        expand_levels: 3,
        expand_links: true,
        filter: true,
        select: true,
        only: true,
        excerpt: true,
        paging: true,
    },
    environment: Environment::Both,
    media: MediaStyle {
        place: Place::System,
        slots: &[
            MediaSlotStyle {
                id: "Cd",
                types: &["CD", "DVD"],
            },
            MediaSlotStyle {
                id: "Usb",
                types: &["USBStick"],
            },
        ],
    },
    log: LogStyle {
        place: Place::System,
        id: "SEL",
    },
    network_adapters: true,
    pcie_devices: PcieHolder::Chassis,
    trusted_components: true,
    jobs: JobStyle::Service,
    telemetry: Some(TelemetryStyle {
        thermal: "ThermalMetrics",
        power: "PowerMetrics",
        enabled: true,
    }),
    quirks: &[],
    power: PowerStyle {
        shows_guest_shutdown: true,
    },
    success: SuccessStyle::NoContent,
    starting_percent: 20,
    oem: None,
};
