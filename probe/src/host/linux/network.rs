//! Network interfaces from `/sys/class/net` (rules of contract §6.2).

use std::io;
use std::path::Path;

use super::{AddressSource, files};
use crate::model::{CarrierStatus, NetworkInterface};

/// `ARPHRD_LOOPBACK` of `if_arp.h`.
const LOOPBACK_TYPE: &str = "772";

/// All interfaces but loopback, tunnels and Docker's bridge. A host without `/sys/class/net` is an error: its
/// registration would be worthless.
pub(super) fn read(root: &Path, addresses: &AddressSource) -> io::Result<Vec<NetworkInterface>> {
    let directory = root.join("sys/class/net");
    directory.metadata()?;
    let mut addresses = addresses()?;
    let interfaces = files::entries(&directory)?
        .into_iter()
        // `bonding_masters` and the like are files, not interfaces.
        .filter(|(name, path)| path.is_dir() && !is_skipped(name, path))
        .map(|(name, path)| NetworkInterface {
            ip_address: String::new(),
            ip_addresses: addresses
                .remove(&name)
                .unwrap_or_default()
                .into_iter()
                .filter(|address| !address.is_loopback())
                .map(|address| address.to_string())
                .collect(),
            mac_address: files::text(path.join("address")),
            // Unreadable while the interface is administratively down.
            carrier_status: Some(match files::flag(path.join("carrier")) {
                true => CarrierStatus::Up,
                false => CarrierStatus::Down,
            }),
            name,
        })
        .collect();
    Ok(interfaces)
}

fn is_skipped(name: &str, path: &Path) -> bool {
    name.starts_with("tun") || name.starts_with("docker0") || files::text(path.join("type")) == LOOPBACK_TYPE
}
