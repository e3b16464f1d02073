//! `NetworkDeviceFunctions` of a network adapter: what the host sees of a port, and how the firmware boots over it.

use http::Method;
use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::network_adapters;
use crate::machine::nic::NicBootMode;

/// For the adapter `id` at `adapter`.
pub(super) fn route(cx: &mut Context<'_>, adapter: &str, id: &str, rest: &[&str]) -> Answer {
    let uri = format!("{adapter}/NetworkDeviceFunctions");
    match rest {
        [] => cx.read_only(|cx| {
            let members = network_adapters::of(cx, id).map(|(_, nic)| format!("{uri}/{}", nic.name));
            collection(
                &uri,
                "NetworkDeviceFunctionCollection",
                "Network Device Functions",
                members,
            )
        }),
        [function] if network_adapters::of(cx, id).any(|(_, nic)| nic.name == *function) => match cx.call.method {
            Method::PATCH => patch(cx, adapter, id, function),
            _ => cx.read("GET, HEAD, PATCH", |cx| document(cx, adapter, id, function)),
        },
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, adapter: &str, id: &str, function: &str) -> Value {
    let found = network_adapters::of(cx, id).find(|(_, nic)| nic.name == function);
    let Some((port, nic)) = found else {
        return Value::Null;
    };
    let port = link(format!("{adapter}/Ports/{port}"));
    json!({
        "@odata.type": "#NetworkDeviceFunction.v1_9_4.NetworkDeviceFunction",
        "@odata.id": format!("{adapter}/NetworkDeviceFunctions/{function}"),
        "Id": function,
        "Name": format!("Network Device Function {function}"),
        "NetDevFuncType": "Ethernet",
        "NetDevFuncCapabilities": ["Ethernet"],
        "DeviceEnabled": true,
        "BootMode": nic.boot_mode.as_str(),
        "BootMode@Redfish.AllowableValues": NicBootMode::ALL.map(NicBootMode::as_str),
        "HTTPBoot": { "BootMediaURI": nic.boot_media_uri.as_deref().unwrap_or_default() },
        "Ethernet": {
            "MACAddress": nic.mac_address,
            "PermanentMACAddress": nic.mac_address,
        },
        "AssignablePhysicalNetworkPorts": [port],
        "Status": { "State": "Enabled", "Health": "OK" },
        "Links": {
            "PhysicalNetworkPortAssignment": port,
            "EthernetInterfaces": [link(format!("{}/EthernetInterfaces/{function}", cx.system_uri()))],
        },
    })
}

fn patch(cx: &mut Context<'_>, adapter: &str, id: &str, function: &str) -> Answer {
    let before = document(cx, adapter, id, function);
    cx.check_if_match(&before)?;
    cx.refuse_during_post()?;
    let (mut mode, mut uri, mut wrong) = (None, None, Vec::new());
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("BootMode", Value::String(text)) => {
                mode = NicBootMode::parse(text);
                if mode.is_none() {
                    wrong.push(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, &name]).about(pointer));
                }
            }
            ("HTTPBoot", Value::Object(http)) => match boot_media_uri(http) {
                Ok(wanted) => uri = wanted,
                Err(message) => wrong.push(message),
            },
            ("BootMode" | "HTTPBoot", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    let mut nics = cx.machine.hardware.nics.iter_mut();
    if let Some(nic) = nics.find(|nic| nic.name == function) {
        nic.boot_mode = mode.unwrap_or(nic.boot_mode);
        if let Some(uri) = uri {
            nic.boot_media_uri = Some(uri).filter(|uri| !uri.is_empty());
        }
    }
    Ok(cx.success())
}

/// An empty text takes it back (DSP0268, `BootMediaURI`).
fn boot_media_uri(http: &serde_json::Map<String, Value>) -> Result<Option<String>, Message> {
    let mut wanted = None;
    for (name, value) in http {
        let pointer = format!("#/HTTPBoot/{name}");
        match (name.as_str(), value.as_str()) {
            ("BootMediaURI", Some(uri))
                if uri.is_empty() || uri.starts_with("http://") || uri.starts_with("https://") =>
            {
                wanted = Some(uri.to_owned());
            }
            ("BootMediaURI", _) => return Err(Message::new(&message::PROPERTY_VALUE_ERROR, [name]).about(pointer)),
            _ => return Err(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
        }
    }
    Ok(wanted)
}
