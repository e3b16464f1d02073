//! Drives of a machine and how they are erased: by the BMC while the host may be off, or by a guest.

use jiff::Timestamp;
use tokio::time::Instant;

use super::drive::{Drive, DriveContent, DriveError, DriveName, Erasure};
use super::{Machine, Moment};
use crate::event::MachineEventKind;

impl Machine {
    pub(crate) fn drive(&mut self, name: &DriveName) -> Option<&mut Drive> {
        self.drives.iter_mut().find(|drive| drive.name == *name)
    }

    /// What is on a drive or volume as the guest of `generation` can reach it.
    pub(crate) fn guest_drive(&mut self, generation: u64, name: &DriveName) -> Result<&mut DriveContent, DriveError> {
        if self.generation != generation {
            return Err(DriveError::PowerLost);
        }
        self.block_device(name)
            .ok_or_else(|| DriveError::NotFound(name.clone()))
    }

    /// Starts an out-of-band erasure whose outcome `task` will tell.
    pub(crate) fn start_erase(&mut self, name: &DriveName, task: String, moment: Moment) {
        let until = moment.now + self.timing.secure_erase;
        if let Some(drive) = self.drive(name) {
            drive.erasure = Some(Erasure { until, task });
        }
        self.erase_started(name, false, moment.wall);
    }

    pub(crate) fn erase_started(&mut self, name: &DriveName, in_band: bool, wall: Timestamp) {
        self.counters.erasures_started += 1;
        self.event(
            wall,
            MachineEventKind::DriveEraseStarted {
                drive: name.0.clone(),
                in_band,
            },
        );
    }

    /// When an out-of-band erasure ends next, if it may end at all.
    pub(super) fn erasures_due(&self) -> Option<Instant> {
        if self.faults.hold_tasks() {
            return None;
        }
        let erasures = self.drives.iter().filter_map(|drive| drive.erasure.as_ref());
        erasures.map(|erasure| erasure.until).min()
    }

    /// They end now, not in the past.
    pub(super) fn release_erasures(&mut self, moment: Moment) {
        for erasure in self.drives.iter_mut().filter_map(|drive| drive.erasure.as_mut()) {
            erasure.until = erasure.until.max(moment.now);
        }
    }

    pub(super) fn finish_erasures(&mut self, moment: Moment) {
        if self.faults.hold_tasks() {
            return;
        }
        let names: Vec<DriveName> = self.drives.iter().map(|drive| drive.name.clone()).collect();
        for name in names {
            let over = |erasure: &mut Erasure| erasure.until <= moment.now;
            let Some(erasure) = self.drive(&name).and_then(|drive| drive.erasure.take_if(over)) else {
                continue;
            };
            let outcome = self.finish_erase(&name, false, moment.wall);
            self.finish_task(&erasure.task, outcome.map_err(|error| error.to_string()), moment);
        }
    }

    /// The time an erasure takes is over: the drive is blank now, or it has failed.
    pub(crate) fn finish_erase(&mut self, name: &DriveName, in_band: bool, wall: Timestamp) -> Result<(), DriveError> {
        let failure = self.faults.erase_failure(name);
        let lies = failure.is_none() && self.faults.erase_lies(name);
        let is_volume = failure.is_none() && !lies && self.overwrite_volume(name)?;
        let content = self
            .block_device(name)
            .ok_or_else(|| DriveError::NotFound(name.clone()))?;
        if failure.is_none() && !lies && !is_volume {
            *content = DriveContent::default();
        }
        match failure {
            None if lies => {
                self.event(
                    wall,
                    MachineEventKind::DriveEraseLied {
                        drive: name.0.clone(),
                        in_band,
                    },
                );
                Ok(())
            }
            None => {
                self.event(
                    wall,
                    MachineEventKind::DriveErased {
                        drive: name.0.clone(),
                        in_band,
                    },
                );
                Ok(())
            }
            Some(message) => {
                self.event(
                    wall,
                    MachineEventKind::DriveEraseFailed {
                        drive: name.0.clone(),
                        in_band,
                        message: message.clone(),
                    },
                );
                Err(DriveError::EraseFailed {
                    drive: name.clone(),
                    message,
                })
            }
        }
    }
}
