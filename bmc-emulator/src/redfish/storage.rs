//! `Storage`: storage subsystems, each a controller with its drives and volumes.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::{drives, storage_controllers, vendor, volumes};
use crate::machine::Machine;
use crate::machine::drive::{Drive, DriveName};
use crate::quirk::Quirk;

/// [`Quirk::StorageNotReadyAfterRestart`].
const NOT_READY: Duration = Duration::from_secs(20);

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let restarted = cx.machine.hiccups.bmc_restarted;
    if cx
        .machine
        .is_disturbed(Quirk::StorageNotReadyAfterRestart, restarted, NOT_READY, cx.moment.now)
    {
        let text = "iDRAC is not ready. The configuration values cannot be accessed.";
        return Err(cx.vendor_error(StatusCode::SERVICE_UNAVAILABLE, vendor::IDRAC, "SYS518", text));
    }
    let collection_uri = format!("{}/Storage", cx.system_uri());
    let controllers = controllers(cx);
    let [storage, rest @ ..] = rest else {
        return cx.read_only(|_| {
            let members = controllers.iter().map(|id| format!("{collection_uri}/{id}"));
            collection(&collection_uri, "StorageCollection", "Storage Collection", members)
        });
    };
    if !controllers.iter().any(|id| id == storage) {
        return cx.not_found();
    }
    let uri = format!("{collection_uri}/{storage}");
    match rest {
        [] => cx.read_only(|cx| document(cx, &uri, storage)),
        ["Controllers", rest @ ..] => storage_controllers::route(cx, &uri, storage, rest),
        ["Volumes", rest @ ..] => volumes::route(cx, &uri, storage, rest),
        ["Drives", drive, rest @ ..] => {
            let name = DriveName((*drive).to_owned());
            let drive = cx.machine.drives.iter().find(|drive| drive.name == name);
            if drive.is_none_or(|drive| drive.absent || controller(cx, drive) != *storage) {
                return cx.not_found();
            }
            drives::route(cx, &uri, &name, rest)
        }
        _ => cx.not_found(),
    }
}

/// The id of the controller a drive is attached to.
pub(super) fn controller<'a>(cx: &Context<'_>, drive: &'a Drive) -> &'a str {
    drive.controller.as_deref().unwrap_or(cx.personality().storage_id)
}

/// Ids of all controllers: what the fleet file describes, then what its drives name. A machine without either has its
/// personality's.
fn controllers(cx: &Context<'_>) -> Vec<String> {
    let described = cx.machine.hardware.storage_controllers.iter();
    let mut ids: Vec<String> = described.map(|controller| controller.id.clone()).collect();
    for drive in &cx.machine.drives {
        let id = controller(cx, drive);
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    if ids.is_empty() {
        ids.push(cx.personality().storage_id.to_owned());
    }
    ids
}

/// Where a drive is, if there is one of this name.
pub(super) fn uri_of(machine: &Machine, name: &DriveName) -> Option<String> {
    let drive = machine.drives.iter().find(|drive| drive.name == *name)?;
    let personality = machine.personality;
    let controller = drive.controller.as_deref().unwrap_or(personality.storage_id);
    let system = machine.system_uri();
    Some(format!("{system}/Storage/{controller}/Drives/{name}"))
}

/// URIs of all drives that are plugged in.
pub(super) fn drive_uris(cx: &Context<'_>) -> Vec<String> {
    uris(cx, |_| !cx.machine.has(Quirk::NoStorage))
}

fn uris(cx: &Context<'_>, which: impl Fn(&Drive) -> bool) -> Vec<String> {
    let system = cx.system_uri();
    let present = cx.machine.drives.iter().filter(|drive| !drive.absent && which(drive));
    present
        .map(|drive| format!("{system}/Storage/{}/Drives/{}", controller(cx, drive), drive.name))
        .collect()
}

fn document(cx: &Context<'_>, uri: &str, id: &str) -> Value {
    let drives = uris(cx, |drive| controller(cx, drive) == id);
    let drives: Vec<Value> = drives.into_iter().map(link).collect();
    json!({
        "@odata.type": "#Storage.v1_17_1.Storage",
        "@odata.id": uri,
        "Id": id,
        "Name": "Storage Controller",
        "Status": { "State": "Enabled", "Health": "OK", "HealthRollup": "OK" },
        "Drives@odata.count": drives.len(),
        "Drives": drives,
        "Controllers": link(format!("{uri}/Controllers")),
        "Volumes": link(format!("{uri}/Volumes")),
        "Links": { "Enclosures": [link(cx.chassis_uri())] },
    })
}
