//! The parts of a registration that become `Server.status`: contract section 6.1. Probes and switches send surprising
//! shapes; what cannot be read is left out, the rest counts (bugs.md #72).

use std::net::IpAddr;

use crds::kinds::server::KnownDrive;
use serde_json::Value;

/// What a probe saw, reduced to what `Server.status` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HardwareData {
    /// `timestamp`, by the machine's clock: for information only.
    pub timestamp: Option<jiff::Timestamp>,
    /// `networkInterfaces` with their LLDP neighbours.
    pub network_interfaces: Vec<NetworkInterface>,
    /// `storage` that stays where it is and can be told from others.
    pub drives: Vec<KnownDrive>,
}

/// `Server.status.networkInterfaces[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkInterface {
    /// Interface name.
    pub name: String,
    /// MAC address.
    pub mac_address: String,
    /// All addresses that parse.
    pub ips: Vec<IpAddr>,
    /// `up` or `down`.
    pub carrier_status: Option<String>,
    /// LLDP neighbours of the interface of that name.
    pub neighbors: Vec<LldpNeighbor>,
}

/// `Server.status.networkInterfaces[].neighbors[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LldpNeighbor {
    /// From `chassisId`.
    pub mac_address: Option<String>,
    /// From `portId`.
    pub port_id: Option<String>,
    /// From `portDescription`.
    pub port_description: Option<String>,
    /// From `systemName`.
    pub system_name: Option<String>,
    /// From `systemDescription`.
    pub system_description: Option<String>,
}

impl HardwareData {
    /// Reads a `data` object.
    pub fn parse(data: &Value) -> Self {
        let mut network_interfaces: Vec<NetworkInterface> = list(data, "networkInterfaces")
            .filter_map(|interface| parse_interface(interface, data))
            .collect();
        network_interfaces.sort_by(|a, b| a.name.cmp(&b.name));
        let mut drives: Vec<KnownDrive> = list(data, "storage").filter_map(parse_drive).collect();
        drives.sort();
        Self {
            drives,
            timestamp: text(data, "timestamp").and_then(|text| text.parse().ok()),
            network_interfaces,
        }
    }
}

impl HardwareData {
    /// Whether every property of every LLDP neighbour is a text, which incident 72 insists on.
    pub(super) fn is_uniform(data: &Value) -> bool {
        list(data, "lldp")
            .flat_map(|lldp| list(lldp, "neighbors"))
            .all(|neighbor| {
                neighbor
                    .as_object()
                    .is_some_and(|fields| fields.values().all(Value::is_string))
            })
    }
}

fn parse_interface(interface: &Value, data: &Value) -> Option<NetworkInterface> {
    let (name, mac_address) = (text(interface, "name")?, text(interface, "macAddress")?);
    let mut ips: Vec<IpAddr> = list(interface, "ipAddresses")
        .filter_map(Value::as_str)
        .filter_map(|address| address.parse().ok())
        .collect();
    if ips.is_empty() {
        // Older probes send one address only.
        ips.extend(text(interface, "ipAddress").and_then(|address| address.parse::<IpAddr>().ok()));
    }
    let neighbors = list(data, "lldp")
        .filter(|lldp| text(lldp, "name").as_deref() == Some(name.as_str()))
        .flat_map(|lldp| list(lldp, "neighbors"))
        .map(parse_neighbor)
        .filter(|neighbor| *neighbor != LldpNeighbor::default())
        .collect();
    Some(NetworkInterface {
        name,
        mac_address,
        ips,
        carrier_status: text(interface, "carrierStatus"),
        neighbors,
    })
}

fn parse_drive(drive: &Value) -> Option<KnownDrive> {
    let leaves = |property: &str| drive.get(property).and_then(Value::as_bool) == Some(true);
    if leaves("removable") || leaves("readOnly") {
        return None;
    }
    Some(KnownDrive {
        name: text(drive, "path")?,
        serial_number: Some(text(drive, "serial")?),
    })
}

fn parse_neighbor(neighbor: &Value) -> LldpNeighbor {
    LldpNeighbor {
        mac_address: text(neighbor, "chassisId"),
        port_id: text(neighbor, "portId"),
        port_description: text(neighbor, "portDescription"),
        system_name: text(neighbor, "systemName"),
        system_description: text(neighbor, "systemDescription"),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn interfaces_get_their_neighbours_and_bad_parts_are_left_out() {
        let data = json!({
            "timestamp": "2026-11-24T08:00:00Z",
            "networkInterfaces": [
                {"name": "eth1", "macAddress": "02:00:00:00:00:02", "ipAddress": "10.0.0.2", "ipAddresses": null},
                {"name": "eth0", "macAddress": "02:00:00:00:00:01", "ipAddresses": ["10.0.0.1", "no address", 7], "carrierStatus": "up"},
                {"macAddress": "02:00:00:00:00:03"},
                "nonsense"
            ],
            "lldp": [
                {"name": "eth0", "neighbors": [{"chassisId": "aa:bb", "portId": "Ethernet1", "systemName": ["array"]}, {}]},
                {"name": "eth1", "neighbors": "none"}
            ]
        });
        let parsed = HardwareData::parse(&data);
        assert_eq!(
            parsed.timestamp,
            Some("2026-11-24T08:00:00Z".parse().expect("timestamp"))
        );
        assert_eq!(parsed.network_interfaces.len(), 2);
        let eth0 = &parsed.network_interfaces[0];
        assert_eq!(
            (eth0.name.as_str(), eth0.carrier_status.as_deref()),
            ("eth0", Some("up"))
        );
        assert_eq!(eth0.ips, vec!["10.0.0.1".parse::<IpAddr>().expect("address")]);
        assert_eq!(eth0.neighbors.len(), 1);
        assert_eq!(eth0.neighbors[0].port_id.as_deref(), Some("Ethernet1"));
        assert_eq!(
            parsed.network_interfaces[1].ips,
            vec!["10.0.0.2".parse::<IpAddr>().expect("address")]
        );
    }

    #[test]
    fn anything_else_is_no_hardware() {
        for data in [json!(null), json!([]), json!({"networkInterfaces": null, "lldp": {}})] {
            assert_eq!(HardwareData::parse(&data), HardwareData::default());
        }
    }
}
