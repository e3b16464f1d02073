//! `dhcpd.leases` of ISC dhcpd (dhcpd.leases(5)): a journal of declarations; of several about one address the last one counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::wrong;
use crate::discovery::{Sighting, mac_address};

#[derive(Default)]
struct Lease {
    hardware: Option<String>,
    /// None: it never ends.
    ends: Option<Timestamp>,
    is_active: bool,
}

pub(super) fn parse(text: &str, now: Timestamp) -> Result<Vec<Sighting>, String> {
    let mut leases: BTreeMap<IpAddr, Lease> = BTreeMap::new();
    let mut open: Option<(IpAddr, Lease)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim().trim_end_matches(';');
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), &mut open) {
            (["lease", ip, "{"], _) => {
                let ip = ip
                    .parse()
                    .map_err(|_| wrong(number, "the address of the lease is none"))?;
                open = Some((ip, Lease::default()));
            }
            (["}"], Some(_)) => leases.extend(open.take()),
            (["binding", "state", state], Some((_, lease))) => lease.is_active = *state == "active",
            (["hardware", "ethernet", address], Some((_, lease))) => lease.hardware = mac_address(address),
            (["ends", end @ ..], Some((_, lease))) => {
                lease.ends = time(end).ok_or_else(|| wrong(number, "the end of the lease is no time"))?;
            }
            _ => {}
        }
    }
    let in_force = leases
        .into_iter()
        .filter(|(_, lease)| lease.is_active && lease.ends.is_none_or(|ends| ends > now));
    let found = in_force.filter_map(|(ip, lease)| {
        Some(Sighting {
            mac_address: lease.hardware?,
            ip,
        })
    });
    Ok(found.collect())
}

/// `never`, `epoch <seconds>`, or `<weekday> <date> <time>` in UTC. None: this is no time.
fn time(words: &[&str]) -> Option<Option<Timestamp>> {
    match words {
        ["never"] => Some(None),
        ["epoch", seconds, ..] => {
            let seconds = seconds.trim_end_matches(';').parse().ok()?;
            Some(Some(Timestamp::from_second(seconds).ok()?))
        }
        [_, date, time] => {
            let time = DateTime::strptime("%Y/%m/%d %H:%M:%S", format!("{date} {time}")).ok()?;
            Some(Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(ip: &str, hardware: &str, ends: &str, state: &str) -> String {
        format!(
            "lease {ip} {{\n  starts 4 2024/05/02 10:00:00;\n  ends {ends};\n  binding state {state};\n  next binding state free;\n  \
             hardware ethernet {hardware};\n  client-hostname \"idrac\";\n}}\n"
        )
    }

    #[test]
    fn the_last_declaration_counts() {
        let text = [
            "# comment\nserver-duid \"x\";\n".to_owned(),
            lease("10.0.0.7", "b0:7b:25:d6:51:82", "4 2024/05/02 10:30:00", "active"),
            lease("10.0.0.8", "b0:7b:25:d6:51:83", "never", "active"),
            lease("10.0.0.9", "b0:7b:25:d6:51:84", "4 2024/05/02 13:00:00", "free"),
            lease(
                "10.0.0.7",
                "b0:7b:25:d6:51:82",
                "epoch 1714654800; # Thu May  2 13:00:00 2024",
                "active",
            ),
        ]
        .concat();
        let now: Timestamp = "2024-05-02T12:00:00Z".parse().expect("a time");
        let found: Vec<String> = parse(&text, now)
            .expect("leases")
            .iter()
            .map(|lease| lease.ip.to_string())
            .collect();
        assert_eq!(found, ["10.0.0.7", "10.0.0.8"]);
        let error = parse("lease here {\n", now).expect_err("no address");
        assert!(error.starts_with("line 1:"), "{error}");
    }
}
