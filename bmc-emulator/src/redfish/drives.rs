//! `Drive`: what is plugged in, and its secure erasure.

use http::StatusCode;
use serde_json::{Value, json};

use super::actions::{self, Action, Kind, Parameter};
use super::context::{Answer, Context, link};
use super::message::{self, Message};
use super::{task_service, volumes};
use crate::fleet::spec::{DriveProtocol, MediaType};
use crate::machine::drive::{Drive, DriveName};

/// For a drive of the storage at `storage`, which is known to be there.
pub(super) fn route(cx: &mut Context<'_>, storage: &str, name: &DriveName, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|cx| document(cx, storage, name)),
        ["Actions", SECURE_ERASE] => secure_erase(cx, storage, name),
        [info] => {
            let drive = cx.machine.drives.iter().find(|drive| drive.name == *name);
            let offered = drive.filter(|drive| drive.secure_erase).map(secure_erase_action);
            actions::info(cx, &format!("{storage}/Drives/{name}"), info, offered.as_slice())
        }
        _ => cx.not_found(),
    }
}

fn document(cx: &mut Context<'_>, storage: &str, name: &DriveName) -> Value {
    let chassis = cx.chassis_uri();
    let personality = cx.personality();
    let volume: Vec<Value> = cx
        .machine
        .volume_of(name)
        .map(|volume| volumes::link_to(storage, volume))
        .into_iter()
        .collect();
    let Some(drive) = cx.machine.drive(name) else {
        return Value::Null;
    };
    let uri = format!("{storage}/Drives/{name}");
    let (identifier, format) = identifier(&drive.wwid);
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
        "Links": { "Chassis": link(chassis), "Volumes": volume },
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
pub(super) fn identifier(wwid: &str) -> (String, &'static str) {
    let (kind, hex) = wwid.split_once('.').unwrap_or(("naa", wwid));
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
    // A member belongs to its volume: the controller does not pass the command on.
    let is_member = cx.machine.volume_of(name).is_some() || cx.machine.is_promised(name);
    let Some(drive) = cx.machine.drive(name) else {
        return cx.not_found();
    };
    if !drive.secure_erase {
        return Err(cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(&message::ACTION_NOT_SUPPORTED, [ACTION]),
        ));
    }
    if drive.erasure.is_some() || is_member {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    let target = format!("{storage}/Drives/{name}");
    let started = cx.machine.bmc_moment(cx.moment);
    let tasks = &mut cx.machine.redfish.tasks;
    let task = tasks.start(&format!("Secure Erase {name}"), target, Some(duration), started);
    cx.machine.start_erase(name, task.clone(), cx.moment);
    Ok(task_service::accepted(cx, &task))
}
