//! The job queue of an iDRAC below its manager, which Dell's tools use instead of the `JobService`. Its documents are Dell's own; no link
//! leads to it, for it is known by its URI.

use http::{Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection};
use super::job_service::{delete, is_waiting};
use super::message::{self, Message};
use super::vendor;
use crate::quirk::Quirk;

/// For what is below the `Oem/Dell` of the manager.
pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/Oem/Dell/Jobs", cx.manager_uri());
    match rest {
        ["Jobs"] if cx.call.method == Method::POST => create(cx, &uri),
        ["Jobs"] => cx.read("GET, HEAD, POST", |cx| {
            let ids = cx.task_ids().into_iter();
            collection(
                &uri,
                "DellJobCollection",
                "JobQueue",
                ids.map(|id| format!("{uri}/{id}")),
            )
        }),
        ["Jobs", id] if cx.machine.redfish.tasks.get(id).is_some() => match cx.call.method {
            Method::DELETE => delete(cx, id),
            _ => cx.read("GET, HEAD, DELETE", |cx| document(cx, &uri, id)),
        },
        ["DellJobService", "Actions", DELETE_JOB_QUEUE] => delete_job_queue(cx),
        _ => cx.not_found(),
    }
}

const DELETE_JOB_QUEUE: &str = "DellJobService.DeleteJobQueue";

fn document(cx: &Context<'_>, uri: &str, id: &str) -> Value {
    let Some(task) = cx.machine.redfish.tasks.get(id) else {
        return Value::Null;
    };
    let (state, text, message) = match task.state() {
        _ if is_waiting(task) => ("Scheduled", "Task successfully scheduled.", "JCP001"),
        "Completed" => ("Completed", "Job completed successfully.", "PR19"),
        "Exception" => ("Failed", "Job failed.", "PR21"),
        _ => ("Running", "Job in progress.", "PR20"),
    };
    let job_type = if task.target.ends_with("/Bios") {
        "BIOSConfiguration"
    } else if task.name == "Firmware Update" {
        "FirmwareUpdate"
    } else {
        "RealTimeNoRebootConfiguration"
    };
    let local = |time: Timestamp| time.to_string().trim_end_matches('Z').to_owned();
    json!({
        "@odata.type": "#DellJob.v1_4_0.DellJob",
        "@odata.id": format!("{uri}/{id}"),
        "Id": id,
        "Name": task.name,
        "Description": "Job Instance",
        "JobType": job_type,
        "JobState": state,
        "PercentComplete": task.percent_complete(cx.moment.now),
        "Message": text,
        "MessageArgs": [],
        "MessageArgs@odata.count": 0,
        "MessageId": message,
        "StartTime": local(task.started.wall),
        "CompletionTime": task.ended.as_ref().map(|ended| local(ended.at.wall)),
        "EndTime": "TIME_NA",
        "TargetSettingsURI": null,
    })
}

fn refuse(cx: &Context<'_>, id: &str, text: &str) -> Answer {
    let vendor = vendor::message(vendor::IDRAC, id, text, "Warning");
    let general = Message::new(&message::GENERAL_ERROR, []);
    let body = message::error_body(&[general], &[vendor], cx.personality());
    Err(Reply::json(StatusCode::BAD_REQUEST, body))
}

/// Makes a job of pending BIOS settings.
fn create(cx: &mut Context<'_>, uri: &str) -> Answer {
    let body = cx.object()?;
    let bios = format!("{}/Bios", cx.system_uri());
    let settings = format!("{bios}/{}", cx.personality().bios_settings);
    let Some(target) = body.get("TargetSettingsURI") else {
        let message = Message::new(&message::PROPERTY_MISSING, ["TargetSettingsURI"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message));
    };
    if target.as_str() != Some(settings.as_str()) {
        let message = Message::new(&message::PROPERTY_VALUE_ERROR, ["TargetSettingsURI"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/TargetSettingsURI")));
    }
    if cx.machine.redfish.tasks.is_waiting_for(&bios) {
        let text = "Unable to create a configuration job because the pending configuration is already committed.";
        return refuse(cx, "RAC012", text);
    }
    if cx.machine.bios.pending().is_empty() && !cx.machine.bios.reset_pending() {
        return refuse(cx, "RAC0508", "No pending data present to create a Configuration job.");
    }
    cx.machine.bios.commit();
    let started = cx.machine.bmc_moment(cx.moment);
    let tasks = &mut cx.machine.redfish.tasks;
    let task = tasks.start("ConfigBIOS:BIOS.Setup.1-1", bios, None, started);
    let reply = Reply::new(StatusCode::OK);
    Ok(if cx.machine.has(Quirk::AcceptedWithoutLocation) {
        reply
    } else {
        reply.with(header::LOCATION, format!("{uri}/{task}"))
    })
}

/// One job by its id, or `JID_CLEARALL` for all that do not run.
fn delete_job_queue(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    let body = cx.object()?;
    match body.get("JobID").and_then(Value::as_str) {
        Some("JID_CLEARALL" | "JID_CLEARALL_FORCE") => {
            for id in cx.machine.redfish.tasks.ids() {
                // One that runs stays.
                let _ = cx.machine.give_up(&id);
            }
            Ok(cx.success())
        }
        Some(id) if cx.machine.redfish.tasks.get(id).is_some() => delete(cx, id),
        Some(_) => refuse(cx, "JCP037", "The specified job does not exist."),
        None => Err(cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(&message::ACTION_PARAMETER_MISSING, [DELETE_JOB_QUEUE, "JobID"]),
        )),
    }
}
