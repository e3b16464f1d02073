//! Block devices from `/sys/block`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files;
use crate::model::BlockDevice;

/// Size of the sectors in which sysfs counts, whatever those of the device are.
const SYSFS_SECTOR: u64 = 512;
/// SCSI peripheral device type of CD and DVD drives.
const SCSI_TYPE_ROM: &str = "5";

/// All devices with hardware behind them and a medium in them. Loop, RAM, device-mapper and RAID devices have none of
/// their own: they live on the devices that are listed.
pub(super) fn read(root: &Path) -> io::Result<Vec<BlockDevice>> {
    let directory = root.join("sys/block");
    directory.metadata()?;
    let devices = files::entries(&directory)?
        .into_iter()
        // A path of an NVMe multipath device is hidden; the device itself is listed.
        .filter(|(_, path)| path.join("device").exists() && !files::flag(path.join("hidden")))
        .map(|(name, path)| device(root, name, &path))
        .filter(|device| device.size_bytes > 0)
        .collect();
    Ok(devices)
}

/// Whether this is a drive for media that a tenant cannot write to.
pub(super) fn is_optical(root: &Path, name: &str) -> bool {
    files::text(directory(root, name).join("device/type")) == SCSI_TYPE_ROM
}

/// Where sysfs describes a device.
pub(super) fn directory(root: &Path, name: &str) -> PathBuf {
    root.join("sys/block").join(name)
}

fn device(root: &Path, name: String, path: &Path) -> BlockDevice {
    let first_of = |names: &[&str]| {
        names
            .iter()
            .map(|name| files::text(path.join(name)))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let number = |name: &str| files::number(path.join(name)).unwrap_or_default();
    BlockDevice {
        path: sysfs_path(root, path),
        rotational: files::flag(path.join("queue/rotational")),
        removable: files::flag(path.join("removable")),
        read_only: files::flag(path.join("ro")),
        vendor: first_of(&["device/vendor"]),
        model: first_of(&["device/model"]),
        serial: Some(first_of(&["device/serial", "serial"]))
            .filter(|serial| !serial.is_empty())
            .unwrap_or_else(|| scsi_serial(&path.join("device/vpd_pg80"))),
        wwid: first_of(&["wwid", "device/wwid"]),
        physical_block_size: number("queue/physical_block_size"),
        logical_block_size: number("queue/logical_block_size"),
        hw_sector_size: number("queue/hw_sector_size"),
        size_bytes: files::number::<u64>(path.join("size"))
            .unwrap_or_default()
            .saturating_mul(SYSFS_SECTOR),
        // -1 means unknown and does not parse.
        numa_node_id: ["device/numa_node", "device/device/numa_node"]
            .iter()
            .find_map(|name| files::number(path.join(name)))
            .unwrap_or_default(),
        name,
    }
}

/// The unit serial number page: four bytes of header, then the number.
fn scsi_serial(page: &Path) -> String {
    let bytes = fs::read(page).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(4..).unwrap_or_default())
        .trim()
        .to_owned()
}

/// The device's own path, as it is below `/`.
fn sysfs_path(root: &Path, path: &Path) -> String {
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    match resolved.strip_prefix(&root) {
        Ok(relative) => format!("/{}", relative.display()),
        Err(_) => resolved.display().to_string(),
    }
}
