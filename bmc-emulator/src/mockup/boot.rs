//! Boot options of a recorded machine, and what they boot from.

use serde_json::Value;

use crate::fleet::spec::{DriveSpec, NicSpec};
use crate::machine::boot::{BootDevice, BootOption};
use crate::machine::drive::DriveName;
use crate::personality::MediaSlotStyle;

/// What a boot option can be about.
pub(super) struct Devices<'a> {
    pub drives: &'a [DriveSpec],
    pub nics: &'a [NicSpec],
    pub media: &'a [MediaSlotStyle],
}

/// Firmware describes boot options in words and device paths (UEFI §10) that no two vendors write alike. What is not
/// understood is a drive: that is what most boot options are, and it boots when something is on it.
pub(super) fn option(document: &Value, devices: &Devices<'_>) -> Option<BootOption> {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_lowercase();
    let reference = document["BootOptionReference"]
        .as_str()
        .or_else(|| document["Id"].as_str())?;
    let (path, name, alias) = (text("UefiDevicePath"), text("DisplayName"), text("Alias"));
    let says = |words: &[&str]| {
        words.iter().any(|word| path.contains(word) || name.contains(word)) || words.contains(&alias.as_str())
    };
    let digits = |mac: &str| mac.to_lowercase().replace([':', '-'], "");
    let by_address = devices.nics.iter().find(|nic| {
        let address = nic.mac_address.as_deref().map(digits).unwrap_or_default();
        !address.is_empty() && digits(&path).contains(&address)
    });
    let medium = |optical: bool| {
        let slot = devices.media.iter().find(|slot| slot.is_optical() == optical)?;
        Some(BootDevice::Media {
            slot: slot.id.to_owned(),
            optical,
        })
    };
    let network = |nic: &NicSpec| BootDevice::Network { nic: nic.name.clone() };
    let device = if let Some(nic) = by_address {
        Some(network(nic))
    } else if says(&["pxe", "http", "network", "ipv4", "ipv6", "nic "]) {
        devices.nics.first().map(network)
    } else if says(&["cd", "dvd", "optical"]) {
        medium(true)
    } else if says(&["usb", "removable"]) {
        medium(false)
    } else {
        devices.drives.first().map(|drive| BootDevice::Drive {
            drive: DriveName(drive.name.clone()),
        })
    };
    Some(BootOption {
        reference: reference.to_owned(),
        device: device?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_understood_as_vendors_write_them() {
        let drives = [DriveSpec {
            name: "Disk.0".to_owned(),
            ..crate::machine::hardware::default_drive()
        }];
        let nics = ["70:B5:E8:F0:52:DC", "B8:3F:D2:90:97:C4"].map(|address| NicSpec {
            name: format!("NIC {address}"),
            mac_address: Some(address.to_owned()),
            ..NicSpec::default()
        });
        let media = [MediaSlotStyle {
            id: "CD1",
            types: &["CD"],
        }];
        let devices = Devices {
            drives: &drives,
            nics: &nics,
            media: &media,
        };
        for (name, path, expected) in [
            (
                "HTTP Device 1: NIC in Slot 5",
                "VenHw(986D1755)",
                "network:NIC 70:B5:E8:F0:52:DC",
            ),
            (
                "Port 1",
                "PciRoot(0x0)/MAC(B83FD29097C4,0x1)/IPv4(0.0.0.0)",
                "network:NIC B8:3F:D2:90:97:C4",
            ),
            ("ubuntu", r"HD(1,GPT,6634D938)/\EFI\ubuntu\shimx64.efi", "drive:Disk.0"),
            ("CD_DVDRom", "VenHw_B2AD3248_02000000", "media:CD1"),
            ("Network", "VenHw_B2AD3248_05000000", "network:NIC 70:B5:E8:F0:52:DC"),
        ] {
            let document = json!({ "BootOptionReference": "Boot0001", "DisplayName": name, "UefiDevicePath": path });
            let option = option(&document, &devices).expect("understood");
            assert_eq!(
                (option.reference.as_str(), option.device.label().as_str()),
                ("Boot0001", expected),
                "{name}"
            );
        }
        let stick = json!({ "BootOptionReference": "Boot0001", "DisplayName": "USBStorage" });
        assert_eq!(option(&stick, &devices), None, "there is no slot for it");
    }
}
