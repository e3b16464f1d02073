//! Network adapters: interfaces with a device behind them.

use std::fs;
use std::io;
use std::path::Path;

use super::files;
use crate::model::Nic;

const UNKNOWN: &str = "unknown";

pub(super) fn read(root: &Path) -> io::Result<Vec<Nic>> {
    let nics = files::entries(&root.join("sys/class/net"))?
        .into_iter()
        .filter(|(_, path)| path.join("device").exists())
        .map(|(name, path)| Nic {
            mac: files::text(path.join("address")),
            pci_address: pci_address(&path.join("device")).unwrap_or_else(|| UNKNOWN.to_owned()),
            // -1, or unreadable, without a link.
            speed: match files::number::<i64>(path.join("speed")) {
                Some(megabits) if megabits > 0 => format!("{megabits}Mb/s"),
                _ => UNKNOWN.to_owned(),
            },
            name,
            ..Nic::default()
        })
        .collect();
    Ok(nics)
}

/// The nearest PCI function above a device; a virtio adapter sits one level below its own.
fn pci_address(device: &Path) -> Option<String> {
    let path = fs::canonicalize(device).ok()?;
    path.ancestors()
        .filter_map(|part| part.file_name()?.to_str())
        .find(|name| is_pci_address(name))
        .map(str::to_owned)
}

/// `0000:04:00.0`
fn is_pci_address(name: &str) -> bool {
    let is_hex = |text: &str, digits| text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = name.split([':', '.']).collect();
    matches!(parts[..], [domain, bus, device, function]
        if is_hex(domain, 4) && is_hex(bus, 2) && is_hex(device, 2) && is_hex(function, 1))
}
