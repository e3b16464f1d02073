//! IP addresses, from the kernel.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// All addresses of all interfaces, in the order of the kernel.
pub(super) fn of_kernel() -> io::Result<BTreeMap<String, Vec<IpAddr>>> {
    let mut addresses: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let Some(address) = entry.address else { continue };
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (None, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => continue,
        };
        addresses.entry(entry.interface_name).or_default().push(ip);
    }
    Ok(addresses)
}
