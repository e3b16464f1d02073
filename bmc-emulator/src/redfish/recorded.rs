//! Answers of a machine that replays a recording: the recorded tree, with what is alive laid over it.
//!
//! What was not recorded is not there, except for the state of the service (sessions, accounts, tasks, subscriptions,
//! pending settings, the event log), which is the emulated machine's only. Entity tags are those of the emulated
//! resource: it is what a change is about, and the rest of the document never changes.

use http::{Method, StatusCode, header};
use serde_json::Value;

use super::call::{Call, Content, Reply};
use super::context::{Answer, Context};
use super::live;
use super::message::{self, Message};
use super::storage;
use crate::mockup::{Mockup, Recorded, overlay};

pub(super) fn dispatch(cx: &mut Context<'_>, mockup: &Mockup) -> Answer {
    let path = cx.call.path.clone();
    if mockup.is_state(&path) {
        let answer = emulated(cx, mockup, &path);
        let is_missing = matches!(&answer, Err(reply) if reply.status == StatusCode::NOT_FOUND);
        // The recorded machine may have a service that the emulated one lacks.
        return match mockup.resource(&path) {
            Some(recorded) if is_missing && mockup.is_root_of_state(&path) => {
                let document = recorded.json().unwrap_or_default();
                cx.read_only(|_| document)
            }
            _ => answer,
        };
    }
    if let Some((resource, action)) = path.split_once("/Actions/") {
        let known = mockup.resource(resource).is_some() || mockup.is_state(resource);
        return if known { act(cx, mockup, action) } else { cx.not_found() };
    }
    let Some(recorded) = mockup.resource(&path).cloned() else {
        // Recorders often leave out what every service must have.
        return match path.as_str() {
            "/redfish" | "/redfish/v1/odata" | "/redfish/v1/$metadata" => emulated(cx, mockup, &path),
            _ => cx.not_found(),
        };
    };
    match cx.call.method {
        Method::GET | Method::HEAD => read(cx, mockup, &path, recorded),
        _ => change(cx, mockup, &path, &recorded),
    }
}

/// What the emulated service says by itself.
fn emulated(cx: &mut Context<'_>, mockup: &Mockup, path: &str) -> Answer {
    let call = Call {
        method: cx.call.method.clone(),
        path: mockup.live_path(path).unwrap_or_else(|| path.to_owned()),
        query: cx.call.query.clone(),
        headers: cx.call.headers.clone(),
        body: cx.call.body.clone(),
    };
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    let mut inner = cx.with_call(&call);
    live(&mut inner, &segments)
}

fn read(cx: &mut Context<'_>, mockup: &Mockup, path: &str, recorded: Recorded) -> Answer {
    let document = match recorded {
        Recorded::Json(_) => recorded.json().unwrap_or_default(),
        Recorded::Xml(text) => {
            let mut reply = Reply::new(StatusCode::OK).with(header::ALLOW, "GET, HEAD");
            reply.body = Some(Content::Xml(text));
            return Ok(reply);
        }
    };
    match emulated(cx, mockup, path) {
        Ok(mut reply) => {
            if let Some(Content::Json(now)) = &mut reply.body {
                let mut shown = with_changes(cx, path, document);
                overlay(&mut shown, now);
                drop_links_to_pulled_drives(cx, mockup, &mut shown);
                if let Some(tag) = now.get("@odata.etag") {
                    shown["@odata.etag"] = tag.clone();
                }
                *now = shown;
            }
            Ok(reply)
        }
        // A drive that was pulled out is no longer where it was recorded.
        Err(reply) if reply.status == StatusCode::NOT_FOUND && mockup.is_drive(path) => Err(reply),
        Err(reply) if reply.status == StatusCode::NOT_FOUND => {
            cx.read("GET, HEAD, PATCH", |cx| with_changes(cx, path, document))
        }
        Err(reply) => Err(reply),
    }
}

fn drop_links_to_pulled_drives(cx: &Context<'_>, mockup: &Mockup, document: &mut Value) {
    let pulled = cx.machine.drives.iter().filter(|drive| drive.absent);
    let pulled: Vec<String> = pulled
        .filter_map(|drive| storage::uri_of(cx.machine, &drive.name))
        .collect();
    if pulled.is_empty() {
        return;
    }
    let is_there = |link: &Value| {
        let uri = link["@odata.id"].as_str().unwrap_or_default();
        let uri = mockup.live_path(uri).unwrap_or_else(|| uri.to_owned());
        !pulled.contains(&uri)
    };
    if let Some(Value::Array(drives)) = document.get_mut("Drives") {
        drives.retain(is_there);
        let count = drives.len();
        if let Some(counted) = document.get_mut("Drives@odata.count") {
            *counted = count.into();
        }
    }
}

fn change(cx: &mut Context<'_>, mockup: &Mockup, path: &str, recorded: &Recorded) -> Answer {
    match emulated(cx, mockup, path) {
        Err(reply) if reply.status == StatusCode::NOT_FOUND => match (&cx.call.method, recorded.json()) {
            (&Method::PATCH, Some(document)) => patch(cx, path, document),
            _ => cx.not_allowed("GET, HEAD, PATCH"),
        },
        answer => answer,
    }
}

/// Changes a resource of which nothing is known but the recording: what it has can be set, to a value of its kind.
fn patch(cx: &mut Context<'_>, path: &str, recorded: Value) -> Answer {
    let before = with_changes(cx, path, recorded);
    cx.check_if_match(&before)?;
    let body = cx.patch_object()?;
    let mut wrong = Vec::new();
    for (name, value) in &body {
        let pointer = format!("#/{name}");
        let message = match before.get(name) {
            None => Message::new(&message::PROPERTY_UNKNOWN, [name]),
            Some(_) if matches!(name.as_str(), "Id" | "Actions" | "Links") => {
                Message::new(&message::PROPERTY_NOT_WRITABLE, [name])
            }
            Some(known) if !same_kind(known, value) => {
                Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), name])
            }
            Some(_) => continue,
        };
        wrong.push(message.about(pointer));
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(replay) = &mut cx.machine.replay {
        let changed = replay.changed.entry(path.to_owned()).or_default();
        merge(changed, &Value::Object(body));
    }
    Ok(cx.success())
}

/// An action that the recorded machine offers. The emulated one carries out what it knows.
fn act(cx: &mut Context<'_>, mockup: &Mockup, action: &str) -> Answer {
    let path = cx.call.path.clone();
    match emulated(cx, mockup, &path) {
        Err(reply) if reply.status == StatusCode::NOT_FOUND => {
            cx.require_post()?;
            let message = Message::new(&message::ACTION_NOT_SUPPORTED, [action]);
            Err(cx.error(StatusCode::NOT_IMPLEMENTED, message))
        }
        answer => answer,
    }
}

fn with_changes(cx: &Context<'_>, path: &str, mut document: Value) -> Value {
    let changed = cx.machine.replay.as_ref().and_then(|replay| replay.changed.get(path));
    if let Some(changed) = changed {
        merge(&mut document, changed);
    }
    document
}

/// Whether a value may take the place of another. Nothing is known about what null stands for.
fn same_kind(known: &Value, value: &Value) -> bool {
    known.is_null() || value.is_null() || std::mem::discriminant(known) == std::mem::discriminant(value)
}

/// As in a JSON merge patch (RFC 7396), except that null is a value.
fn merge(target: &mut Value, change: &Value) {
    match change {
        Value::Object(change) if target.is_object() || target.is_null() => {
            for (name, value) in change {
                merge(&mut target[name], value);
            }
        }
        other => *target = other.clone(),
    }
}
