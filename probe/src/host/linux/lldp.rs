//! LLDP neighbours from `lldpctl -f json`, the client of lldpd.
//!
//! Its JSON has two shapes wherever there may be one thing or many, and leaves out what a switch does not say
//! (bugs.md 72): everything optional is read leniently, and what is not understood is left out.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::host::HostError;
use crate::model::{LldpInterface, LldpNeighbor};

/// lldpd answers over a local socket; one that does not answer in this time hangs.
const TIME_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn read(lldpctl: &Path) -> Result<Vec<LldpInterface>, HostError> {
    let unreadable = |source| HostError::Unreadable {
        what: "LLDP neighbours".to_owned(),
        source,
    };
    let running = Command::new(lldpctl)
        .args(["-f", "json"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match timeout(TIME_LIMIT, running).await {
        Err(_) => return Err(unreadable("lldpctl does not answer".into())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(HostError::LldpUnavailable {
                reason: "lldpctl is not installed".to_owned(),
            });
        }
        Ok(Err(error)) => return Err(unreadable(error.into())),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(unreadable(
            format!("lldpctl ended with {}: {complaint}", output.status).into(),
        ));
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|error| unreadable(error.into()))?;
    Ok(interfaces(&answer))
}

fn interfaces(answer: &Value) -> Vec<LldpInterface> {
    let mut interfaces: Vec<LldpInterface> = Vec::new();
    // One object with a member per interface, or a list of objects with one member each.
    let members = one_or_many(&answer["lldp"]["interface"])
        .filter_map(Value::as_object)
        .flatten();
    for (name, described) in members {
        let neighbor = neighbor(described);
        match interfaces.iter_mut().find(|interface| interface.name == *name) {
            Some(interface) => interface.neighbors.push(neighbor),
            None => interfaces.push(LldpInterface {
                name: name.clone(),
                neighbors: vec![neighbor],
            }),
        }
    }
    interfaces
}

fn neighbor(described: &Value) -> LldpNeighbor {
    let (system_name, chassis) = chassis(&described["chassis"]);
    let port = &described["port"];
    LldpNeighbor {
        chassis_id: text(&chassis["id"]["value"]),
        port_id: text(&port["id"]["value"]),
        port_description: text(&port["descr"]),
        system_name,
        system_description: text(&chassis["descr"]),
        mgmt_ip: one_or_many(&chassis["mgmt-ip"]).next().map(text).unwrap_or_default(),
        capabilities: one_or_many(&chassis["capability"])
            .filter(|capability| capability["enabled"] == Value::Bool(true))
            .map(|capability| text(&capability["type"]))
            .collect(),
        vlan_id: vlan(&described["vlan"]),
    }
}

/// The chassis is wrapped in its name, if it has one.
fn chassis(value: &Value) -> (String, &Value) {
    let named = value
        .as_object()
        .filter(|members| members.len() == 1 && !members.contains_key("id"));
    match named.and_then(|members| members.iter().next()) {
        Some((name, chassis)) => (name.clone(), chassis),
        None => (String::new(), value),
    }
}

/// The port's own VLAN, else the first.
fn vlan(value: &Value) -> String {
    let vlans: Vec<&Value> = one_or_many(value).collect();
    let own = vlans
        .iter()
        .find(|vlan| vlan["pvid"] == Value::Bool(true))
        .or(vlans.first());
    own.map(|vlan| text(&vlan["vlan-id"])).unwrap_or_default()
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    let many = match value {
        Value::Array(many) => many.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    many.iter()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described() -> Value {
        json!({
            "via": "LLDP", "rid": "1", "age": "0 day, 00:00:12",
            "chassis": { "leaf1": {
                "id": { "type": "mac", "value": "00:00:5e:00:53:ff" },
                "descr": "SONiC",
                "mgmt-ip": ["10.0.0.254", "fd00::254"],
                "capability": [
                    { "type": "Bridge", "enabled": true },
                    { "type": "Router", "enabled": false },
                ],
            }},
            "port": { "id": { "type": "ifname", "value": "Ethernet7" }, "descr": "server 7", "ttl": "120" },
            "vlan": [ { "vlan-id": "10", "pvid": false }, { "vlan-id": "100", "pvid": true } ],
        })
    }

    #[test]
    fn both_forms_of_interface_mean_the_same() {
        let object = interfaces(&json!({ "lldp": { "interface": { "eno1": described() } } }));
        let array = interfaces(&json!({ "lldp": { "interface": [ { "eno1": described() } ] } }));
        assert_eq!(object, array);
        insta::assert_json_snapshot!(object);
    }

    #[test]
    fn everything_is_optional() {
        let mut bare = json!({
            "chassis": { "id": { "value": "c" }, "mgmt-ip": "10.0.0.1", "capability": { "type": "Bridge", "enabled": true } },
            "vlan": { "vlan-id": 7 },
        });
        let interfaces_of = |described: &Value| interfaces(&json!({ "lldp": { "interface": { "e": described } } }));
        let expected = LldpNeighbor {
            chassis_id: "c".into(),
            mgmt_ip: "10.0.0.1".into(),
            capabilities: vec!["Bridge".into()],
            vlan_id: "7".into(),
            ..LldpNeighbor::default()
        };
        assert_eq!(interfaces_of(&bare)[0].neighbors, [expected]);
        bare["chassis"] = json!("nonsense");
        bare["vlan"] = json!([]);
        assert_eq!(interfaces_of(&bare)[0].neighbors, [LldpNeighbor::default()]);
        for nothing in [
            json!({}),
            json!({ "lldp": {} }),
            json!({ "lldp": { "interface": [] } }),
            json!([]),
        ] {
            assert_eq!(interfaces(&nothing), []);
        }
    }

    #[test]
    fn several_neighbours_of_one_interface() {
        let answer = json!({ "lldp": { "interface": [ { "e1": described() }, { "e2": described() }, { "e1": {} } ] } });
        let counts: Vec<_> = interfaces(&answer)
            .into_iter()
            .map(|i| (i.name, i.neighbors.len()))
            .collect();
        assert_eq!(counts, [("e1".to_owned(), 2), ("e2".to_owned(), 1)]);
    }

    #[tokio::test]
    async fn a_missing_lldpctl_is_told_apart() {
        let error = read(Path::new("/nonexistent/lldpctl")).await.expect_err("not there");
        assert!(matches!(error, HostError::LldpUnavailable { .. }), "{error}");
        let error = read(Path::new("false")).await.expect_err("fails");
        assert!(matches!(error, HostError::Unreadable { .. }), "{error}");
    }
}
