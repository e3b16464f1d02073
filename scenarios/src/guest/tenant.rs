//! A tenant's workload: installs itself when it was delivered over the network, runs from its drive afterwards, and
//! leaves data on every drive that says whose it is.
//!
//! It only ever adds to a drive, as a real installation does: what an earlier tenant left stays readable until somebody
//! erases it, which is how a missing wipe comes to light.

use std::collections::BTreeMap;
use std::fmt;

use bmc_emulator::{DriveContent, DriveError, InBand, InBandDrive};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::warn;

/// Prefix of the records that hold a tenant's data; the label follows.
const DATA_RECORD: &str = "tenant-data/";
/// How much of the hash is kept: enough to tell tenants apart, readable in a report.
const HASH_DIGITS: usize = 16;

/// Whose data it is: the image that ran, and the configuration it ran with. Two tenancies have the same label only if
/// both are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantLabel {
    image: String,
    ignition: String,
}

impl TenantLabel {
    /// The label of a tenant that boots `image` (a normalised OCI reference) with an ignition. An oracle gets the same
    /// label from the objects of the claim.
    #[must_use]
    pub fn new(image: &str, ignition: Option<&Value>) -> Self {
        let ignition = match ignition {
            None => "none".to_owned(),
            Some(document) => {
                let hash = Sha256::digest(document.to_string());
                hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..HASH_DIGITS].to_owned()
            }
        };
        Self {
            image: image.to_owned(),
            ignition,
        }
    }

    /// Whether the last part of the image's name is this.
    pub(super) fn is_of(&self, name: &str) -> bool {
        let without_version = self.image.split(['@', ':']).next().unwrap_or_default();
        // A port of the registry looks like a tag.
        self.image.contains(&format!("/{name}:")) || without_version.ends_with(&format!("/{name}"))
    }

    /// The label found in the record of a drive.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (image, ignition) = std::str::from_utf8(bytes).ok()?.rsplit_once('#')?;
        Some(Self {
            image: image.to_owned(),
            ignition: ignition.to_owned(),
        })
    }

    /// The labels of all tenants with data on a drive.
    #[must_use]
    pub fn all_on(content: &DriveContent) -> Vec<Self> {
        let labels = content.records.keys().filter_map(|name| name.strip_prefix(DATA_RECORD));
        labels.filter_map(|label| Self::from_bytes(label.as_bytes())).collect()
    }

    /// The image of the label.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Names the image as the boot script does that delivered it.
    pub(super) fn of_script(script: &str, ignition: Option<&Value>) -> Self {
        let image = image_of_script(script).unwrap_or_else(|| "unknown".to_owned());
        Self::new(&image, ignition)
    }
}

impl fmt::Display for TenantLabel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.image, self.ignition)
    }
}

/// Puts the image and its files on the boot drive, and data on every drive.
pub(super) fn install(
    machine: &InBand,
    label: &TenantLabel,
    boot_disk: Option<&str>,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<(), DriveError> {
    let drives = machine.drives();
    let wanted = boot_disk.and_then(|path| drives.iter().find(|drive| drive.path == path));
    if let Some(boot_drive) = wanted.or(drives.first()) {
        let mut content = machine
            .read(&boot_drive.name)?
            .with(DriveContent::BOOT_IMAGE, label.to_string());
        content.records.extend(files);
        machine.write(&boot_drive.name, add_data(content, label))?;
    }
    work(machine, label)
}

/// Leaves data on every drive that has none of this tenant yet.
pub(super) fn work(machine: &InBand, label: &TenantLabel) -> Result<(), DriveError> {
    for drive in machine.drives() {
        match leave_data(machine, &drive, label) {
            Ok(()) => {}
            Err(DriveError::PowerLost) => return Err(DriveError::PowerLost),
            Err(error) => {
                warn!(machine = machine.machine_name(), drive = drive.path, %error, "tenant data not written")
            }
        }
    }
    Ok(())
}

fn leave_data(machine: &InBand, drive: &InBandDrive, label: &TenantLabel) -> Result<(), DriveError> {
    let content = machine.read(&drive.name)?;
    if TenantLabel::all_on(&content).contains(label) {
        return Ok(());
    }
    machine.write(&drive.name, add_data(content, label))
}

fn add_data(content: DriveContent, label: &TenantLabel) -> DriveContent {
    content.with(format!("{DATA_RECORD}{label}"), format!("data of {label}"))
}

/// The boot server's scripts name their image in the URL of the kernel.
fn image_of_script(script: &str) -> Option<String> {
    let url = script
        .lines()
        .find_map(|line| line.trim().strip_prefix("set kernel-url "))?;
    let (_, query) = url.split_once('?')?;
    let parameter = |name: &str| {
        let value = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)?
            .1;
        percent_decode_str(value)
            .decode_utf8()
            .ok()
            .map(|text| text.into_owned())
    };
    let (name, version) = (parameter("imageName")?, parameter("version")?);
    // Only a digest has a colon in it.
    let separator = if version.contains(':') { '@' } else { ':' };
    Some(format!("{name}{separator}{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot_server::image::ImageReference;
    use serde_json::json;

    #[test]
    fn labels_tell_tenants_apart_and_survive_the_drive() {
        let a = TenantLabel::new("ghcr.io/os:1", Some(&json!({ "a": 1 })));
        let b = TenantLabel::new("ghcr.io/os:1", Some(&json!({ "a": 2 })));
        let c = TenantLabel::new("ghcr.io/os:1", None);
        assert!(a != b && b != c);
        let content = [&a, &b].into_iter().fold(DriveContent::default(), add_data);
        let mut expected = vec![a.clone(), b];
        expected.sort();
        assert_eq!(TenantLabel::all_on(&content), expected);
        assert_eq!(TenantLabel::from_bytes(a.to_string().as_bytes()), Some(a));
        assert_eq!(TenantLabel::from_bytes(b"\xff"), None);
        assert_eq!(TenantLabel::from_bytes(b"ghcr.io/os:1"), None);
    }

    #[test]
    fn the_image_is_the_one_of_the_boot_script() {
        for text in ["ghcr.io/a/os:1.0", &format!("ghcr.io/a/os@sha256:{}", "0f".repeat(32))] {
            let image = ImageReference::parse(text).expect("a reference");
            let script = crate::boot_server::script::boot("http://boot", &image, true);
            assert_eq!(TenantLabel::of_script(&script, None).image(), text);
        }
        assert_eq!(TenantLabel::of_script("#!ipxe\nboot\n", None).image(), "unknown");
    }
}
