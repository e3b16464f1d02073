//! `Volumes` of a storage controller that does RAID (DSP0268, Volume). Other controllers have none, and create none.

use std::time::Duration;

use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::actions::{self, Action, Parameter};
use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::drives::identifier;
use super::message::{self, Message};
use super::{storage, storage_controllers, task_service};
use crate::machine::Machine;
use crate::machine::drive::DriveName;
use crate::machine::raid::{VolumeChange, VolumeJob};
use crate::machine::volume::{NewVolume, RaidType, Volume};
use crate::personality::ApplyTime;

/// How long a controller takes to create, delete or quickly initialize a volume, where that is a task.
const CONFIGURING: Duration = Duration::from_secs(30);
const INITIALIZE: &str = "Volume.Initialize";
const APPLY_TIME: &str = "@Redfish.OperationApplyTime";

/// For the storage `controller` at `storage`.
pub(super) fn route(cx: &mut Context<'_>, storage: &str, controller: &str, rest: &[&str]) -> Answer {
    let uri = format!("{storage}/Volumes");
    let Some((id, rest)) = rest.split_first() else {
        let has_raid = !raid_types(cx, controller).is_empty();
        if has_raid && cx.call.method == Method::POST {
            return create(cx, storage, controller);
        }
        let allow = if has_raid { "GET, HEAD, POST" } else { "GET, HEAD" };
        return cx.read(allow, |cx| collection_document(cx, &uri, controller, has_raid));
    };
    let known = cx.machine.volume(id).filter(|volume| volume.controller == controller);
    if known.is_none() {
        return cx.not_found();
    }
    match rest {
        [] => match cx.call.method {
            Method::DELETE => delete(cx, &uri, id),
            Method::PATCH => patch(cx, storage, id),
            _ => cx.read("GET, HEAD, PATCH, DELETE", |cx| document(cx, storage, id)),
        },
        ["Actions", INITIALIZE] => initialize(cx, &uri, id),
        [info] => actions::info(cx, &format!("{uri}/{id}"), info, &[initialize_action()]),
        _ => cx.not_found(),
    }
}

pub(super) fn link_to(storage: &str, volume: &Volume) -> Value {
    link(format!("{storage}/Volumes/{}", volume.id))
}

fn raid_types(cx: &Context<'_>, controller: &str) -> Vec<RaidType> {
    storage_controllers::described(cx, controller).map_or_else(Vec::new, |controller| controller.raid_types.clone())
}

fn initialize_action() -> Action {
    Action {
        name: INITIALIZE,
        parameters: vec![Parameter::one_of("InitializeType", false, ["Fast", "Slow"])],
    }
}

fn collection_document(cx: &Context<'_>, uri: &str, controller: &str, has_raid: bool) -> Value {
    let volumes = cx
        .machine
        .volumes
        .iter()
        .filter(|volume| volume.controller == controller);
    let members: Vec<String> = volumes.map(|volume| format!("{uri}/{}", volume.id)).collect();
    let mut document = collection(uri, "VolumeCollection", "Volume Collection", members);
    if has_raid {
        let supported = cx.personality().raid.apply_times.iter().map(|time| time.as_str());
        document["@Redfish.OperationApplyTimeSupport"] = json!({
            "@odata.type": "#Settings.v1_3_5.OperationApplyTimeSupport",
            "SupportedValues": supported.collect::<Vec<_>>(),
        });
    }
    document
}

fn document(cx: &Context<'_>, storage: &str, id: &str) -> Value {
    let Some(volume) = cx.machine.volume(id) else {
        return Value::Null;
    };
    let uri = format!("{storage}/Volumes/{id}");
    let members: Vec<Value> = volume
        .members
        .iter()
        .map(|name| link(format!("{storage}/Drives/{name}")))
        .collect();
    let (durable_name, format) = identifier(&volume.wwid);
    json!({
        "@odata.type": "#Volume.v1_10_1.Volume",
        "@odata.id": uri,
        "Id": id,
        "Name": volume.name,
        "DisplayName": volume.name,
        "RAIDType": volume.raid.as_str(),
        "CapacityBytes": volume.capacity_bytes,
        "BlockSizeBytes": 512,
        "Identifiers": [{ "DurableName": durable_name, "DurableNameFormat": format }],
        "Status": status(cx.machine, volume),
        "Operations": operations(cx, id),
        "Links": { "Drives@odata.count": members.len(), "Drives": members },
        "Actions": { format!("#{INITIALIZE}"): initialize_action().offer(cx.personality(), &uri) },
    })
}

fn status(machine: &Machine, volume: &Volume) -> Value {
    match machine.missing_members(volume) {
        0 => json!({ "State": "Enabled", "Health": "OK" }),
        _ if machine.volume_works(volume) => json!({ "State": "Degraded", "Health": "Warning" }),
        _ => json!({ "State": "UnavailableOffline", "Health": "Critical" }),
    }
}

fn operations(cx: &Context<'_>, id: &str) -> Vec<Value> {
    let mut jobs = cx.machine.volume_jobs.iter();
    let job = jobs.find(|job| matches!(&job.change, VolumeChange::Initialize { id: other, .. } if other == id));
    let operation = job.and_then(|job| {
        let task = cx.machine.redfish.tasks.get(&job.task)?;
        Some(json!({
            "Operation": "Initialize",
            "OperationName": "Initialize",
            "PercentageComplete": task.percent_complete(cx.moment.now),
            "AssociatedTask": link(format!("/redfish/v1/TaskService/Tasks/{}", job.task)),
        }))
    });
    operation.into_iter().collect()
}

/// What a POST asks for.
#[derive(Default)]
struct Wanted {
    raid: Option<RaidType>,
    members: Option<Vec<DriveName>>,
    capacity_bytes: Option<u64>,
    name: Option<String>,
    apply_time: Option<ApplyTime>,
}

fn create(cx: &mut Context<'_>, storage: &str, controller: &str) -> Answer {
    let body = cx.object()?;
    let mut wrong = Vec::new();
    let wanted = read(cx, &body, storage, controller, &mut wrong);
    for (name, is_missing) in [("RAIDType", wanted.raid.is_none()), ("Links", wanted.members.is_none())] {
        if is_missing && wrong.is_empty() {
            wrong.push(Message::new(&message::PROPERTY_MISSING, [name]).about(format!("#/{name}")));
        }
    }
    cx.refuse_if_any(&wrong)?;
    let (raid, members) = (
        wanted.raid.unwrap_or(RaidType::RAID0),
        wanted.members.unwrap_or_default(),
    );
    let machine = &*cx.machine;
    let drives = machine.drives.iter().filter(|drive| members.contains(&drive.name));
    let smallest = drives.clone().map(|drive| drive.size_bytes).min().unwrap_or(0);
    let is_busy = |name: &DriveName| machine.volume_of(name).is_some() || machine.is_promised(name);
    if drives.clone().any(|drive| drive.erasure.is_some()) || members.iter().any(is_busy) {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    if !raid.takes(members.len()) {
        let message = Message::new(&message::PROPERTY_VALUE_ERROR, ["Drives"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/Links/Drives")));
    }
    let room = raid.capacity_bytes(members.len(), smallest);
    if wanted.capacity_bytes.is_some_and(|bytes| bytes == 0 || bytes > room) {
        let message = Message::new(&message::PROPERTY_VALUE_ERROR, ["CapacityBytes"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/CapacityBytes")));
    }
    let id = cx.machine.new_volume_id();
    let new = NewVolume {
        name: wanted.name.unwrap_or_else(|| format!("Volume {id}")),
        controller: controller.to_owned(),
        raid,
        members,
        capacity_bytes: wanted.capacity_bytes.unwrap_or(room),
        id,
    };
    let id = new.id.clone();
    let target = format!("{storage}/Volumes/{id}");
    let change = VolumeChange::Create(new);
    match carry_out(cx, "Create Volume", target.clone(), wanted.apply_time, change) {
        Some(task) => Ok(task_service::accepted(cx, &task)),
        None => Ok(Reply::json(StatusCode::CREATED, document(cx, storage, &id)).with(header::LOCATION, target)),
    }
}

fn read(
    cx: &Context<'_>,
    body: &Map<String, Value>,
    storage: &str,
    controller: &str,
    wrong: &mut Vec<Message>,
) -> Wanted {
    let mut wanted = Wanted::default();
    let known = raid_types(cx, controller);
    for (name, value) in body {
        let pointer = format!("#/{name}");
        match (name.as_str(), value) {
            ("RAIDType", Value::String(text)) => {
                wanted.raid = RaidType::parse(text).filter(|raid| known.contains(raid));
                if wanted.raid.is_none() {
                    wrong.push(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, name]).about(pointer));
                }
            }
            ("CapacityBytes", Value::Number(number)) if number.is_u64() => wanted.capacity_bytes = number.as_u64(),
            ("Name" | "DisplayName", Value::String(text)) => wanted.name = Some(text.clone()),
            ("Links", Value::Object(links)) => {
                match links.get("Drives").and_then(|drives| members(cx, storage, drives)) {
                    Some(drives) => wanted.members = Some(drives),
                    None => {
                        wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, ["Drives"]).about("#/Links/Drives"))
                    }
                }
            }
            (APPLY_TIME, value) => wanted.apply_time = read_apply_time(cx, value, wrong),
            ("RAIDType" | "CapacityBytes" | "Name" | "DisplayName" | "Links", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
        }
    }
    wanted
}

/// Drives of this storage, each once, or nothing if one of the links leads elsewhere.
fn members(cx: &Context<'_>, storage: &str, links: &Value) -> Option<Vec<DriveName>> {
    let prefix = format!("{storage}/Drives/");
    let mut names: Vec<DriveName> = Vec::new();
    for link in links.as_array()? {
        let name = DriveName(link["@odata.id"].as_str()?.strip_prefix(&prefix)?.to_owned());
        let is_here = |id: &str| prefix.ends_with(&format!("/Storage/{id}/Drives/"));
        let mut drives = cx.machine.drives.iter();
        drives.find(|drive| drive.name == name && !drive.absent && is_here(storage::controller(cx, drive)))?;
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn read_apply_time(cx: &Context<'_>, value: &Value, wrong: &mut Vec<Message>) -> Option<ApplyTime> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let known = cx.personality().raid.apply_times;
    let time = known.iter().find(|time| time.as_str() == text).copied();
    if time.is_none() {
        let message = Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [&text, APPLY_TIME]);
        wrong.push(message.about(format!("#/{APPLY_TIME}")));
    }
    time
}

/// Does it at once and returns nothing, or returns the task that will do it.
fn carry_out(
    cx: &mut Context<'_>,
    what: &str,
    target: String,
    apply_time: Option<ApplyTime>,
    change: VolumeChange,
) -> Option<String> {
    let raid = &cx.personality().raid;
    let is_initialization = matches!(change, VolumeChange::Initialize { .. });
    let apply_time = apply_time.unwrap_or(raid.apply_times[0]);
    if apply_time == ApplyTime::Immediate && !raid.as_tasks && !is_initialization {
        cx.machine.change_volumes(change, cx.moment);
        return None;
    }
    let duration = match &change {
        VolumeChange::Initialize { is_fast: false, .. } => cx.machine.timing.secure_erase,
        _ => cx.machine.scaled(CONFIGURING),
    };
    let expected = (apply_time == ApplyTime::Immediate).then_some(duration);
    let started = cx.machine.bmc_moment(cx.moment);
    let task = cx.machine.redfish.tasks.start(what, target, expected, started);
    cx.machine.volume_jobs.push(VolumeJob {
        task: task.clone(),
        due: expected.map(|duration| cx.moment.now + duration),
        change,
    });
    Some(task)
}

/// One thing at a time can be done to a volume.
fn refuse_if_busy(cx: &Context<'_>, id: &str) -> Result<(), Reply> {
    if cx.machine.is_volume_busy(id) {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    Ok(())
}

fn delete(cx: &mut Context<'_>, uri: &str, id: &str) -> Answer {
    refuse_if_busy(cx, id)?;
    let change = VolumeChange::Delete { id: id.to_owned() };
    match carry_out(cx, "Delete Volume", format!("{uri}/{id}"), None, change) {
        Some(task) => Ok(task_service::accepted(cx, &task)),
        None => Ok(cx.success()),
    }
}

fn patch(cx: &mut Context<'_>, storage: &str, id: &str) -> Answer {
    let before = document(cx, storage, id);
    cx.check_if_match(&before)?;
    let (mut name, mut wrong) = (None, Vec::new());
    for (property, value) in cx.patch_object()? {
        let pointer = format!("#/{property}");
        match (property.as_str(), value) {
            ("DisplayName", Value::String(text)) => name = Some(text),
            ("DisplayName", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &property]).about(pointer));
            }
            _ if before.get(&property).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&property]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&property]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    let volume = cx.machine.volumes.iter_mut().find(|volume| volume.id == id);
    if let (Some(name), Some(volume)) = (name, volume) {
        volume.name = name;
    }
    Ok(cx.success())
}

fn initialize(cx: &mut Context<'_>, uri: &str, id: &str) -> Answer {
    cx.require_post()?;
    let body = cx.action_object()?;
    let (mut is_fast, mut apply_time, mut wrong) = (true, None, Vec::new());
    for (name, value) in &body {
        let pointer = format!("#/{name}");
        match (name.as_str(), value.as_str()) {
            ("InitializeType", Some(kind @ ("Fast" | "Slow"))) => is_fast = kind == "Fast",
            ("InitializeType", _) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let message = Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [&text, name, INITIALIZE]);
                wrong.push(message.about(pointer));
            }
            (APPLY_TIME, _) => apply_time = read_apply_time(cx, value, &mut wrong),
            _ => wrong.push(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [INITIALIZE, name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    refuse_if_busy(cx, id)?;
    let id = id.to_owned();
    let (target, change) = (format!("{uri}/{id}"), VolumeChange::Initialize { id, is_fast });
    match carry_out(cx, "Initialize Volume", target, apply_time, change) {
        Some(task) => Ok(task_service::accepted(cx, &task)),
        None => Ok(cx.success()),
    }
}
