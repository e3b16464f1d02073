//! Tasks, task monitors and Dell jobs.

use http::StatusCode;
use nv_redfish::schema::task::{Task, TaskState as SchemaState};
use serde_json::Value;

use super::call::Outgoing;
use super::document::{flat, text, typed};
use crate::bmc::{BmcClient, BmcError, TaskReport, TaskState};
use crate::identity::TaskUri;
use crate::sabotage::{self, Bug};

/// Reads a document as a task. A monitor whose operation is over answers with that operation's result instead.
pub(super) fn report(document: &Value) -> Result<TaskReport, BmcError> {
    if document.get("JobState").is_some() && document.get("TaskState").is_none() {
        return Ok(job_report(document));
    }
    let task: Task = typed(document)?;
    let reported_state = text(document, "TaskState").unwrap_or_else(|| "unknown".to_owned());
    let status = text(document, "TaskStatus");
    // Incident 106.
    let healthy = status.as_deref().is_none_or(|status| status == "OK") || sabotage::active(Bug::CompletedIsSuccess);
    let state = match task.task_state {
        Some(SchemaState::Completed) if healthy => TaskState::Succeeded,
        Some(SchemaState::Completed | SchemaState::Exception | SchemaState::Killed | SchemaState::Cancelled) => {
            TaskState::Failed
        }
        _ => TaskState::Active,
    };
    Ok(TaskReport {
        state,
        reported: status.map_or_else(|| reported_state.clone(), |status| format!("{reported_state}/{status}")),
        percent: flat(task.percent_complete).and_then(|percent| u8::try_from(percent).ok()),
        messages: messages(document),
        retry_after: None,
    })
}

/// Dell's job queue: `JobState`, as untyped JSON because the schema of the standard Job does not know Dell's words.
fn job_report(document: &Value) -> TaskReport {
    let reported = text(document, "JobState").unwrap_or_default();
    let state = match reported.as_str() {
        "Completed" => TaskState::Succeeded,
        "Failed" | "CompletedWithErrors" | "RebootFailed" | "Exception" | "Cancelled" => TaskState::Failed,
        _ => TaskState::Active,
    };
    let percent = document["PercentComplete"]
        .as_u64()
        .and_then(|percent| u8::try_from(percent).ok());
    TaskReport {
        state,
        reported,
        percent,
        messages: text(document, "Message").into_iter().collect(),
        retry_after: None,
    }
}

fn messages(document: &Value) -> Vec<String> {
    let messages = document["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    messages
        .iter()
        .filter_map(|message| text(message, "Message").or_else(|| text(message, "MessageId")))
        .collect()
}

fn is_task(document: &Value) -> bool {
    ["TaskState", "JobState"].iter().any(|key| document.get(key).is_some())
}

impl BmcClient {
    /// One look at a task.
    ///
    /// # Errors
    /// [`BmcError`]. A task that is gone is an error with `is_not_found`.
    pub async fn task(&self, uri: &TaskUri) -> Result<TaskReport, BmcError> {
        self.measured("task", self.reading(), async |call| {
            // Not through the typed read: the status code of a task monitor is its answer (DSP0266 section 12.2).
            let answer = call.exchange(Outgoing::get(uri.as_str())).await?;
            let document = answer.json(uri.as_str(), false).ok().filter(is_task);
            if let (Some(document), true) = (document, answer.status.is_success()) {
                return Ok(TaskReport {
                    retry_after: answer.retry_after(),
                    ..report(&document)?
                });
            }
            let verdict = |state, reported: String| TaskReport {
                state,
                reported,
                percent: None,
                messages: Vec::new(),
                retry_after: answer.retry_after(),
            };
            match answer.status {
                StatusCode::ACCEPTED => Ok(verdict(TaskState::Active, "Accepted".to_owned())),
                status if status.is_success() => Ok(verdict(TaskState::Succeeded, format!("HTTP {}", status.as_u16()))),
                StatusCode::BAD_REQUEST | StatusCode::CONFLICT => {
                    let error = answer.error(false);
                    Ok(TaskReport {
                        messages: vec![error.to_string()],
                        ..verdict(TaskState::Failed, format!("HTTP {}", answer.status.as_u16()))
                    })
                }
                _ => Err(answer.error(false)),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_healthy_completion_is_success() {
        for (state, status, wanted) in [
            ("Completed", "OK", TaskState::Succeeded),
            ("Completed", "Critical", TaskState::Failed),
            ("Completed", "Warning", TaskState::Failed),
            ("Exception", "OK", TaskState::Failed),
            ("Killed", "OK", TaskState::Failed),
            ("Cancelled", "OK", TaskState::Failed),
            ("New", "OK", TaskState::Active),
            ("Starting", "OK", TaskState::Active),
            ("Running", "OK", TaskState::Active),
            ("Interrupted", "Warning", TaskState::Active),
            ("Suspended", "OK", TaskState::Active),
            ("VendorSpecific", "OK", TaskState::Active),
        ] {
            let document = json!({"@odata.id": "/t/1", "TaskState": state, "TaskStatus": status, "PercentComplete": 40,
                "Messages": [{"MessageId": "A.1.0.B", "Message": "text"}, {"MessageId": "A.1.0.C"}]});
            let report = report(&document).expect("task");
            assert_eq!((report.state, report.percent), (wanted, Some(40)), "{state}/{status}");
            assert_eq!(report.messages, ["text", "A.1.0.C"]);
            assert_eq!(report.reported, format!("{state}/{status}"));
        }
    }

    #[test]
    fn dell_jobs_are_read_too() {
        let job = |state: &str| {
            report(&json!({"@odata.id": "/j/1", "JobState": state, "Message": "m"}))
                .expect("job")
                .state
        };
        assert_eq!(job("Completed"), TaskState::Succeeded);
        assert_eq!(job("CompletedWithErrors"), TaskState::Failed);
        assert_eq!(job("Scheduled"), TaskState::Active);
    }
}
