//! `TaskService` and its tasks, whose progress is computed when it is read.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::tasks::Task;
use crate::quirk::Quirk;

const URI: &str = "/redfish/v1/TaskService";
const TASKS: &str = "/redfish/v1/TaskService/Tasks";
const MONITORS: &str = "/redfish/v1/TaskService/TaskMonitors";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let kept_for = if cx.machine.has(Quirk::TasksVanish) {
        VANISHING
    } else {
        cx.personality().tasks.kept_for
    };
    let kept_for = cx.machine.scaled(kept_for);
    cx.machine.redfish.tasks.forget(cx.moment.now, kept_for);
    match rest {
        [] => cx.read_only(service),
        ["Tasks"] => cx.read_only(|cx| {
            let members = cx.task_ids().into_iter().map(|id| format!("{TASKS}/{id}"));
            collection(TASKS, "TaskCollection", "Tasks", members)
        }),
        ["Tasks" | "TaskMonitors", id] if is_unborn(cx, id) => cx.not_found(),
        ["Tasks", id] => match task_document(cx, id) {
            Some(document) => cx.read_only(|_| document),
            None => cx.not_found(),
        },
        ["TaskMonitors", id] if has_vanished(cx, id) => cx.not_found(),
        ["TaskMonitors", id] => monitor(cx, id),
        _ => cx.not_found(),
    }
}

fn is_unborn(cx: &Context<'_>, id: &str) -> bool {
    let task = cx.machine.redfish.tasks.get(id);
    cx.machine.has(Quirk::NewTaskNotFound) && task.is_some_and(|task| age(cx, task) < cx.machine.scaled(UNBORN))
}

/// [`Quirk::TasksVanish`].
const VANISHING: Duration = Duration::from_secs(60);

fn has_vanished(cx: &Context<'_>, id: &str) -> bool {
    let task = cx.machine.redfish.tasks.get(id);
    cx.machine.has(Quirk::TasksVanish) && task.is_some_and(|task| task.ended.is_some())
}

fn age(cx: &Context<'_>, task: &Task) -> Duration {
    cx.moment.now.saturating_duration_since(task.started.now)
}

fn service(cx: &mut Context<'_>) -> Value {
    json!({
        "@odata.type": "#TaskService.v1_2_1.TaskService",
        "@odata.id": URI,
        "Id": "TaskService",
        "Name": "Task Service",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "DateTime": cx.machine.bmc_time(cx.moment.wall).to_string(),
        "CompletedTaskOverWritePolicy": "Oldest",
        "LifeCycleEventOnTaskStateChange": true,
        "Tasks": link(TASKS),
    })
}

/// How long the URI of a new task is not there ([`Quirk::NewTaskNotFound`]).
const UNBORN: Duration = Duration::from_secs(2);
/// How long a task is new ([`Quirk::NewTaskState`]).
const NEW: Duration = Duration::from_secs(10);

pub(super) fn task_document(cx: &Context<'_>, id: &str) -> Option<Value> {
    let task = cx.machine.redfish.tasks.get(id)?;
    let hides_failure = cx.machine.has(Quirk::CompletedCritical) && task.state() == "Exception";
    let is_new =
        || cx.machine.has(Quirk::NewTaskState) && task.ended.is_none() && age(cx, task) < cx.machine.scaled(NEW);
    let state = match task.state() {
        _ if hides_failure => "Completed",
        _ if is_new() => "New",
        state => state,
    };
    let mut document = json!({
        "@odata.type": "#Task.v1_7_4.Task",
        "@odata.id": format!("{TASKS}/{id}"),
        "Id": id,
        "Name": task.name,
        "TaskState": state,
        "TaskStatus": if task.state() == "Exception" { "Critical" } else { "OK" },
        "PercentComplete": task.percent_complete(cx.moment.now),
        "StartTime": task.started.wall.to_string(),
        "TaskMonitor": format!("{MONITORS}/{id}"),
        "Messages": messages(cx, task),
        "Links": { "CreatedResources": [] },
    });
    if let Some(ended) = &task.ended {
        document["EndTime"] = json!(ended.at.wall.to_string());
    } else if let Some(expected) = task.expected {
        document["EstimatedDuration"] = json!(format!("PT{}S", expected.as_secs()));
    }
    Some(document)
}

fn messages(cx: &Context<'_>, task: &Task) -> Value {
    match &task.ended {
        None => json!([]),
        Some(ended) => match &ended.outcome {
            Ok(()) => json!([Message::new(&message::SUCCESS, [])
                .about(&task.target)
                .to_json(cx.personality())]),
            Err(reason) => {
                let mut object = Message::new(&message::INTERNAL_ERROR, [])
                    .about(&task.target)
                    .to_json(cx.personality());
                object["Message"] = json!(reason);
                json!([object])
            }
        },
    }
}

/// While the task runs, 202; afterwards what the request would have been answered with (DSP0266 §12.2).
fn monitor(cx: &mut Context<'_>, id: &str) -> Answer {
    let Some(document) = task_document(cx, id) else {
        return cx.not_found();
    };
    let failure = match cx.machine.redfish.tasks.get(id).and_then(|task| task.ended.as_ref()) {
        None => {
            let reply = Reply::json(StatusCode::ACCEPTED, document);
            return Ok(reply.with(header::LOCATION, format!("{MONITORS}/{id}")));
        }
        Some(ended) => ended.outcome.clone().err(),
    };
    match failure {
        None => Ok(cx.success()),
        Some(reason) => {
            let mut reply = cx.error(
                StatusCode::INTERNAL_SERVER_ERROR,
                Message::new(&message::INTERNAL_ERROR, []),
            );
            if let Some(super::call::Content::Json(body)) = &mut reply.body {
                body["error"]["@Message.ExtendedInfo"][0]["Message"] = json!(reason);
            }
            Err(reply)
        }
    }
}

/// 202 with the task and where to watch it. iDRACs point to the task itself, others to its monitor.
pub(super) fn accepted(cx: &Context<'_>, id: &str) -> Reply {
    let document = task_document(cx, id).unwrap_or_default();
    let (reply, location) = if cx.personality().tasks.job_ids {
        (Reply::new(StatusCode::ACCEPTED), format!("{TASKS}/{id}"))
    } else {
        (Reply::json(StatusCode::ACCEPTED, document), format!("{MONITORS}/{id}"))
    };
    if cx.machine.has(Quirk::AcceptedWithoutLocation) {
        reply
    } else {
        reply.with(header::LOCATION, location)
    }
}
