//! `MultipartHttpPushUri`: a firmware image that comes with the request (DSP0266 §12.7).

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context};
use super::message::{self, Message};
use super::multipart::{self, Part};
use super::update_service;
use crate::update::{Image, UpdateOrder};

/// `MaxImageSizeBytes`. What is in an image does not matter, so that none has to be large.
pub(super) const MAXIMUM_IMAGE: usize = 32 * 1024 * 1024;

pub(super) fn push(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    let content_type = cx.call.header(&header::CONTENT_TYPE).unwrap_or_default();
    let Some(parts) = multipart::parts(content_type, &cx.call.body) else {
        return Err(cx.error(StatusCode::BAD_REQUEST, Message::new(&message::UNRECOGNIZED_BODY, [])));
    };
    let order = read(cx, &parts)?;
    Ok(update_service::start(cx, order))
}

fn read(cx: &Context<'_>, parts: &[Part<'_>]) -> Result<UpdateOrder, Reply> {
    let bad = |message| cx.error(StatusCode::BAD_REQUEST, message);
    let missing = |name: &str| bad(Message::new(&message::PROPERTY_MISSING, [name]));
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    let parameters = part("UpdateParameters").ok_or_else(|| missing("UpdateParameters"))?;
    let file = part("UpdateFile").ok_or_else(|| missing("UpdateFile"))?;
    let parameters: Value =
        serde_json::from_slice(parameters.content).map_err(|_| bad(Message::new(&message::MALFORMED_JSON, [])))?;
    let Some(parameters) = parameters.as_object() else {
        return Err(bad(Message::new(&message::UNRECOGNIZED_BODY, [])));
    };
    let (mut target, mut wrong) = (None, Vec::new());
    for (name, value) in parameters {
        let pointer = format!("#/{name}");
        match (name.as_str(), value) {
            ("Targets", Value::Array(targets)) => match update_service::read_targets(cx, targets) {
                Ok(component) => target = component,
                Err(message) => wrong.push(message),
            },
            ("@Redfish.OperationApplyTime", value) if *value == json!("Immediate") => {}
            ("ForceUpdate", Value::Bool(_)) => {}
            ("Oem", Value::Object(_)) => {}
            ("Targets" | "@Redfish.OperationApplyTime" | "ForceUpdate", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    Ok(UpdateOrder {
        image: Image::Pushed {
            name: file.file_name.clone().unwrap_or_default(),
            content: file.content.iter().take(Image::BEGINNING).copied().collect(),
        },
        target,
    })
}
