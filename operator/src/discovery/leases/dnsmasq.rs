//! `dnsmasq.leases`: a line per lease, with the time it ends (0: never), hardware address, address, name and client id. IPv6
//! leases follow after a line with the server's DUID; they have no hardware address.

use jiff::Timestamp;

use super::wrong;
use crate::discovery::{Sighting, mac_address};

pub(super) fn parse(text: &str, now: Timestamp) -> Result<Vec<Sighting>, String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let (Some(ends), Some(hardware), Some(ip)) = (words.next(), words.next(), words.next()) else {
            if line.starts_with("duid ") {
                break;
            }
            if line.trim().is_empty() {
                continue;
            }
            return Err(wrong(
                number,
                "a lease has an end, a hardware address and an address; is this dnsmasq's lease file?",
            ));
        };
        let ends: i64 = ends
            .parse()
            .map_err(|_| wrong(number, "the end of the lease is no number"))?;
        let ip = ip.parse().map_err(|_| wrong(number, "the address is none"))?;
        // Other kinds of hardware than Ethernet have their number in front: `06-b0:7b:…`.
        let Some(mac_address) = mac_address(hardware) else {
            continue;
        };
        if ends == 0 || ends > now.as_second() {
            found.push(Sighting { mac_address, ip });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_in_force_are_found() {
        let text = "1714651200 b0:7b:25:d6:51:82 10.0.0.7 idrac-1 ff:01\n0 B0:7B:25:D6:51:83 10.0.0.8 * *\n\
                    1714640000 b0:7b:25:d6:51:84 10.0.0.9 * *\nduid 00:01:00:01\n1714651200 7 fd00::1 host 00:01\n";
        let now = Timestamp::from_second(1_714_650_000).expect("a time");
        let found: Vec<String> = parse(text, now)
            .expect("leases")
            .iter()
            .map(|lease| lease.ip.to_string())
            .collect();
        assert_eq!(found, ["10.0.0.7", "10.0.0.8"]);
        let error = parse("{\n", now).expect_err("no lease file");
        assert!(error.starts_with("line 1:"), "{error}");
    }
}
