//! `EthernetInterfaces` of the system and of the manager.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::network_protocol;
use crate::quirk::Quirk;

pub(super) fn system_route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/EthernetInterfaces", cx.system_uri());
    match rest {
        [] => cx.read_only(|cx| {
            let members = cx.machine.hardware.nics.iter().map(|nic| format!("{uri}/{}", nic.name));
            collection(
                &uri,
                "EthernetInterfaceCollection",
                "Ethernet Interface Collection",
                members,
            )
        }),
        [id] => match cx.machine.hardware.nics.iter().position(|nic| nic.name == *id) {
            Some(index) => {
                let document = system_document(cx, &uri, index);
                cx.read_only(|_| document)
            }
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn system_document(cx: &Context<'_>, uri: &str, index: usize) -> Value {
    let nic = &cx.machine.hardware.nics[index];
    json!({
        "@odata.type": "#EthernetInterface.v1_12_4.EthernetInterface",
        "@odata.id": format!("{uri}/{}", nic.name),
        "Id": nic.name,
        "Name": format!("Host Ethernet Interface {}", nic.name),
        "EthernetInterfaceType": "Physical",
        "MACAddress": nic.mac_address,
        "PermanentMACAddress": nic.mac_address,
        "LinkStatus": if nic.link_up { "LinkUp" } else { "LinkDown" },
        "SpeedMbps": nic.speed_mbps,
        "FullDuplex": true,
        "InterfaceEnabled": true,
        "Status": { "State": "Enabled", "Health": "OK" },
        "Links": { "Chassis": link(cx.chassis_uri()) },
    })
}

pub(super) fn manager_route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/EthernetInterfaces", cx.manager_uri());
    let only = cx.personality().manager_nic;
    match rest {
        [] => cx.read_only(|_| {
            let members = [format!("{uri}/{only}")];
            collection(
                &uri,
                "EthernetInterfaceCollection",
                "Ethernet Interface Collection",
                members,
            )
        }),
        [id] if *id == only => cx.read_only(|cx| manager_document(cx, &uri)),
        _ => cx.not_found(),
    }
}

fn manager_document(cx: &Context<'_>, uri: &str) -> Value {
    let id = cx.personality().manager_nic;
    let hardware = &cx.machine.hardware;
    // An address that is a host name is none of the interface's business.
    let ipv4: Vec<Value> = hardware
        .bmc_address
        .parse::<std::net::Ipv4Addr>()
        .map(|address| json!({ "Address": address.to_string(), "SubnetMask": "255.0.0.0", "AddressOrigin": "Static", "Gateway": null }))
        .into_iter()
        .collect();
    let hardware_address = if cx.machine.has(Quirk::LongHardwareAddress) {
        format!(
            "80:00:00:48:fe:80:00:00:00:00:00:00:ec:0d:9a:03:{}",
            hardware.bmc_mac_address.get(6..).unwrap_or_default()
        )
    } else if cx.machine.has(Quirk::EmptyHardwareAddress) {
        String::new()
    } else {
        hardware.bmc_mac_address.clone()
    };
    json!({
        "@odata.type": "#EthernetInterface.v1_12_4.EthernetInterface",
        "@odata.id": format!("{uri}/{id}"),
        "Id": id,
        "Name": "Manager Ethernet Interface",
        "MACAddress": hardware_address,
        "PermanentMACAddress": hardware_address,
        "HostName": network_protocol::host_name(cx),
        "LinkStatus": "LinkUp",
        "SpeedMbps": 1000,
        "FullDuplex": true,
        "InterfaceEnabled": true,
        "IPv4Addresses": ipv4,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
