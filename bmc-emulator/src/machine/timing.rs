//! The delays of one machine, after the fleet file and the time scale have been applied.

use std::time::Duration;

use crate::fleet::spec::TimingSpec;
use crate::personality::DefaultTiming;

#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub power_on: Duration,
    pub power_off: Duration,
    pub post: Duration,
    pub graceful_shutdown: Duration,
    pub secure_erase: Duration,
    pub bmc_reset: Duration,
    pub boot_retry: Duration,
    pub os_boot: Duration,
    pub firmware_update: Duration,
}

impl Timing {
    /// `time_scale` must be finite and positive (checked when the fleet is built).
    pub(crate) fn new(spec: &TimingSpec, defaults: &DefaultTiming, time_scale: f64) -> Self {
        let scaled = |duration: Duration| duration.div_f64(time_scale);
        let pick = |own: Option<crate::fleet::duration::DurationText>, default: Duration| {
            scaled(own.map_or(default, |text| text.0))
        };
        Self {
            power_on: pick(spec.power_on, defaults.power_on),
            power_off: pick(spec.power_off, defaults.power_off),
            post: pick(spec.post, defaults.post),
            graceful_shutdown: pick(spec.graceful_shutdown, defaults.graceful_shutdown),
            secure_erase: pick(spec.secure_erase, defaults.secure_erase),
            bmc_reset: pick(spec.bmc_reset, defaults.bmc_reset),
            boot_retry: pick(spec.boot_retry, defaults.boot_retry),
            os_boot: pick(spec.os_boot, defaults.os_boot),
            firmware_update: pick(spec.firmware_update, defaults.firmware_update),
        }
    }
}
