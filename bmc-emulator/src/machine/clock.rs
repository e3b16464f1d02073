//! The clocks of a machine: the BMC's, which can be set, and the host's. Either can have lost its battery.

use jiff::{SignedDuration, Timestamp};

use super::{Machine, Moment};

impl Machine {
    /// This moment as the BMC dates it.
    pub(crate) fn bmc_moment(&self, moment: Moment) -> Moment {
        Moment {
            wall: self.bmc_time(moment.wall),
            ..moment
        }
    }

    /// What the BMC's clock shows at `wall`. Without a battery clocks start at zero when the BMC does.
    pub(crate) fn bmc_time(&self, wall: Timestamp) -> Timestamp {
        let time = if self.faults.clock_is_reset() {
            self.without_battery(wall)
        } else {
            wall
        };
        time.checked_add(self.clock_offset).unwrap_or(time)
    }

    /// What the host's clock shows at `wall`.
    pub(crate) fn host_time(&self, wall: Timestamp) -> Timestamp {
        if self.faults.host_clock_is_reset() {
            self.without_battery(wall)
        } else {
            wall
        }
    }

    fn without_battery(&self, wall: Timestamp) -> Timestamp {
        let uptime = wall.duration_since(self.bmc_started).max(SignedDuration::ZERO);
        Timestamp::UNIX_EPOCH.checked_add(uptime).unwrap_or(wall)
    }
}
