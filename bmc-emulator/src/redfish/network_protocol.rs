//! `NetworkProtocol` of the manager (DSP0268, ManagerNetworkProtocol): what it listens to, and where it gets the time.

use http::Method;
use serde_json::{Value, json};

use super::certificate_service;
use super::context::{Answer, Context, link};
use super::message::{self, Message};

/// What can be changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkProtocol {
    /// Whether it can be discovered; none where nobody could hear it.
    pub ssdp: Option<bool>,
    pub ntp_enabled: bool,
    pub ntp_servers: Vec<String>,
    /// Default: the name of the machine.
    pub host_name: Option<String>,
}

/// As many time servers as a BMC asks.
const MAXIMUM_NTP_SERVERS: usize = 4;

pub(super) fn route(cx: &mut Context<'_>) -> Answer {
    match cx.call.method {
        Method::PATCH => patch(cx),
        _ => cx.read("GET, HEAD, PATCH", document),
    }
}

pub(super) fn host_name(cx: &Context<'_>) -> String {
    let machine = &cx.machine;
    machine
        .redfish
        .network
        .host_name
        .clone()
        .unwrap_or_else(|| machine.hardware.name.clone())
}

fn document(cx: &mut Context<'_>) -> Value {
    let network = &cx.machine.redfish.network;
    json!({
        "@odata.type": "#ManagerNetworkProtocol.v1_10_1.ManagerNetworkProtocol",
        "@odata.id": format!("{}/NetworkProtocol", cx.manager_uri()),
        "Id": "NetworkProtocol",
        "Name": "Manager Network Protocol",
        "Status": { "State": "Enabled", "Health": "OK" },
        "HostName": host_name(cx),
        "FQDN": host_name(cx),
        "HTTP": { "ProtocolEnabled": false, "Port": 80 },
        "HTTPS": {
            "ProtocolEnabled": true,
            "Port": cx.machine.hardware.bmc_port,
            "Certificates": link(certificate_service::collection_uri(cx)),
        },
        "IPMI": { "ProtocolEnabled": false, "Port": 623 },
        "SSH": { "ProtocolEnabled": false, "Port": 22 },
        "SSDP": { "ProtocolEnabled": network.ssdp.unwrap_or(false), "Port": 1900 },
        "NTP": { "ProtocolEnabled": network.ntp_enabled, "NTPServers": network.ntp_servers },
    })
}

fn patch(cx: &mut Context<'_>) -> Answer {
    let before = document(cx);
    cx.check_if_match(&before)?;
    let mut network = cx.machine.redfish.network.clone();
    let mut wrong = Vec::new();
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), value) {
            ("HostName", Value::String(text)) if !text.is_empty() => network.host_name = Some(text),
            ("HostName", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer)),
            ("NTP", Value::Object(ntp)) => {
                for (name, value) in ntp {
                    read_ntp(&mut network, &name, &value, &mut wrong);
                }
            }
            ("NTP", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            ("SSDP", Value::Object(ssdp)) if network.ssdp.is_some() => {
                for (name, value) in ssdp {
                    match (name.as_str(), value) {
                        ("ProtocolEnabled", Value::Bool(enabled)) => network.ssdp = Some(enabled),
                        (_, other) => wrong.push(
                            Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name])
                                .about(format!("{pointer}/{name}")),
                        ),
                    }
                }
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    cx.machine.redfish.network = network;
    let document = document(cx);
    Ok(cx.document(document))
}

/// Elements of the list are set by position: null removes one, `{}` keeps it (DSP0266 §7.6.2).
fn read_ntp(network: &mut NetworkProtocol, name: &str, value: &Value, wrong: &mut Vec<Message>) {
    let pointer = format!("#/NTP/{name}");
    match (name, value) {
        ("ProtocolEnabled", Value::Bool(enabled)) => network.ntp_enabled = *enabled,
        ("NTPServers", Value::Array(servers)) if servers.len() <= MAXIMUM_NTP_SERVERS => {
            let known = network.ntp_servers.clone();
            let mut changed = Vec::new();
            for (index, server) in servers.iter().enumerate() {
                match server {
                    Value::String(address) => changed.push(address.clone()),
                    Value::Null => {}
                    Value::Object(same) if same.is_empty() => changed.extend(known.get(index).cloned()),
                    other => {
                        let message = Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]);
                        wrong.push(message.about(format!("{pointer}/{index}")));
                    }
                }
            }
            network.ntp_servers = changed;
        }
        ("NTPServers" | "ProtocolEnabled", other) => {
            wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
        }
        _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
    }
}
