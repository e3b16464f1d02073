//! `UpdateService`: which firmware there is. Nothing can be updated yet.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use crate::quirk::Quirk;

const URI: &str = "/redfish/v1/UpdateService";
const INVENTORY: &str = "/redfish/v1/UpdateService/FirmwareInventory";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|_| {
            json!({
                "@odata.type": "#UpdateService.v1_14_1.UpdateService",
                "@odata.id": URI,
                "Id": "UpdateService",
                "Name": "Update Service",
                "Status": { "State": "Enabled", "Health": "OK" },
                "ServiceEnabled": true,
                "FirmwareInventory": link(INVENTORY),
            })
        }),
        ["FirmwareInventory"] => cx.read_only(|cx| {
            let members = inventory(cx)
                .into_iter()
                .map(|software| format!("{INVENTORY}/{}", software.id));
            collection(INVENTORY, "SoftwareInventoryCollection", "Firmware Inventory", members)
        }),
        ["FirmwareInventory", id] => match inventory(cx).into_iter().find(|software| software.id == *id) {
            Some(software) => cx.read_only(|_| document(&software)),
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

struct Software {
    id: String,
    name: &'static str,
    version: &'static str,
}

fn inventory(cx: &Context<'_>) -> Vec<Software> {
    let personality = cx.personality();
    let known = [
        (personality.firmware_ids.bios, "System BIOS", personality.bios_version),
        (
            personality.firmware_ids.bmc,
            "Management Controller Firmware",
            personality.manager_firmware,
        ),
    ];
    let twins: &[&str] = if cx.machine.has(Quirk::PendingFirmwareTwins) {
        &["", "-Pending"]
    } else {
        &[""]
    };
    let with_twins = known.into_iter().flat_map(|(id, name, version)| {
        twins.iter().map(move |suffix| Software {
            id: format!("{id}{suffix}"),
            name,
            version,
        })
    });
    with_twins.collect()
}

fn document(software: &Software) -> Value {
    json!({
        "@odata.type": "#SoftwareInventory.v1_10_2.SoftwareInventory",
        "@odata.id": format!("{INVENTORY}/{}", software.id),
        "Id": software.id,
        "Name": software.name,
        "Version": software.version,
        "Updateable": false,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
