//! `VirtualMedia` (DSP0268): images from the network as drives with removable media.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::context::{Answer, Context, collection, leave_out};
use super::message::{self, Message};
use super::vendor;
use crate::machine::media::{MediaSlot, Medium};
use crate::quirk::Quirk;
use crate::secret::Secret;

/// `parent` is the system or the manager, whichever has the collection.
pub(super) fn route(cx: &mut Context<'_>, parent: &str, rest: &[&str]) -> Answer {
    let uri = format!("{parent}/VirtualMedia");
    let [id, rest @ ..] = rest else {
        return cx.read_only(|cx| {
            let members = cx.machine.media.iter().map(|slot| format!("{uri}/{}", slot.style.id));
            collection(&uri, "VirtualMediaCollection", "Virtual Media Collection", members)
        });
    };
    if cx.machine.media_slot(id).is_none() {
        return cx.not_found();
    }
    let by_patch = cx.machine.has(Quirk::MediaByPatch);
    match rest {
        [] if by_patch && cx.call.method == Method::PATCH => patch(cx, &uri, id),
        [] => {
            let allow = if by_patch { "GET, HEAD, PATCH" } else { "GET, HEAD" };
            cx.read(allow, |cx| document(cx, &uri, id))
        }
        ["Actions", "VirtualMedia.InsertMedia"] if !by_patch => insert(cx, id),
        ["Actions", "VirtualMedia.EjectMedia"] if !by_patch => eject(cx, id),
        _ => cx.not_found(),
    }
}

fn document(cx: &mut Context<'_>, collection: &str, id: &str) -> Value {
    let keeps_name = cx.machine.has(Quirk::ImageNameRemains);
    let by_patch = cx.machine.has(Quirk::MediaByPatch);
    let is_ejecting = is_ejecting(cx);
    let Some(slot) = cx.machine.media_slot(id) else {
        return Value::Null;
    };
    let uri = format!("{collection}/{id}");
    let medium = slot.medium.as_ref();
    let shown = medium
        .map(|medium| &medium.image)
        .or(slot.last_image.as_ref().filter(|_| keeps_name));
    let mut document = json!({
        "@odata.type": "#VirtualMedia.v1_6_3.VirtualMedia",
        "@odata.id": uri,
        "Id": id,
        "Name": format!("Virtual Media {id}"),
        "MediaTypes": slot.style.types,
        "Image": medium.map(|medium| &medium.image),
        "ImageName": shown.and_then(|image| image.rsplit('/').next()),
        "ConnectedVia": if medium.is_some() { "URI" } else { "NotConnected" },
        "Inserted": medium.is_some() || is_ejecting && slot.last_image.is_some(),
        "WriteProtected": medium.is_none_or(|medium| medium.write_protected),
        "TransferMethod": medium.map(|_| "Stream"),
        "TransferProtocolType": medium.map(|medium| medium.transfer_protocol),
        "UserName": medium.and_then(|medium| medium.user_name.as_ref()),
        "Password": null,
        "Status": { "State": "Enabled", "Health": "OK" },
        "Actions": {
            "#VirtualMedia.InsertMedia": {
                "target": format!("{uri}/Actions/VirtualMedia.InsertMedia"),
                "TransferMethod@Redfish.AllowableValues": ["Stream"],
                "TransferProtocolType@Redfish.AllowableValues": PROTOCOLS.map(|(_, name)| name),
            },
            "#VirtualMedia.EjectMedia": { "target": format!("{uri}/Actions/VirtualMedia.EjectMedia") },
        },
    });
    if by_patch {
        leave_out(&mut document, "Actions");
    }
    document
}

/// `TransferProtocolType` by scheme of the image's URI.
const PROTOCOLS: [(&str, &str); 4] = [("http", "HTTP"), ("https", "HTTPS"), ("nfs", "NFS"), ("smb", "CIFS")];

fn insert(cx: &mut Context<'_>, id: &str) -> Answer {
    cx.require_post()?;
    let body = cx.object()?;
    let medium = read(cx, &body)?;
    insert_medium(cx, id, medium)
}

fn insert_medium(cx: &mut Context<'_>, id: &str, medium: Option<Medium>) -> Answer {
    if cx.machine.stumbles(Quirk::FirstInsertFails) {
        let text = "Unable to connect to the remote image because of an internal error.";
        return Err(cx.vendor_error(StatusCode::INTERNAL_SERVER_ERROR, vendor::IDRAC, "SYS446", text));
    }
    if is_ejecting(cx) {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    let slot = cx.machine.media_slot(id).filter(|slot| slot.medium.is_none());
    let Some(slot) = slot else {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    };
    slot.medium = medium;
    Ok(cx.success())
}

fn eject(cx: &mut Context<'_>, id: &str) -> Answer {
    cx.require_post()?;
    if cx.call.body.is_empty() && cx.machine.has(Quirk::EjectNeedsBody) {
        let message = Message::new(&message::HEADER_INVALID, ["Content-Type"]);
        return Err(cx.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = cx.action_object()?;
    if let Some(unknown) = body.keys().next() {
        let message = Message::new(&message::ACTION_PARAMETER_UNKNOWN, ["VirtualMedia.EjectMedia", unknown]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about(format!("#/{unknown}"))));
    }
    if cx.machine.media_slot(id).is_some_and(MediaSlot::eject) {
        cx.machine.hiccups.media_ejected = Some(cx.moment.now);
    }
    Ok(cx.success())
}

/// [`Quirk::EjectTakesTime`].
const EJECTING: Duration = Duration::from_secs(10);

fn is_ejecting(cx: &Context<'_>) -> bool {
    let ejected = cx.machine.hiccups.media_ejected;
    cx.machine
        .is_disturbed(Quirk::EjectTakesTime, ejected, EJECTING, cx.moment.now)
}

/// [`Quirk::MediaByPatch`]: an image is inserted by setting it, and ejected by setting it to null.
fn patch(cx: &mut Context<'_>, collection: &str, id: &str) -> Answer {
    let before = document(cx, collection, id);
    cx.check_if_match(&before)?;
    let body = cx.patch_object()?;
    if body.get("Image").is_some_and(Value::is_null) || body.get("Inserted") == Some(&Value::Bool(false)) {
        if let Some(slot) = cx.machine.media_slot(id) {
            slot.eject();
        }
        return Ok(cx.success());
    }
    let medium = read(cx, &body)?;
    insert_medium(cx, id, medium)
}

/// The medium that the parameters of `InsertMedia` describe; none if it shall not be inserted yet.
fn read(cx: &Context<'_>, body: &Map<String, Value>) -> Result<Option<Medium>, super::call::Reply> {
    const ACTION: &str = "VirtualMedia.InsertMedia";
    let image_only = cx.machine.has(Quirk::InsertTakesImageOnly);
    let mut medium = Medium {
        image: String::new(),
        user_name: None,
        password: None,
        write_protected: true,
        transfer_protocol: "",
    };
    let (mut inserted, mut named_protocol, mut wrong) = (true, None, Vec::new());
    for (name, value) in body {
        let pointer = format!("#/{name}");
        let not_in_list = |text: &str| Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [text, name, ACTION]);
        match (name.as_str(), value) {
            ("Inserted" | "WriteProtected", _) if image_only => {
                wrong.push(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, name]).about(pointer));
            }
            ("Image", Value::String(uri)) => match protocol(uri) {
                Some(protocol) => {
                    medium.image.clone_from(uri);
                    medium.transfer_protocol = protocol;
                }
                None => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [name]).about(pointer)),
            },
            ("Inserted", Value::Bool(value)) => inserted = *value,
            ("WriteProtected", Value::Bool(value)) => medium.write_protected = *value,
            ("UserName", Value::String(text)) => medium.user_name = Some(text.clone()),
            ("Password", Value::String(text)) => medium.password = Some(Secret::new(text.clone())),
            ("TransferMethod", Value::String(text)) if text == "Stream" => {}
            ("TransferMethod", Value::String(text)) => wrong.push(not_in_list(text).about(pointer)),
            ("TransferProtocolType", Value::String(text)) => {
                named_protocol = PROTOCOLS.iter().map(|(_, name)| *name).find(|name| name == text);
                if named_protocol.is_none() {
                    wrong.push(not_in_list(text).about(pointer));
                }
            }
            ("UserName" | "Password" | "TransferMethod" | "TransferProtocolType", Value::Null) => {}
            (
                "Image" | "Inserted" | "WriteProtected" | "UserName" | "TransferMethod" | "TransferProtocolType",
                other,
            ) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
            }
            // The value stays out of the message: it is a password.
            ("Password", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [name]).about(pointer)),
            _ => wrong.push(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, name]).about(pointer)),
        }
    }
    if !body.contains_key("Image") {
        wrong.push(Message::new(&message::ACTION_PARAMETER_MISSING, [ACTION, "Image"]));
    }
    if named_protocol.is_none() && cx.machine.has(Quirk::TransferProtocolRequired) {
        wrong.push(Message::new(
            &message::ACTION_PARAMETER_MISSING,
            [ACTION, "TransferProtocolType"],
        ));
    }
    cx.refuse_if_any(&wrong)?;
    Ok(Some(medium).filter(|_| inserted))
}

fn protocol(uri: &str) -> Option<&'static str> {
    let scheme = uri.parse::<http::Uri>().ok()?.scheme_str()?.to_ascii_lowercase();
    PROTOCOLS
        .iter()
        .find(|(known, _)| *known == scheme)
        .map(|(_, name)| *name)
}
