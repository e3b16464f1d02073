//! Query parameters (DSP0266 §7.3): `$expand` of one level, refusal of the others.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::call::{Call, Content, Reply};
use super::context::{Answer, Context};
use super::dispatch;
use super::message::{self, Message};

/// Whether the members of a collection are wanted in full. Unknown parameters without `$` are ignored, unknown
/// parameters with `$` are refused.
pub(super) fn expand(cx: &Context<'_>) -> Result<bool, Reply> {
    let mut expand = false;
    for parameter in cx
        .call
        .query
        .iter()
        .flat_map(|query| query.split('&'))
        .filter(|parameter| !parameter.is_empty())
    {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.replace("%24", "$").as_str() {
            "$expand" => match value
                .replace("%24", "$")
                .replace("%3D", "=")
                .replace("%28", "(")
                .replace("%29", ")")
                .as_str()
            {
                "." | ".($levels=1)" => expand = true,
                _ => {
                    let message = Message::new(&message::QUERY_VALUE_ERROR, [value, "$expand"]);
                    return Err(cx.error(StatusCode::BAD_REQUEST, message));
                }
            },
            "only" | "excerpt" => {
                let message = Message::new(&message::QUERY_NOT_SUPPORTED, [name]);
                return Err(cx.error(StatusCode::NOT_IMPLEMENTED, message));
            }
            unsupported if unsupported.starts_with('$') => {
                let message = Message::new(&message::QUERY_NOT_SUPPORTED, [unsupported]);
                return Err(cx.error(StatusCode::NOT_IMPLEMENTED, message));
            }
            _ => {}
        }
    }
    Ok(expand && (cx.call.method == Method::GET || cx.call.method == Method::HEAD))
}

/// Replaces the links in `Members` by the resources they point to.
pub(super) fn expand_members(cx: &mut Context<'_>, mut reply: Reply) -> Answer {
    let Some(Content::Json(document)) = &mut reply.body else {
        return Ok(reply);
    };
    let Some(Value::Array(members)) = document.get_mut("Members") else {
        return Ok(reply);
    };
    for member in members {
        let Some(path) = member.get("@odata.id").and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        if let Some(document) = read(cx, path) {
            *member = document;
        }
    }
    Ok(reply)
}

fn read(cx: &mut Context<'_>, path: String) -> Option<Value> {
    let call = Call {
        method: Method::GET,
        path,
        query: None,
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    let mut inner = Context {
        call: &call,
        machine: &mut *cx.machine,
        moment: cx.moment,
        caller: cx.caller.clone(),
    };
    match dispatch(&mut inner, &segments).ok()?.body? {
        Content::Json(document) => Some(document),
        Content::Xml(_) => None,
    }
}
