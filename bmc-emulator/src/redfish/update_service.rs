//! `UpdateService`: which firmware there is. Nothing can be updated yet.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};

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
        ["FirmwareInventory"] => cx.read_only(|_| {
            let members = ["BIOS", "BMC"].map(|id| format!("{INVENTORY}/{id}"));
            collection(INVENTORY, "SoftwareInventoryCollection", "Firmware Inventory", members)
        }),
        ["FirmwareInventory", "BIOS"] => {
            cx.read_only(|cx| software("BIOS", "System BIOS", cx.personality().bios_version))
        }
        ["FirmwareInventory", "BMC"] => cx.read_only(|cx| {
            software(
                "BMC",
                "Management Controller Firmware",
                cx.personality().manager_firmware,
            )
        }),
        _ => cx.not_found(),
    }
}

fn software(id: &str, name: &str, version: &str) -> Value {
    json!({
        "@odata.type": "#SoftwareInventory.v1_10_2.SoftwareInventory",
        "@odata.id": format!("{INVENTORY}/{id}"),
        "Id": id,
        "Name": name,
        "Version": version,
        "Updateable": false,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
