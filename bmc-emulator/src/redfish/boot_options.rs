//! `BootOptions`: what the firmware's boot manager knows.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};
use crate::machine::boot::{BootDevice, BootOption};

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/BootOptions", cx.system_uri());
    match rest {
        [] => cx.read_only(|cx| {
            let members = cx
                .machine
                .boot
                .options
                .iter()
                .map(|option| format!("{uri}/{}", option.reference));
            collection(&uri, "BootOptionCollection", "Boot Options", members)
        }),
        [reference] => match cx
            .machine
            .boot
            .options
            .iter()
            .find(|option| option.reference == *reference)
        {
            Some(option) => {
                let document = document(cx, &uri, option);
                cx.read_only(|_| document)
            }
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, uri: &str, option: &BootOption) -> Value {
    let (name, path, alias) = match &option.device {
        BootDevice::Network { nic } => {
            let mac = cx
                .machine
                .hardware
                .nics
                .iter()
                .find(|card| card.name == *nic)
                .map(|card| &card.mac_address);
            let mac: String = mac.map(|mac| mac.replace(':', "").to_uppercase()).unwrap_or_default();
            (
                format!("PXE IPv4 {nic}"),
                format!("MAC({mac},0x1)/IPv4(0.0.0.0)"),
                "Pxe",
            )
        }
        BootDevice::Media { slot, .. } => (format!("Virtual {slot}"), String::new(), "Cd"),
        BootDevice::Drive { drive } => {
            let known = cx.machine.drives.iter().find(|known| known.name == *drive);
            let wwid = known.map(|known| known.wwid.as_str()).unwrap_or_default();
            (format!("Hard Drive {drive}"), format!("HD(1,GPT,{wwid})"), "Hdd")
        }
    };
    json!({
        "@odata.type": "#BootOption.v1_0_6.BootOption",
        "@odata.id": format!("{uri}/{}", option.reference),
        "Id": option.reference,
        "Name": name,
        "DisplayName": name,
        "BootOptionReference": option.reference,
        "BootOptionEnabled": true,
        "Alias": alias,
        "UefiDevicePath": path,
    })
}
