//! The task of an update: followed, and found again after a crash. Pure.

use crds::VersionStatus;
use crds::firmware::{UpgradeTask, VersionState};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::observed::{Decision, Observed, Reading, TaskLook};
use super::state::{COMPLETED, ISSUED};
use crate::bmc::{TaskReport, TaskState};
use crate::conditions::{self, Wish, seconds};
use crate::controllers::firmware::{since, versions};

/// States in which a task does nothing. One that does, is never disturbed, however long it says the same.
const IDLE: [&str; 6] = ["New", "Starting", "Pending", "Scheduled", "Suspended", "Accepted"];

fn look_soon(status: VersionStatus, observed: &Observed<'_>) -> Decision {
    Decision::later(status, observed.limits.interval)
}

fn fail(mut status: VersionStatus, observed: &Observed<'_>, wish: &Wish) -> Decision {
    conditions::set(&mut status.conditions, wish, observed.now);
    status.state = Some(VersionState::Failed);
    Decision::go_on(status)
}

/// The update was recorded, and nobody knows what became of it: the operator crashed, or the BMC did not answer. A task that the BMC did
/// not have before is the one.
pub(super) fn recover(mut status: VersionStatus, observed: &Observed<'_>, reading: &Reading) -> Decision {
    let Some(intent) = status.upgrade_intent.clone() else {
        return look_soon(status, observed);
    };
    if let Some(task) = new_task(&status, reading) {
        status.upgrade_task = Some(UpgradeTask {
            uri: Some(task),
            since: Some(Time(seconds(observed.now))),
            ..UpgradeTask::default()
        });
        let message = "The BMC has taken the update in";
        let wish = Wish::yes(ISSUED, "UpgradeIssued", message);
        conditions::set(&mut status.conditions, &wish, observed.now);
        return Decision::go_on(status);
    }
    if since(intent.issued_at.0, observed.now) <= observed.limits.staging {
        return look_soon(status, observed);
    }
    if reading.tasks.is_none() {
        let message =
            "Nobody knows whether the BMC has taken the update in, for it lists no tasks; look at it, and retry";
        return fail(status, observed, &Wish::no(ISSUED, "UpgradeIssueFailed", message));
    }
    // No task, and time enough for one: it was not taken in, and may be sent again.
    status.upgrade_intent = None;
    let message = "The BMC has not taken the update in; it is sent again";
    let wish = Wish::no(ISSUED, "UpgradeLost", message);
    conditions::set(&mut status.conditions, &wish, observed.now);
    Decision::go_on(status)
}

/// A task that the BMC did not have before; one that is at work before one that is not.
fn new_task(status: &VersionStatus, reading: &Reading) -> Option<String> {
    let intent = status.upgrade_intent.as_ref()?;
    let listed = reading.tasks.iter().flatten();
    let mut new: Vec<_> = listed
        .filter(|(uri, _)| !intent.known_tasks.iter().any(|known| known == uri.as_str()))
        .collect();
    new.sort_by_key(|(uri, state)| (*state != TaskState::Active, uri.clone()));
    new.first().map(|(uri, _)| uri.as_str().to_owned())
}

/// The update is on its way.
pub(super) fn follow(mut status: VersionStatus, observed: &Observed<'_>) -> Decision {
    let issued = conditions::find(&status.conditions, ISSUED);
    let sent = issued.map_or(observed.now, |issued| issued.last_transition_time.0);
    if since(sent, observed.now) > observed.limits.task {
        // W23. Nothing is switched off: whatever the task does, it may still be doing.
        let message = "The task of the update has not ended in time";
        return fail(status, observed, &Wish::yes(COMPLETED, "UpgradeTaskTimedOut", message));
    }
    let Some(reading) = &observed.reading else {
        return look_soon(status, observed);
    };
    let known = status.upgrade_task.as_ref().is_some_and(|task| task.uri.is_some());
    if !known && let Some(task) = new_task(&status, reading) {
        status.upgrade_task = Some(UpgradeTask {
            uri: Some(task),
            since: Some(Time(seconds(observed.now))),
            ..UpgradeTask::default()
        });
        return Decision::go_on(status);
    }
    match &reading.task {
        Some(TaskLook::Seen(report)) => seen(status, observed, report),
        Some(TaskLook::Gone) => gone(status, observed, reading),
        None if known => look_soon(status, observed),
        // It was accepted without a task.
        None => gone(status, observed, reading),
    }
}

fn seen(mut status: VersionStatus, observed: &Observed<'_>, report: &TaskReport) -> Decision {
    remember(&mut status, observed, report);
    let state = status.upgrade_task.clone().unwrap_or_default();
    let word = state.state.clone().unwrap_or_default();
    let stands_still = state
        .since
        .as_ref()
        .map_or_else(Default::default, |time| since(time.0, observed.now));
    let wish = match report.state {
        TaskState::Failed => {
            let why = report
                .messages
                .first()
                .cloned()
                .unwrap_or_else(|| report.reported.clone());
            let message = format!("The task of the update has failed: {why}");
            return fail(status, observed, &Wish::yes(COMPLETED, "UpgradeTaskFailed", message));
        }
        TaskState::Succeeded => Wish::yes(COMPLETED, "UpgradeTaskCompleted", "The task of the update has ended"),
        TaskState::Active if IDLE.contains(&word.as_str()) && stands_still > observed.limits.staging => Wish::yes(
            COMPLETED,
            "UpgradeTaskStaged",
            format!("The task of the update is {word} and waits for a restart"),
        ),
        TaskState::Active => {
            let message = match state.percentage_complete {
                Some(percent) => format!("The update is at {percent} %"),
                None => "The update is on its way".to_owned(),
            };
            let wish = Wish::no(COMPLETED, reason(&word), message);
            conditions::set(&mut status.conditions, &wish, observed.now);
            return look_soon(status, observed);
        }
    };
    conditions::set(&mut status.conditions, &wish, observed.now);
    Decision::go_on(status)
}

/// Neither success nor failure: what the machine runs decides, after the restart that the update may wait for.
fn gone(mut status: VersionStatus, observed: &Observed<'_>, reading: &Reading) -> Decision {
    let wish = if versions::same(reading.version.as_deref(), &observed.template.version) {
        Wish::yes(
            COMPLETED,
            "UpgradeTaskCompleted",
            "The task is gone, and the version is as wanted",
        )
    } else {
        let task = status.upgrade_task.get_or_insert_default();
        if task.state.as_deref() != Some("Unknown") {
            task.state = Some("Unknown".to_owned());
            task.since = Some(Time(seconds(observed.now)));
        }
        let missing = task
            .since
            .as_ref()
            .map_or_else(Default::default, |time| since(time.0, observed.now));
        let busy = reading
            .tasks
            .iter()
            .flatten()
            .any(|(_, state)| *state == TaskState::Active);
        if busy || missing <= observed.limits.staging {
            let message = "The BMC does not know the task of the update";
            let wish = Wish::no(COMPLETED, "UpgradeTaskUnknown", message);
            conditions::set(&mut status.conditions, &wish, observed.now);
            return look_soon(status, observed);
        }
        Wish::yes(
            COMPLETED,
            "UpgradeTaskGone",
            "The task is gone, and nothing is at work; the restart will tell",
        )
    };
    conditions::set(&mut status.conditions, &wish, observed.now);
    Decision::go_on(status)
}

fn remember(status: &mut VersionStatus, observed: &Observed<'_>, report: &TaskReport) {
    let (state, health) = match report.reported.split_once('/') {
        Some((state, health)) => (state, Some(health.to_owned())),
        None => (report.reported.as_str(), None),
    };
    let task = status.upgrade_task.get_or_insert_default();
    let percent = report.percent.map(i32::from);
    let same = task.state.as_deref() == Some(state) && task.percentage_complete == percent;
    if !same || task.since.is_none() {
        task.since = Some(Time(seconds(observed.now)));
    }
    task.state = Some(state.to_owned());
    task.status = health;
    task.percentage_complete = percent;
}

/// A reason of a condition has letters and digits only.
fn reason(state: &str) -> &str {
    let plain = state.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let begins = state.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if plain && begins { state } else { "Running" }
}
