//! `Bios`: attributes in force, the settings object for the next POST, and the way back to the defaults.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::context::{Answer, Context, leave_out, link};
use super::message::{self, Message};
use super::task_service;
use crate::machine::bios::{AttributeError, Attributes};
use crate::quirk::Quirk;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(document),
        [settings] if *settings == cx.personality().bios_settings => match cx.call.method {
            Method::PATCH => patch_settings(cx),
            _ => cx.read("GET, HEAD, PATCH", settings_document),
        },
        ["Actions", "Bios.ResetBios"] => reset_bios(cx),
        _ => cx.not_found(),
    }
}

fn uri(cx: &Context<'_>) -> String {
    format!("{}/Bios", cx.system_uri())
}

fn document(cx: &mut Context<'_>) -> Value {
    let uri = uri(cx);
    let mut attributes = cx.machine.bios.current(cx.personality());
    if cx.machine.has(Quirk::BiosShowsPending) {
        attributes.extend(cx.machine.bios.pending().clone());
    }
    json!({
        "@odata.type": "#Bios.v1_2_3.Bios",
        "@odata.id": uri,
        "Id": "Bios",
        "Name": "BIOS Configuration Current Settings",
        "Description": "Attributes in force since the last POST",
        "AttributeRegistry": cx.personality().bios_registry,
        "Attributes": attributes,
        "ResetBiosToDefaultsPending": cx.machine.bios.reset_pending(),
        "@Redfish.Settings": {
            "@odata.type": "#Settings.v1_3_5.Settings",
            "SettingsObject": link(format!("{uri}/{}", cx.personality().bios_settings)),
            "SupportedApplyTimes": ["OnReset"],
        },
        "Actions": {
            "#Bios.ResetBios": { "target": format!("{uri}/Actions/Bios.ResetBios") },
        },
    })
}

fn settings_document(cx: &mut Context<'_>) -> Value {
    let id = cx.personality().bios_settings;
    let mut document = json!({
        "@odata.type": "#Bios.v1_2_3.Bios",
        "@odata.id": format!("{}/{id}", uri(cx)),
        "Id": id,
        "Name": "BIOS Configuration Pending Settings",
        "Description": "Attributes that the next POST will set",
        "AttributeRegistry": cx.personality().bios_registry,
        "Attributes": cx.machine.bios.pending(),
    });
    if cx.machine.has(Quirk::NoPendingAttributes) && cx.machine.bios.pending().is_empty() {
        leave_out(&mut document, "Attributes");
    }
    document
}

fn patch_settings(cx: &mut Context<'_>) -> Answer {
    let before = settings_document(cx);
    cx.check_if_match(&before)?;
    cx.refuse_during_post()?;
    let (mut staged, mut has_apply_time) = (Attributes::new(), false);
    let mut wrong = Vec::new();
    for (name, value) in cx.patch_object()? {
        match (name.as_str(), value) {
            ("Attributes", Value::Object(attributes)) => {
                for (name, value) in attributes {
                    let pointer = format!("#/Attributes/{name}");
                    match cx.machine.bios.check(cx.personality(), &name, &value) {
                        Ok(()) => {
                            staged.insert(name, value);
                        }
                        Err(AttributeError::Unknown) => {
                            wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer));
                        }
                        Err(AttributeError::BadValue) => {
                            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                            wrong.push(
                                Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [&text, &name]).about(pointer),
                            );
                        }
                    }
                }
            }
            ("@Redfish.SettingsApplyTime", Value::Object(apply)) => {
                has_apply_time = true;
                let time = apply.get("ApplyTime").and_then(Value::as_str).unwrap_or("OnReset");
                if time != "OnReset" {
                    let message = Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [time, "ApplyTime"]);
                    wrong.push(message.about("#/@Redfish.SettingsApplyTime/ApplyTime"));
                }
            }
            ("Id" | "Name" | "Description" | "AttributeRegistry", _) => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(format!("#/{name}")));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(format!("#/{name}"))),
        }
    }
    cx.refuse_if_any(&wrong)?;
    if cx.machine.stumbles(Quirk::FirstBiosPatchFails) {
        let names = staged
            .keys()
            .map(|name| Message::new(&message::PROPERTY_NOT_WRITABLE, [name]));
        cx.refuse_if_any(&names.collect::<Vec<_>>())?;
    }
    if !has_apply_time && cx.machine.has(Quirk::BiosSettingsNeedJob) {
        cx.machine.bios.stage_uncommitted(staged);
        return Ok(cx.success());
    }
    cx.machine.bios.stage(staged);
    if cx.machine.has(Quirk::BiosSettingsBecomeJob) {
        let target = uri(cx);
        let started = cx.machine.bmc_moment(cx.moment);
        let tasks = &mut cx.machine.redfish.tasks;
        let task = tasks.start("ConfigBIOS:BIOS.Setup.1-1", target, None, started);
        if cx.machine.has(Quirk::RefusedButDone) {
            return Err(cx.error(StatusCode::BAD_REQUEST, Message::new(&message::GENERAL_ERROR, [])));
        }
        return Ok(task_service::accepted(cx, &task));
    }
    Ok(cx.success())
}

fn reset_bios(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    if cx.machine.has(Quirk::ResetBiosNeedsBody) && cx.call.body.is_empty() {
        return Err(cx.error(StatusCode::BAD_REQUEST, Message::new(&message::MALFORMED_JSON, [])));
    }
    let body = cx.action_object()?;
    if let Some(unknown) = body.keys().find(|name| *name != "ResetType") {
        let message = Message::new(&message::ACTION_PARAMETER_UNKNOWN, ["Bios.ResetBios", unknown]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about(format!("#/{unknown}"))));
    }
    cx.machine.bios.stage_reset();
    Ok(cx.success())
}
