//! `JobService`: tasks as what they are to those who plan them (DSP0268, Job). A job that has not begun can be deleted.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::tasks::Task;
use crate::machine::Machine;

const URI: &str = "/redfish/v1/JobService";
const JOBS: &str = "/redfish/v1/JobService/Jobs";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    if !cx.personality().jobs.has_service() {
        return cx.not_found();
    }
    match rest {
        [] => cx.read_only(|cx| {
            json!({
                "@odata.type": "#JobService.v1_0_6.JobService",
                "@odata.id": URI,
                "Id": "JobService",
                "Name": "Job Service",
                "Status": { "State": "Enabled", "Health": "OK" },
                "ServiceEnabled": true,
                "DateTime": cx.machine.bmc_time(cx.moment.wall).to_string(),
                "ServiceCapabilities": { "MaxJobs": 256, "MaxSteps": 1, "Scheduling": false },
                "Jobs": link(JOBS),
            })
        }),
        ["Jobs"] => cx.read_only(|cx| {
            let ids = cx.task_ids().into_iter();
            collection(JOBS, "JobCollection", "Jobs", ids.map(|id| format!("{JOBS}/{id}")))
        }),
        ["Jobs", id] if cx.machine.redfish.tasks.get(id).is_some() => match cx.call.method {
            Method::DELETE => delete(cx, id),
            _ => cx.read("GET, HEAD, DELETE", |cx| document(cx, id)),
        },
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, id: &str) -> Value {
    let Some(task) = cx.machine.redfish.tasks.get(id) else {
        return Value::Null;
    };
    let mut document = json!({
        "@odata.type": "#Job.v1_2_3.Job",
        "@odata.id": format!("{JOBS}/{id}"),
        "Id": id,
        "Name": task.name,
        "JobState": if is_waiting(task) { "Pending" } else { task.state() },
        "JobStatus": if task.state() == "Exception" { "Critical" } else { "OK" },
        "PercentComplete": task.percent_complete(cx.moment.now),
        "StartTime": task.started.wall.to_string(),
        "Messages": [],
    });
    if let Some(ended) = &task.ended {
        document["EndTime"] = json!(ended.at.wall.to_string());
    }
    document
}

/// Whether a job waits for the next POST.
pub(super) fn is_waiting(task: &Task) -> bool {
    task.ended.is_none() && task.expected.is_none()
}

/// What waits is given up, what has ended is forgotten, what runs is not interrupted.
pub(super) fn delete(cx: &mut Context<'_>, id: &str) -> Answer {
    if !cx.machine.give_up(id) {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    let reply: Reply = cx.success();
    Ok(reply)
}

impl Machine {
    /// Removes a job that does not run, with what it was going to do. Whether it could be removed.
    pub(super) fn give_up(&mut self, id: &str) -> bool {
        let Some(task) = self.redfish.tasks.get(id) else {
            return false;
        };
        if task.ended.is_none() && !is_waiting(task) {
            return false;
        }
        if is_waiting(task) {
            let target = task.target.clone();
            self.volume_jobs.retain(|job| job.task != id);
            if target.ends_with("/Bios") {
                self.bios.discard_pending();
            } else if target == self.system_uri() {
                self.boot.staged_order = None;
            }
        }
        self.redfish.tasks.remove(id);
        true
    }
}
