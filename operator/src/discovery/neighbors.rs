//! The neighbour table of Linux (`/proc/net/arp`): which hardware address an IPv4 address belongs to.

use std::net::IpAddr;

use super::mac_address;

/// Where Linux shows it.
pub const FILE: &str = "/proc/net/arp";

/// The hardware address of `ip`, if this host has talked to it lately over a network they share.
pub fn find(table: &str, ip: IpAddr) -> Option<String> {
    let line = table.lines().skip(1).find(|line| {
        let address = line.split_whitespace().next();
        address.is_some_and(|address| address.parse() == Ok(ip))
    })?;
    mac_address(line.split_whitespace().nth(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.0.0.7         0x1         0x2         b0:7b:25:d6:51:82     *        eth0\n\
                     10.0.0.8         0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        let find = |ip: &str| find(table, ip.parse().expect("an address"));
        assert_eq!(find("10.0.0.7").as_deref(), Some("b0:7b:25:d6:51:82"));
        assert_eq!(find("10.0.0.8"), None, "it has not answered");
        assert_eq!(find("10.0.0.9"), None);
    }
}
