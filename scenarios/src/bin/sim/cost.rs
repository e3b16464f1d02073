//! What a simulation costs its process.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use scenarios::report::Millis;
use serde::{Deserialize, Serialize};

/// Processor time and memory of one process, its whole life long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub processor_time: Millis,
    /// At its largest.
    pub memory_bytes: u64,
}

impl Cost {
    /// So far. Zero where the system does not tell.
    pub(crate) fn of_this_process() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self::default();
        };
        Self {
            processor_time: Millis(millis(usage.user_time()) + millis(usage.system_time())),
            // Linux counts in KiB.
            memory_bytes: u64::try_from(usage.max_rss()).unwrap_or_default() * 1024,
        }
    }
}

fn millis(time: TimeVal) -> u64 {
    u64::try_from(time.tv_sec() * 1000 + time.tv_usec() / 1000).unwrap_or_default()
}
