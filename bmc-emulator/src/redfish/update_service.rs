//! `UpdateService`: which firmware there is, and how it is updated.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::actions::{self, Action, Kind, Parameter};
use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::task_service;
use super::update_push::MAXIMUM_IMAGE;
use crate::machine::Out;
use crate::machine::installed_firmware::Component;
use crate::quirk::Quirk;
use crate::secret::Secret;
use crate::update::{Image, UpdateJob, UpdateOrder};

const URI: &str = "/redfish/v1/UpdateService";
const INVENTORY: &str = "/redfish/v1/UpdateService/FirmwareInventory";
/// `TransferProtocol`, each with the scheme of its URIs.
const PROTOCOLS: [(&str, &str); 2] = [("HTTP", "http"), ("HTTPS", "https")];

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|cx| {
            json!({
                "@odata.type": "#UpdateService.v1_14_1.UpdateService",
                "@odata.id": URI,
                "Id": "UpdateService",
                "Name": "Update Service",
                "Status": { "State": "Enabled", "Health": "OK" },
                "ServiceEnabled": true,
                "MaxImageSizeBytes": MAXIMUM_IMAGE,
                "MultipartHttpPushUri": cx.personality().multipart_push_uri,
                "FirmwareInventory": link(INVENTORY),
                "Actions": {
                    "#UpdateService.SimpleUpdate": simple_update_action().offer(cx.personality(), URI),
                },
            })
        }),
        ["Actions", "UpdateService.SimpleUpdate"] => simple_update(cx),
        [info] if info.ends_with("ActionInfo") => actions::info(cx, URI, info, &[simple_update_action()]),
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

fn simple_update_action() -> Action {
    Action {
        name: "UpdateService.SimpleUpdate",
        parameters: vec![
            Parameter {
                name: "ImageURI",
                required: true,
                kind: Kind::Text,
            },
            Parameter::one_of("TransferProtocol", false, PROTOCOLS.map(|(name, _)| name)),
            Parameter::optional("Targets", Kind::Texts),
            Parameter::optional("Username", Kind::Text),
            Parameter::optional("Password", Kind::Text),
            Parameter::optional("ForceUpdate", Kind::Boolean),
        ],
    }
}

struct Software {
    id: String,
    component: Component,
    version: String,
}

fn inventory(cx: &Context<'_>) -> Vec<Software> {
    let personality = cx.personality();
    let suffixes: &[&str] = if cx.machine.has(Quirk::PendingFirmwareTwins) {
        &["", "-Pending"]
    } else {
        &[""]
    };
    let all = Component::ALL.into_iter().flat_map(|component| {
        suffixes.iter().map(move |suffix| Software {
            id: format!("{}{suffix}", component.id(personality)),
            component,
            version: cx.machine.firmware.version(component, personality),
        })
    });
    all.collect()
}

fn document(software: &Software) -> Value {
    json!({
        "@odata.type": "#SoftwareInventory.v1_10_2.SoftwareInventory",
        "@odata.id": format!("{INVENTORY}/{}", software.id),
        "Id": software.id,
        "Name": match software.component {
            Component::Bios => "System BIOS",
            Component::Bmc => "Management Controller Firmware",
        },
        "Version": software.version,
        "Updateable": true,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}

/// The image is fetched and written while a task shows how far it is.
fn simple_update(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    let body = cx.object()?;
    let order = read(cx, &body)?;
    Ok(start(cx, order))
}

/// The task that carries an order out.
pub(super) fn start(cx: &mut Context<'_>, order: UpdateOrder) -> Reply {
    let duration = cx.machine.timing.firmware_update;
    let started = cx.machine.bmc_moment(cx.moment);
    let tasks = &mut cx.machine.redfish.tasks;
    let task = tasks.start("Firmware Update", URI.to_owned(), Some(duration), started);
    let accepted = task_service::accepted(cx, &task);
    cx.machine.queue([Out::Update(UpdateJob { task, order })]);
    accepted
}

fn read(cx: &Context<'_>, body: &Map<String, Value>) -> Result<UpdateOrder, Reply> {
    const ACTION: &str = "UpdateService.SimpleUpdate";
    let (mut image, mut scheme, mut target) = (None, None, None);
    let (mut user, mut password) = (String::new(), None);
    let mut wrong = Vec::new();
    for (name, value) in body {
        let pointer = format!("#/{name}");
        let not_in_list = |text: &str| Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [text, name, ACTION]);
        match (name.as_str(), value) {
            ("ImageURI", Value::String(uri)) => image = Some(uri.as_str()),
            ("TransferProtocol", Value::String(text)) => {
                scheme = PROTOCOLS
                    .iter()
                    .find(|(known, _)| known == text)
                    .map(|(_, scheme)| *scheme);
                if scheme.is_none() {
                    wrong.push(not_in_list(text).about(pointer));
                }
            }
            ("Targets", Value::Array(targets)) => match read_targets(cx, targets) {
                Ok(component) => target = component,
                Err(message) => wrong.push(message),
            },
            ("Username", Value::String(text)) => user.clone_from(text),
            ("Password", Value::String(text)) => password = Some(Secret::new(text.clone())),
            ("ForceUpdate", Value::Bool(_)) => {}
            ("@Redfish.OperationApplyTime", Value::String(text)) if text == "Immediate" => {}
            ("@Redfish.OperationApplyTime", Value::String(text)) => wrong.push(not_in_list(text).about(pointer)),
            ("Username" | "Password" | "TransferProtocol" | "Targets", Value::Null) => {}
            // The value stays out of the message: it is a password.
            ("Password", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [name]).about(pointer)),
            ("ImageURI" | "TransferProtocol" | "Targets" | "Username" | "ForceUpdate", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, name]).about(pointer)),
        }
    }
    // DSP0268: without a scheme in the URI, `TransferProtocol` says what is meant.
    let image = match (image, scheme) {
        (Some(uri), _)
            if PROTOCOLS
                .iter()
                .any(|(_, scheme)| uri.starts_with(&format!("{scheme}://"))) =>
        {
            uri.to_owned()
        }
        (Some(uri), Some(scheme)) if !uri.contains("://") => format!("{scheme}://{uri}"),
        (Some(_), _) => {
            wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, ["ImageURI"]).about("#/ImageURI"));
            String::new()
        }
        (None, _) => {
            wrong.push(Message::new(&message::ACTION_PARAMETER_MISSING, [ACTION, "ImageURI"]));
            String::new()
        }
    };
    if wrong.is_empty() {
        Ok(UpdateOrder {
            image: Image::At {
                uri: image,
                credentials: password.map(|password| (user, password)),
            },
            target,
        })
    } else {
        Err(message::errors(StatusCode::BAD_REQUEST, &wrong, cx.personality()))
    }
}

/// `Targets`: nothing, or one of the firmware inventory.
pub(super) fn read_targets(cx: &Context<'_>, targets: &[Value]) -> Result<Option<Component>, Message> {
    let found = match targets {
        [] => return Ok(None),
        [Value::String(uri)] => component(cx, uri),
        _ => None,
    };
    let wrong = || Message::new(&message::PROPERTY_VALUE_ERROR, ["Targets"]).about("#/Targets");
    found.map(Some).ok_or_else(wrong)
}

/// What a URI of the firmware inventory stands for.
fn component(cx: &Context<'_>, uri: &str) -> Option<Component> {
    let id = uri.strip_prefix(INVENTORY)?.strip_prefix('/')?;
    let software = inventory(cx).into_iter().find(|software| software.id == id)?;
    Some(software.component)
}
