//! `SecureBoot` of the system (DSP0268): enabled or not, from the next POST on.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::{self, Action, Parameter};
use super::context::{Answer, Context};
use super::message::{self, Message};
use crate::machine::secure_boot::KeysReset;
use crate::machine::truth::Execution;
use crate::quirk::Quirk;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    if cx.machine.has(Quirk::SecureBootFailsDuringPost) && cx.machine.execution == Execution::Post {
        let message = Message::new(&message::INTERNAL_ERROR, []);
        return Err(cx.error(StatusCode::INTERNAL_SERVER_ERROR, message));
    }
    match rest {
        [] => match cx.call.method {
            Method::PATCH => patch(cx),
            _ => cx.read("GET, HEAD, PATCH", document),
        },
        ["Actions", "SecureBoot.ResetKeys"] => reset_keys(cx),
        [info] => {
            let uri = uri(cx);
            actions::info(cx, &uri, info, &[reset_keys_action()])
        }
        _ => cx.not_found(),
    }
}

fn uri(cx: &Context<'_>) -> String {
    format!("{}/SecureBoot", cx.system_uri())
}

fn reset_keys_action() -> Action {
    let values = KeysReset::ALL.map(KeysReset::as_str);
    Action {
        name: "SecureBoot.ResetKeys",
        parameters: vec![Parameter::one_of("ResetKeysType", true, values)],
    }
}

fn document(cx: &mut Context<'_>) -> Value {
    let uri = uri(cx);
    let secure_boot = &cx.machine.secure_boot;
    let on_off = |on: bool| if on { "Enabled" } else { "Disabled" };
    json!({
        "@odata.type": "#SecureBoot.v1_1_2.SecureBoot",
        "@odata.id": uri,
        "Id": "SecureBoot",
        "Name": "UEFI Secure Boot",
        "SecureBootEnable": secure_boot.wanted,
        "SecureBootCurrentBoot": on_off(secure_boot.in_force),
        "SecureBootMode": if secure_boot.has_platform_key { "UserMode" } else { "SetupMode" },
        "Actions": {
            "#SecureBoot.ResetKeys": reset_keys_action().offer(cx.personality(), &uri),
        },
    })
}

fn patch(cx: &mut Context<'_>) -> Answer {
    let before = document(cx);
    cx.check_if_match(&before)?;
    cx.refuse_during_post()?;
    let (mut enable, mut wrong) = (None, Vec::new());
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), value) {
            ("SecureBootEnable", Value::Bool(wanted)) => enable = Some(wanted),
            ("SecureBootEnable", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(wanted) = enable {
        cx.machine.secure_boot.wanted = wanted;
    }
    Ok(cx.success())
}

fn reset_keys(cx: &mut Context<'_>) -> Answer {
    const ACTION: &str = "SecureBoot.ResetKeys";
    cx.require_post()?;
    let body = cx.object()?;
    let bad = |message| Err(cx.error(StatusCode::BAD_REQUEST, message));
    if let Some(unknown) = body.keys().find(|name| *name != "ResetKeysType") {
        return bad(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, unknown]).about(format!("#/{unknown}")));
    }
    let Some(wanted) = body.get("ResetKeysType") else {
        return bad(Message::new(
            &message::ACTION_PARAMETER_MISSING,
            [ACTION, "ResetKeysType"],
        ));
    };
    let text = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
    let Some(reset) = KeysReset::ALL.into_iter().find(|reset| reset.as_str() == text) else {
        let message = Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [&text, "ResetKeysType", ACTION]);
        return bad(message.about("#/ResetKeysType"));
    };
    cx.machine.secure_boot.reset_keys(reset);
    Ok(cx.success())
}
