//! `Storage`: controllers with their drives, and secure erasure.

use http::StatusCode;
use serde_json::{Value, json};

use super::actions::{self, Action, Kind, Parameter};
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::task_service;
use crate::fleet::spec::{DriveProtocol, MediaType};
use crate::machine::Machine;
use crate::machine::drive::{Drive, DriveName};
use crate::quirk::Quirk;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
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
        ["Volumes"] => {
            cx.read_only(|_| collection(&format!("{uri}/Volumes"), "VolumeCollection", "Volume Collection", []))
        }
        ["Drives", drive, rest @ ..] => {
            let name = DriveName((*drive).to_owned());
            let drive = cx.machine.drives.iter().find(|drive| drive.name == name);
            if drive.is_none_or(|drive| drive.absent || controller(cx, drive) != *storage) {
                return cx.not_found();
            }
            match rest {
                [] => cx.read_only(|cx| drive_document(cx, &uri, &name)),
                ["Actions", SECURE_ERASE] => secure_erase(cx, &uri, &name),
                [info] => {
                    let offered = drive.and_then(|drive| drive.secure_erase.then(|| secure_erase_action(drive)));
                    actions::info(cx, &format!("{uri}/Drives/{name}"), info, offered.as_slice())
                }
                _ => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

/// The id of the controller a drive is attached to.
fn controller<'a>(cx: &Context<'_>, drive: &'a Drive) -> &'a str {
    drive.controller.as_deref().unwrap_or(cx.personality().storage_id)
}

/// Ids of all controllers. A machine without drives has its personality's all the same.
fn controllers(cx: &Context<'_>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
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
    let system = personality.system_id;
    Some(format!(
        "/redfish/v1/Systems/{system}/Storage/{controller}/Drives/{name}"
    ))
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
        "Volumes": link(format!("{uri}/Volumes")),
        "Links": { "Enclosures": [link(cx.chassis_uri())] },
    })
}

fn drive_document(cx: &mut Context<'_>, uri: &str, name: &DriveName) -> Value {
    let chassis = cx.chassis_uri();
    let personality = cx.personality();
    let Some(drive) = cx.machine.drive(name) else {
        return Value::Null;
    };
    let uri = format!("{uri}/Drives/{name}");
    let (identifier, format) = identifier(drive);
    let mut document = json!({
        "@odata.type": "#Drive.v1_20_1.Drive",
        "@odata.id": uri,
        "Id": name.0,
        "Name": format!("Drive {name}"),
        "Manufacturer": drive.manufacturer,
        "Model": drive.model,
        "SerialNumber": drive.serial_number,
        "CapacityBytes": drive.size_bytes,
        "BlockSizeBytes": 512,
        "MediaType": match drive.media_type { MediaType::SSD => "SSD", MediaType::HDD => "HDD" },
        "Protocol": drive.protocol.as_str(),
        "DriveFormFactor": if drive.protocol == DriveProtocol::NVMe { "U2" } else { "Drive2_5" },
        "Identifiers": [{ "DurableName": identifier, "DurableNameFormat": format }],
        "RotationSpeedRPM": if drive.is_rotational() { json!(7200) } else { json!(0) },
        "FailurePredicted": false,
        "Status": { "State": "Enabled", "Health": "OK" },
        "Operations": [],
        "Links": { "Chassis": link(chassis), "Volumes": [] },
    });
    if drive.secure_erase {
        let action = secure_erase_action(drive).offer(personality, &uri);
        document["Actions"] = json!({ format!("#{}", SECURE_ERASE): action });
    }
    if let Some(erasure) = &drive.erasure {
        let task = erasure.task.clone();
        let percent = cx
            .machine
            .redfish
            .tasks
            .get(&task)
            .map(|task| task.percent_complete(cx.moment.now));
        document["Operations"] = json!([{
            "Operation": "Sanitize",
            "OperationName": "Secure Erase",
            "PercentageComplete": percent,
            "AssociatedTask": link(format!("/redfish/v1/TaskService/Tasks/{task}")),
        }]);
    }
    document
}

/// `DurableName` and its format: an EUI is eight bytes with separators, an NAA has none (schema `Resource`, `Identifier`).
fn identifier(drive: &Drive) -> (String, &'static str) {
    let (kind, hex) = drive.wwid.split_once('.').unwrap_or(("naa", &drive.wwid));
    if kind != "eui" {
        return (hex.to_uppercase(), "NAA");
    }
    let digits: Vec<char> = hex.to_uppercase().chars().collect();
    let bytes: Vec<String> = digits.chunks(2).map(|byte| byte.iter().collect()).collect();
    (bytes.join("-"), "EUI")
}

const SECURE_ERASE: &str = "Drive.SecureErase";

/// What can be told: how a drive of its kind is sanitized (NIST SP 800-88, schema `Drive`).
fn secure_erase_action(drive: &Drive) -> Action {
    let kinds: &[&str] = match drive.media_type {
        MediaType::SSD => &["BlockErase", "CryptographicErase"],
        MediaType::HDD => &["Overwrite"],
    };
    let mut parameters = vec![Parameter::one_of("SanitizationType", false, kinds.iter().copied())];
    if drive.is_rotational() {
        parameters.push(Parameter::optional("OverwritePasses", Kind::Number { minimum: 1 }));
    }
    Action {
        name: SECURE_ERASE,
        parameters,
    }
}

fn secure_erase(cx: &mut Context<'_>, storage: &str, name: &DriveName) -> Answer {
    const ACTION: &str = SECURE_ERASE;
    cx.require_post()?;
    let body = cx.action_object()?;
    for parameter in body.keys() {
        if !matches!(parameter.as_str(), "SanitizationType" | "OverwritePasses") {
            let message = Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, parameter]);
            return Err(cx.error(StatusCode::BAD_REQUEST, message.about(format!("#/{parameter}"))));
        }
    }
    let duration = cx.machine.timing.secure_erase;
    let Some(drive) = cx.machine.drive(name) else {
        return cx.not_found();
    };
    if !drive.secure_erase {
        return Err(cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(&message::ACTION_NOT_SUPPORTED, [ACTION]),
        ));
    }
    if drive.erasure.is_some() {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    let target = format!("{storage}/Drives/{name}");
    let started = cx.machine.bmc_moment(cx.moment);
    let tasks = &mut cx.machine.redfish.tasks;
    let task = tasks.start(&format!("Secure Erase {name}"), target, Some(duration), started);
    cx.machine.start_erase(name, task.clone(), cx.moment);
    Ok(task_service::accepted(cx, &task))
}
