//! RAID volumes: what a storage controller makes of several drives, and the only thing of them that a host sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drive::{DriveContent, DriveName};

/// Redfish `RAIDType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RaidType {
    RAID0,
    RAID1,
    RAID5,
    RAID6,
    RAID10,
}

impl RaidType {
    pub(crate) const ALL: [RaidType; 5] = [
        RaidType::RAID0,
        RaidType::RAID1,
        RaidType::RAID5,
        RaidType::RAID6,
        RaidType::RAID10,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RaidType::RAID0 => "RAID0",
            RaidType::RAID1 => "RAID1",
            RaidType::RAID5 => "RAID5",
            RaidType::RAID6 => "RAID6",
            RaidType::RAID10 => "RAID10",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|raid| raid.as_str() == text)
    }

    /// Whether it can be made of so many drives.
    pub(crate) fn takes(self, drives: usize) -> bool {
        match self {
            RaidType::RAID0 => drives >= 1,
            RaidType::RAID1 => drives == 2,
            RaidType::RAID5 => drives >= 3,
            RaidType::RAID6 => drives >= 4,
            RaidType::RAID10 => drives >= 4 && drives.is_multiple_of(2),
        }
    }

    /// What fits on it, if the smallest of its drives has `smallest` bytes.
    pub(crate) fn capacity_bytes(self, drives: usize, smallest: u64) -> u64 {
        let used = match self {
            RaidType::RAID0 => drives,
            RaidType::RAID1 => 1,
            RaidType::RAID5 => drives.saturating_sub(1),
            RaidType::RAID6 => drives.saturating_sub(2),
            RaidType::RAID10 => drives / 2,
        };
        // The number of bays of a server.
        smallest * used as u64
    }

    /// Whether it still works without so many of its drives, in the best case.
    pub(crate) fn survives(self, missing: usize, drives: usize) -> bool {
        missing
            <= match self {
                RaidType::RAID0 => 0,
                RaidType::RAID1 | RaidType::RAID5 => 1,
                RaidType::RAID6 => 2,
                RaidType::RAID10 => drives / 2,
            }
    }
}

/// A volume as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewVolume {
    pub id: String,
    pub name: String,
    pub controller: String,
    pub raid: RaidType,
    pub members: Vec<DriveName>,
    pub capacity_bytes: u64,
}

/// A volume of a machine.
#[derive(Debug)]
pub(crate) struct Volume {
    pub id: String,
    /// `DisplayName`.
    pub name: String,
    /// Under which name the host finds it.
    pub device: DriveName,
    pub controller: String,
    pub raid: RaidType,
    pub members: Vec<DriveName>,
    pub capacity_bytes: u64,
    pub serial_number: String,
    pub wwid: String,
    /// What a host reads. It is on the members as well, and stays there when the volume is deleted.
    pub content: DriveContent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_raid_takes_and_gives() {
        for (raid, drives, expected) in [
            (RaidType::RAID0, 1, Some(10)),
            (RaidType::RAID0, 3, Some(30)),
            (RaidType::RAID1, 2, Some(10)),
            (RaidType::RAID1, 3, None),
            (RaidType::RAID5, 2, None),
            (RaidType::RAID5, 4, Some(30)),
            (RaidType::RAID6, 4, Some(20)),
            (RaidType::RAID10, 5, None),
            (RaidType::RAID10, 6, Some(30)),
        ] {
            let capacity = raid.takes(drives).then(|| raid.capacity_bytes(drives, 10));
            assert_eq!(capacity, expected, "{raid:?} of {drives}");
        }
        assert!(RaidType::RAID6.survives(2, 5) && !RaidType::RAID5.survives(2, 5));
    }
}
