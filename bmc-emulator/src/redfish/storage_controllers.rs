//! `StorageController`: the card or the port that drives hang on.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};
use super::storage;
use crate::fleet::spec::StorageControllerSpec;

/// For the storage `id` at `storage`, which has one controller.
pub(super) fn route(cx: &mut Context<'_>, storage: &str, id: &str, rest: &[&str]) -> Answer {
    let uri = format!("{storage}/Controllers");
    match rest {
        [] => cx.read_only(|_| {
            let only = format!("{uri}/{ONLY}");
            collection(&uri, "StorageControllerCollection", "Storage Controllers", [only])
        }),
        [controller] if *controller == ONLY => cx.read_only(|cx| document(cx, &uri, id)),
        _ => cx.not_found(),
    }
}

const ONLY: &str = "0";

/// What the fleet file says about a controller, if it says anything.
pub(super) fn described<'a>(cx: &'a Context<'_>, id: &str) -> Option<&'a StorageControllerSpec> {
    let all = cx.machine.hardware.storage_controllers.iter();
    all.into_iter().find(|controller| controller.id == id)
}

fn document(cx: &Context<'_>, uri: &str, id: &str) -> Value {
    let default = StorageControllerSpec::default();
    let controller = described(cx, id).unwrap_or(&default);
    let drives = cx.machine.drives.iter();
    let mut protocols: Vec<&str> = drives
        .filter(|drive| storage::controller(cx, drive) == id)
        .map(|drive| drive.protocol.as_str())
        .collect();
    protocols.sort_unstable();
    protocols.dedup();
    json!({
        "@odata.type": "#StorageController.v1_7_3.StorageController",
        "@odata.id": format!("{uri}/{ONLY}"),
        "Id": ONLY,
        "Name": format!("Storage Controller {id}"),
        "Manufacturer": controller.manufacturer,
        "Model": controller.model,
        "FirmwareVersion": controller.firmware_version,
        "SupportedControllerProtocols": ["PCIe"],
        "SupportedDeviceProtocols": protocols,
        "SupportedRAIDTypes": controller.raid_types,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
