//! What the kinds that change firmware and its settings have in common: contract section 4.3.
//!
//! | module | subject |
//! |---|---|
//! | [`names`] | long names, made to fit. Pure |
//! | [`object`] | an object that works in maintenances, and how it is written |
//! | [`maintenance`] | its ServerMaintenances: asked for, waited for, given back |
//! | [`pass`] | one pass over such an object |
//! | [`registries`] | attribute registries that were read |
//! | [`restart`] | the restart of the BMC before the work |
//! | [`retry`] | when what failed is tried again. Pure |
//! | [`targets`] | which objects mean which server or BMC |
//! | [`versions`] | versions as vendors write them. Pure |

pub mod maintenance;
pub mod names;
pub mod object;
pub mod pass;
pub mod registries;
pub mod restart;
pub mod retry;
pub mod targets;
pub mod versions;

use std::time::Duration;

use jiff::Timestamp;

use crate::options::Options;

/// How long things may take, from flags.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Between two looks at something that is under way.
    pub interval: Duration,
    /// Between two looks at something that others do.
    pub resync: Duration,
    /// Between two looks at settings that are applied.
    pub drift_interval: Duration,
    /// The restart of a BMC.
    pub restart: Duration,
    /// One item of a flow of settings.
    pub settings: Duration,
    /// A task of the BMC.
    pub task: Duration,
    /// How long a task has to say the same before it counts as waiting for a restart, or one that cannot be found as gone.
    pub staging: Duration,
    /// From the end of a task until the machine reports the new version.
    pub verification: Duration,
    /// `--default-failed-auto-retry-count`.
    pub retries: i32,
}

impl From<&Options> for Limits {
    fn from(options: &Options) -> Self {
        let firmware = &options.firmware;
        Self {
            interval: options.controllers.resource_polling_interval.get(),
            resync: firmware.maintenance_resync_interval.get(),
            drift_interval: firmware.settings_drift_interval.get(),
            restart: firmware.bmc_restart_timeout.get(),
            settings: firmware.bios_setting_timeout.get(),
            task: firmware.firmware_task_timeout.get(),
            staging: firmware.firmware_staging_time.get(),
            verification: firmware.firmware_verification_timeout.get(),
            retries: firmware.default_failed_auto_retry_count,
        }
    }
}

/// Time that has passed since; none if the clock was set back.
pub fn since(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time)).unwrap_or_default()
}
