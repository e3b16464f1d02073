//! `NetworkAdapters` of the chassis with their ports, and `NetworkInterfaces` of the system, which is how the host has
//! them (DSP0268).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::{network_device_functions, pcie_devices};
use crate::machine::nic::Nic;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = uri(cx);
    let Some((id, rest)) = rest.split_first() else {
        return cx.read_only(|cx| {
            let members = ids(cx).into_iter().map(|id| format!("{uri}/{id}"));
            collection(&uri, "NetworkAdapterCollection", "Network Adapters", members)
        });
    };
    if !ids(cx).iter().any(|known| known == id) {
        return cx.not_found();
    }
    let adapter = format!("{uri}/{id}");
    match rest {
        [] => cx.read_only(|cx| document(cx, &adapter, id)),
        ["Ports", rest @ ..] => ports(cx, &adapter, id, rest),
        ["NetworkDeviceFunctions", rest @ ..] => network_device_functions::route(cx, &adapter, id, rest),
        _ => cx.not_found(),
    }
}

pub(super) fn uri(cx: &Context<'_>) -> String {
    format!("{}/NetworkAdapters", cx.chassis_uri())
}

/// Each card once, in the order of its first port.
pub(super) fn ids(cx: &Context<'_>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for nic in &cx.machine.hardware.nics {
        if !ids.iter().any(|id| id == nic.adapter()) {
            ids.push(nic.adapter().to_owned());
        }
    }
    ids
}

/// Ports of a card with their numbers, which count from 1.
pub(super) fn of<'a>(cx: &'a Context<'_>, adapter: &'a str) -> impl Iterator<Item = (usize, &'a Nic)> {
    let nics = cx.machine.hardware.nics.iter();
    nics.filter(move |nic| nic.adapter() == adapter)
        .enumerate()
        .map(|(index, nic)| (index + 1, nic))
}

fn document(cx: &Context<'_>, uri: &str, id: &str) -> Value {
    let first = of(cx, id).next().map(|(_, nic)| nic);
    let links = |what: &str, names: Vec<String>| -> Vec<Value> {
        names
            .into_iter()
            .map(|name| link(format!("{uri}/{what}/{name}")))
            .collect()
    };
    let ports = of(cx, id).map(|(number, _)| number.to_string()).collect();
    let functions = of(cx, id).map(|(_, nic)| nic.name.clone()).collect();
    json!({
        "@odata.type": "#NetworkAdapter.v1_11_1.NetworkAdapter",
        "@odata.id": uri,
        "Id": id,
        "Name": format!("Network Adapter {id}"),
        "Manufacturer": first.and_then(|nic| nic.manufacturer.as_deref()).unwrap_or("Emulated Networks"),
        "Model": first.and_then(|nic| nic.model.as_deref()).unwrap_or("EN25"),
        "Status": { "State": "Enabled", "Health": "OK" },
        "Ports": link(format!("{uri}/Ports")),
        "NetworkDeviceFunctions": link(format!("{uri}/NetworkDeviceFunctions")),
        "Controllers": [{
            "Links": {
                "Ports": links("Ports", ports),
                "NetworkDeviceFunctions": links("NetworkDeviceFunctions", functions),
                "PCIeDevices": [link(pcie_devices::uri_of(cx, id))],
            },
        }],
    })
}

fn ports(cx: &mut Context<'_>, adapter: &str, id: &str, rest: &[&str]) -> Answer {
    let uri = format!("{adapter}/Ports");
    match rest {
        [] => cx.read_only(|cx| {
            let members = of(cx, id).map(|(number, _)| format!("{uri}/{number}"));
            collection(&uri, "PortCollection", "Ports", members)
        }),
        [port] => {
            let found = of(cx, id).find(|(number, _)| number.to_string() == *port);
            let document = found.map(|(number, nic)| port_document(cx, adapter, number, nic));
            match document {
                Some(document) => cx.read_only(|_| document),
                None => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

fn port_document(cx: &Context<'_>, adapter: &str, number: usize, nic: &Nic) -> Value {
    let mut document = json!({
        "@odata.type": "#Port.v1_15_1.Port",
        "@odata.id": format!("{adapter}/Ports/{number}"),
        "Id": number.to_string(),
        "Name": format!("Port {number}"),
        "PortId": number.to_string(),
        "PortProtocol": "Ethernet",
        "PortType": "BidirectionalPort",
        "LinkNetworkTechnology": "Ethernet",
        "LinkStatus": if nic.link_up { "LinkUp" } else { "LinkDown" },
        "InterfaceEnabled": true,
        "CurrentSpeedGbps": if nic.link_up { f64::from(nic.speed_mbps) / 1000.0 } else { 0.0 },
        "MaxSpeedGbps": f64::from(nic.speed_mbps) / 1000.0,
        "Ethernet": { "AssociatedMACAddresses": [nic.mac_address], "LLDPEnabled": true },
        "Status": { "State": "Enabled", "Health": "OK" },
    });
    let neighbor = nic.neighbor.as_ref();
    if let Some(neighbor) = neighbor.filter(|_| nic.link_up && !cx.machine.faults.silence_neighbors()) {
        let address = |is_wanted: fn(&IpAddr) -> bool| {
            let address = neighbor.management_addresses.iter().find(|address| is_wanted(address));
            address.map(ToString::to_string)
        };
        document["Ethernet"]["LLDPReceive"] = json!({
            "ChassisId": neighbor.chassis_id,
            "PortId": neighbor.port_id,
            "SystemName": neighbor.system_name,
            "SystemDescription": neighbor.system_description,
            "ManagementAddressIPv4": address(IpAddr::is_ipv4),
            "ManagementAddressIPv6": address(IpAddr::is_ipv6),
        });
    }
    document
}

/// `NetworkInterfaces` of the system.
pub(super) fn interfaces_route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let collection_uri = format!("{}/NetworkInterfaces", cx.system_uri());
    match rest {
        [] => cx.read_only(|cx| {
            let members = ids(cx).into_iter().map(|id| format!("{collection_uri}/{id}"));
            collection(
                &collection_uri,
                "NetworkInterfaceCollection",
                "Network Interfaces",
                members,
            )
        }),
        [id] if ids(cx).iter().any(|known| known == id) => cx.read_only(|cx| {
            let adapter = format!("{}/{id}", uri(cx));
            json!({
                "@odata.type": "#NetworkInterface.v1_2_2.NetworkInterface",
                "@odata.id": format!("{collection_uri}/{id}"),
                "Id": id,
                "Name": format!("Network Interface {id}"),
                "Status": { "State": "Enabled", "Health": "OK" },
                "Ports": link(format!("{adapter}/Ports")),
                "NetworkDeviceFunctions": link(format!("{adapter}/NetworkDeviceFunctions")),
                "Links": { "NetworkAdapter": link(adapter) },
            })
        }),
        _ => cx.not_found(),
    }
}
