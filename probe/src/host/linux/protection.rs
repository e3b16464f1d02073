//! Which drives must not be touched. What is refused here is reported as failed, never skipped: whoever wipes a machine
//! has to know that data may be left.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{block, files};
use crate::host::{Drive, HostError};

/// Refuses drives that are read-only, removable or in use.
pub(super) fn check(root: &Path, drive: &Drive) -> Result<(), HostError> {
    let name = drive.name.trim_start_matches("/dev/").replace('/', "!");
    let directory = block::directory(root, &name);
    let protected = |reason| HostError::DriveProtected {
        drive: drive.name.clone(),
        reason,
    };
    if files::flag(directory.join("ro")) {
        return Err(protected("read-only"));
    }
    if files::flag(directory.join("removable")) {
        return Err(protected("removable"));
    }
    let unreadable = |source: io::Error| HostError::Unreadable {
        what: format!("what uses {}", drive.name),
        source: source.into(),
    };
    let parts = Parts::of(&name, &directory).map_err(unreadable)?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).map_err(unreadable)?;
    let swaps = fs::read_to_string(root.join("proc/swaps")).unwrap_or_default();
    match parts
        .mounted_on(&mounts)
        .or_else(|| parts.swap(&swaps))
        .or_else(|| parts.holder.clone())
    {
        Some(by) => Err(HostError::DriveInUse {
            drive: drive.name.clone(),
            by,
        }),
        None => Ok(()),
    }
}

/// A drive and its partitions.
struct Parts {
    /// `/dev/…`
    paths: BTreeSet<String>,
    /// `major:minor`
    numbers: BTreeSet<String>,
    /// Who has built a device on top, such as LVM or RAID.
    holder: Option<String>,
}

impl Parts {
    fn of(name: &str, directory: &Path) -> io::Result<Self> {
        let mut parts = Self {
            paths: BTreeSet::new(),
            numbers: BTreeSet::new(),
            holder: None,
        };
        parts.add(name, directory)?;
        for (partition, path) in files::entries(directory)? {
            if path.join("partition").exists() {
                parts.add(&partition, &path)?;
            }
        }
        Ok(parts)
    }

    fn add(&mut self, name: &str, directory: &Path) -> io::Result<()> {
        self.paths.insert(format!("/dev/{}", name.replace('!', "/")));
        let number = files::text(directory.join("dev"));
        if !number.is_empty() {
            self.numbers.insert(number);
        }
        if let Some((holder, _)) = files::entries(&directory.join("holders"))?.into_iter().next() {
            self.holder = Some(format!("part of {holder}"));
        }
        Ok(())
    }

    /// proc_pid_mountinfo(5): number, parent, major:minor, root, mount point, options, tags, `-`, type, source.
    fn mounted_on(&self, mountinfo: &str) -> Option<String> {
        mountinfo.lines().find_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let fields: Vec<&str> = mount.split(' ').collect();
            let source = filesystem.split(' ').nth(1)?;
            // Some filesystems mount under a number of their own, so that only the source names the device.
            let is_ours = self.numbers.contains(*fields.get(2)?) || self.paths.contains(source);
            is_ours.then(|| format!("mounted on {}", fields.get(4).copied().unwrap_or("?")))
        })
    }

    fn swap(&self, swaps: &str) -> Option<String> {
        let is_ours = |line: &str| {
            line.split_whitespace()
                .next()
                .is_some_and(|path| self.paths.contains(path))
        };
        swaps.lines().any(is_ours).then(|| "used as swap".to_owned())
    }
}
