//! Volumes of a machine: how they come, go and are initialized, and what that leaves on their drives.
//!
//! - Creating a volume hides its drives from the host. The volume reads as blank: a controller clears its beginning and its
//!   end. Whatever was on the drives before stays on them.
//! - Deleting a volume takes away what describes it. What a host has written stays on the drives, and each of them shows
//!   it again.
//! - `Volume.Initialize` is one or the other: a fast one makes the volume read as blank, a slow one overwrites everything.

use tokio::time::Instant;

use super::drive::{Drive, DriveContent, DriveError, DriveName};
use super::volume::{NewVolume, Volume};
use super::{Machine, Moment};
use crate::event::MachineEventKind;
use crate::fleet::spec::VolumeSpec;
use crate::identity;

/// What is going to be done to the volumes of a machine, and what task shows it.
#[derive(Debug)]
pub(crate) struct VolumeJob {
    pub task: String,
    /// Absent: at the next POST.
    pub due: Option<Instant>,
    pub change: VolumeChange,
}

#[derive(Clone, Debug)]
pub(crate) enum VolumeChange {
    Create(NewVolume),
    Delete { id: String },
    Initialize { id: String, is_fast: bool },
}

impl VolumeChange {
    /// Whether it is about this drive.
    fn concerns(&self, drive: &DriveName) -> bool {
        matches!(self, VolumeChange::Create(new) if new.members.contains(drive))
    }
}

impl Machine {
    pub(crate) fn volume(&self, id: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.id == id)
    }

    /// The volume that a drive is a member of.
    pub(crate) fn volume_of(&self, drive: &DriveName) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.members.contains(drive))
    }

    /// Whether a volume of this drive is waiting to be created.
    pub(crate) fn is_promised(&self, drive: &DriveName) -> bool {
        self.volume_jobs.iter().any(|job| job.change.concerns(drive))
    }

    /// What a host finds under this name: a drive that is not hidden behind a volume, or a volume that works.
    pub(crate) fn block_device(&mut self, name: &DriveName) -> Option<&mut DriveContent> {
        if let Some(index) = self.volumes.iter().position(|volume| volume.device == *name) {
            let works = self.volume_works(&self.volumes[index]);
            return works.then(|| &mut self.volumes[index].content);
        }
        if self.volume_of(name).is_some() {
            return None;
        }
        let drive = self.drive(name).filter(|drive| !drive.absent)?;
        Some(&mut drive.content)
    }

    /// How many members of a volume are not plugged in.
    pub(crate) fn missing_members(&self, volume: &Volume) -> usize {
        let is_missing = |drive: &&Drive| drive.absent && volume.members.contains(&drive.name);
        self.drives.iter().filter(is_missing).count()
    }

    pub(crate) fn volume_works(&self, volume: &Volume) -> bool {
        volume.raid.survives(self.missing_members(volume), volume.members.len())
    }

    /// Does it now.
    pub(crate) fn change_volumes(&mut self, change: VolumeChange, moment: Moment) {
        match change {
            VolumeChange::Create(new) => {
                let (controller, volume) = (new.controller.clone(), new.id.clone());
                self.create_volume(new);
                self.event(moment.wall, MachineEventKind::VolumeCreated { controller, volume });
            }
            VolumeChange::Delete { id } => self.delete_volume(&id, moment),
            VolumeChange::Initialize { id, is_fast } => self.initialize_volume(&id, is_fast, moment),
        }
    }

    /// Counted, and never used twice.
    pub(crate) fn new_volume_id(&mut self) -> String {
        self.volumes_created += 1;
        self.volumes_created.to_string()
    }

    /// Whether something is going to be done to it.
    pub(crate) fn is_volume_busy(&self, id: &str) -> bool {
        self.volume_jobs.iter().any(|job| match &job.change {
            VolumeChange::Create(_) => false,
            VolumeChange::Delete { id: other } | VolumeChange::Initialize { id: other, .. } => other == id,
        })
    }

    /// A volume that the fleet file asks for.
    pub(super) fn delivered_volume(&mut self, spec: &VolumeSpec) -> NewVolume {
        let members: Vec<DriveName> = spec.drives.iter().map(|name| DriveName(name.clone())).collect();
        let sizes = self.drives.iter().filter(|drive| members.contains(&drive.name));
        let smallest = sizes.map(|drive| drive.size_bytes).min().unwrap_or(0);
        let id = self.new_volume_id();
        NewVolume {
            name: spec.name.clone().unwrap_or_else(|| format!("Volume {id}")),
            controller: spec.controller.clone(),
            raid: spec.raid_type,
            capacity_bytes: spec.raid_type.capacity_bytes(members.len(), smallest),
            members,
            id,
        }
    }

    pub(super) fn create_volume(&mut self, new: NewVolume) {
        let path = [self.hardware.name.as_str(), "volume", new.id.as_str()];
        let device = self.free_device_name();
        let volume = Volume {
            serial_number: identity::hex(self.seed, &path, 32),
            wwid: format!("naa.6{}", identity::hex(self.seed, &path, 31)),
            device: device.clone(),
            id: new.id,
            name: new.name,
            controller: new.controller,
            raid: new.raid,
            members: new.members,
            capacity_bytes: new.capacity_bytes,
            content: DriveContent::default(),
        };
        self.volumes.push(volume);
        self.boot.add_drive(device);
    }

    fn delete_volume(&mut self, id: &str, moment: Moment) {
        let Some(index) = self.volumes.iter().position(|volume| volume.id == id) else {
            return;
        };
        let volume = self.volumes.remove(index);
        self.leave_on_members(&volume.members, &volume.content);
        self.boot.remove_drive(&volume.device);
        let (controller, volume) = (volume.controller, volume.id);
        self.event(moment.wall, MachineEventKind::VolumeDeleted { controller, volume });
    }

    /// Nothing of a volume can be read any more; `is_fast` decides whether nothing is left either.
    fn initialize_volume(&mut self, id: &str, is_fast: bool, moment: Moment) {
        let Some(index) = self.volumes.iter().position(|volume| volume.id == id) else {
            return;
        };
        let content = std::mem::take(&mut self.volumes[index].content);
        if is_fast {
            let members = self.volumes[index].members.clone();
            self.leave_on_members(&members, &content);
        } else {
            self.overwrite_members(index);
        }
        let (controller, volume) = (self.volumes[index].controller.clone(), id.to_owned());
        self.event(
            moment.wall,
            MachineEventKind::VolumeInitialized {
                controller,
                volume,
                is_fast,
            },
        );
    }

    /// What a host has written to a volume stays on its drives.
    fn leave_on_members(&mut self, members: &[DriveName], content: &DriveContent) {
        for member in members {
            if let Some(drive) = self.drive(member) {
                drive.content.records.extend(content.records.clone());
            }
        }
    }

    /// Members that are not plugged in keep what they have.
    fn overwrite_members(&mut self, index: usize) {
        for member in self.volumes[index].members.clone() {
            if let Some(drive) = self.drive(&member).filter(|drive| !drive.absent) {
                drive.content = DriveContent::default();
            }
        }
    }

    /// A host has overwritten a volume from its beginning to its end, if `device` is one.
    pub(super) fn overwrite_volume(&mut self, device: &DriveName) -> Result<bool, DriveError> {
        let Some(index) = self.volumes.iter().position(|volume| volume.device == *device) else {
            return Ok(false);
        };
        if !self.volume_works(&self.volumes[index]) {
            return Err(DriveError::NotFound(device.clone()));
        }
        self.volumes[index].content = DriveContent::default();
        self.overwrite_members(index);
        Ok(true)
    }

    /// As Linux names SCSI disks, one letter; a machine with more of them has none to boot from left anyway.
    fn free_device_name(&self) -> DriveName {
        let taken = |name: &DriveName| {
            self.drives.iter().any(|drive| drive.name == *name)
                || self.volumes.iter().any(|volume| volume.device == *name)
        };
        let letters = ('a'..='z').map(|letter| DriveName(format!("sd{letter}")));
        letters
            .chain((0..).map(|number| DriveName(format!("sdz{number}"))))
            .find(|name| !taken(name))
            .unwrap_or_else(|| DriveName("sd".to_owned()))
    }

    /// When the next job ends by itself.
    pub(super) fn volume_jobs_due(&self) -> Option<Instant> {
        if self.faults.hold_tasks() {
            return None;
        }
        self.volume_jobs.iter().filter_map(|job| job.due).min()
    }

    pub(super) fn finish_volume_jobs(&mut self, moment: Moment) {
        if self.faults.hold_tasks() {
            return;
        }
        let is_due = |job: &mut VolumeJob| job.due.is_some_and(|due| due <= moment.now);
        let due: Vec<VolumeJob> = self.volume_jobs.extract_if(.., is_due).collect();
        for job in due {
            self.change_volumes(job.change, moment);
            self.finish_task(&job.task, Ok(()), moment);
        }
    }

    /// POST has begun: what was staged is done. The task ends with all others that waited for POST.
    pub(super) fn apply_staged_volumes(&mut self, moment: Moment) {
        let staged: Vec<VolumeJob> = self.volume_jobs.extract_if(.., |job| job.due.is_none()).collect();
        for job in staged {
            self.change_volumes(job.change, moment);
        }
    }

    /// A fault is gone that may have held jobs back. They end now, not in the past.
    pub(super) fn release_volume_jobs(&mut self, moment: Moment) {
        for due in self.volume_jobs.iter_mut().filter_map(|job| job.due.as_mut()) {
            *due = (*due).max(moment.now);
        }
    }
}
