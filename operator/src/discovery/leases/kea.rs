//! Kea's memfile (`kea-leases4.csv`): columns are named in the first line, and of several lines about one address the last one
//! counts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::wrong;
use crate::discovery::{Sighting, mac_address};

/// `state` of a lease that somebody has; declined and reclaimed ones are left.
const ASSIGNED: &str = "0";

pub(super) fn parse(text: &str, now: Timestamp) -> Result<Vec<Sighting>, String> {
    let mut lines = text.lines().enumerate();
    let Some((_, header)) = lines.next() else {
        return Ok(Vec::new());
    };
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |name: &str| {
        let found = names.iter().position(|known| *known == name);
        found.ok_or_else(|| wrong(0, &format!("there is no column {name}; is this Kea's lease file?")))
    };
    let (address, hardware, expire, state) = (
        column("address")?,
        column("hwaddr")?,
        column("expire")?,
        column("state")?,
    );
    let mut leases: BTreeMap<&str, Option<Sighting>> = BTreeMap::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |column: usize| {
            cells
                .get(column)
                .copied()
                .ok_or_else(|| wrong(number, "columns are missing"))
        };
        let ends: i64 = cell(expire)?
            .parse()
            .map_err(|_| wrong(number, "expire is no number"))?;
        let ip = cell(address)?.parse().map_err(|_| wrong(number, "address is none"))?;
        let in_force = cell(state)? == ASSIGNED && ends > now.as_second();
        let mac_address = mac_address(cell(hardware)?).filter(|_| in_force);
        leases.insert(
            cell(address)?,
            mac_address.map(|mac_address| Sighting { mac_address, ip }),
        );
    }
    Ok(leases.into_values().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_about_an_address_counts() {
        let text = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n\
                    10.0.0.7,b0:7b:25:d6:51:82,,3600,1714640000,1,0,0,,0,,0\n\
                    10.0.0.8,b0:7b:25:d6:51:83,,3600,1714653600,1,0,0,,1,,0\n\
                    10.0.0.9,b0:7b:25:d6:51:84,,3600,1714653600,1,0,0,,0,,0\n\
                    10.0.0.7,b0:7b:25:d6:51:85,,3600,1714653600,1,0,0,idrac,0,{ \"a\": 1&#x2c2 },0\n\
                    10.0.0.9,b0:7b:25:d6:51:84,,0,1714640000,1,0,0,,2,,0\n";
        let now = Timestamp::from_second(1_714_650_000).expect("a time");
        let found = parse(text, now).expect("leases");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].mac_address.as_str(), found[0].ip.to_string().as_str()),
            ("b0:7b:25:d6:51:85", "10.0.0.7")
        );
        assert_eq!(parse("", now), Ok(Vec::new()));
        let error = parse("a,b\n", now).expect_err("another file");
        assert!(error.contains("no column address"), "{error}");
    }
}
