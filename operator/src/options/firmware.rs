//! The flags of settings and firmware.

use super::GoDuration;

/// Settings and firmware of BIOS and BMC.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Firmware")]
pub struct FirmwareOptions {
    /// Interval between two looks at what others do: an approval, a BMC that is away.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub maintenance_resync_interval: GoDuration,

    /// Interval between two looks whether applied settings and completed versions are still in force.
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub settings_drift_interval: GoDuration,

    /// How often failed settings and versions are tried again by themselves, unless they say it.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..), value_name = "N")]
    pub default_failed_auto_retry_count: i32,

    /// How long the settings of one item of a flow may take until they are in force.
    #[arg(long, default_value = "2h", value_name = "DURATION")]
    pub bios_setting_timeout: GoDuration,

    /// How long a BMC may take to come back from the restart before the work.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    pub bmc_restart_timeout: GoDuration,

    /// How long the task of a firmware update may take.
    #[arg(long, default_value = "2h", value_name = "DURATION")]
    pub firmware_task_timeout: GoDuration,

    /// How long such a task has to stand still before it counts as waiting for a restart, or to be missing before it counts as gone. The
    /// machine is not switched off before.
    #[arg(long, default_value = "5m", value_name = "DURATION")]
    pub firmware_staging_time: GoDuration,

    /// How long a machine may take after an update until it reports the new version.
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub firmware_verification_timeout: GoDuration,
}
