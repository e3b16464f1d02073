use std::time::Duration;

use crds::firmware::{RetryPolicy, UpgradeIntent, UpgradeTask};
use crds::{VersionStatus, VersionTemplate};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::observed::TaskLook;
use super::*;
use crate::bmc::TaskReport;
use crate::controllers::firmware::Limits;
use crate::controllers::firmware::pass::Next;
use crate::identity::TaskUri;

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(5),
    resync: Duration::from_secs(120),
    drift_interval: Duration::from_secs(900),
    restart: Duration::from_secs(1800),
    settings: Duration::from_secs(7200),
    task: Duration::from_secs(7200),
    staging: Duration::from_secs(300),
    verification: Duration::from_secs(3600),
    retries: 0,
};

/// One object and its machine, over several decisions.
struct Stage {
    template: VersionTemplate,
    status: VersionStatus,
    component: Component,
    changed: bool,
    request: Option<&'static str>,
    permit: Permit,
    restart: Restart,
    reboot: Restart,
    reading: Option<Reading>,
    second: i64,
}

impl Stage {
    fn new(state: Option<VersionState>) -> Self {
        let permit = match state {
            Some(VersionState::InProgress) => Permit::Granted(Some(Power::On)),
            _ => Permit::Unrequested,
        };
        Self {
            template: VersionTemplate {
                version: "2.10".into(),
                ..VersionTemplate::default()
            },
            status: VersionStatus {
                state,
                ..VersionStatus::default()
            },
            component: Component::Bios,
            changed: false,
            request: None,
            permit,
            restart: Restart::Done,
            reboot: Restart::Done,
            reading: Some(Reading {
                version: Some("2.9".into()),
                power: ReportedPower::On,
                staged: false,
                tasks: Some(vec![(TaskUri::new("/t/1"), TaskState::Succeeded)]),
                task: None,
            }),
            second: 0,
        }
    }

    /// An update that is on its way.
    fn issued() -> Self {
        let mut stage = Self::new(Some(VersionState::InProgress));
        let wish = Wish::yes(ISSUED, "UpgradeIssued", "");
        conditions::set(&mut stage.status.conditions, &wish, Timestamp::UNIX_EPOCH);
        stage.status.upgrade_task = Some(UpgradeTask {
            uri: Some("/t/2".into()),
            ..UpgradeTask::default()
        });
        stage
    }

    fn task(&mut self, state: TaskState, reported: &str) -> &mut Self {
        self.reading().task = Some(TaskLook::Seen(TaskReport {
            state,
            reported: reported.into(),
            percent: Some(40),
            messages: vec!["no image".into()],
            retry_after: None,
        }));
        self
    }

    fn reading(&mut self) -> &mut Reading {
        self.reading.as_mut().unwrap()
    }

    /// Decides until there is something to do or to wait for, as a pass does.
    fn decide(&mut self) -> (Effect, Next) {
        for _ in 0..20 {
            let decision = decide(&Observed {
                component: self.component,
                template: &self.template,
                status: self.status.clone(),
                generation: Some(1),
                changed: self.changed,
                request: self.request,
                now: Timestamp::from_second(self.second).unwrap(),
                limits: &LIMITS,
                has_target: true,
                has_references: false,
                permit: self.permit.clone(),
                restart: self.restart.clone(),
                reboot: self.reboot.clone(),
                reading: self.reading.clone(),
            });
            self.status = decision.status;
            self.changed = false;
            if (decision.effect.clone(), decision.next) != (Effect::Nothing, Next::GoOn) {
                return (decision.effect, decision.next);
            }
        }
        panic!("no end: {:?}", self.status);
    }

    fn state(&self) -> &str {
        self.status.state.as_ref().map_or("", VersionState::as_str)
    }

    fn condition(&self, type_: &str) -> (&str, &str) {
        let condition = conditions::find(&self.status.conditions, type_);
        condition.map_or(("", ""), |condition| {
            (condition.status.as_str(), condition.reason.as_str())
        })
    }
}

#[test]
fn what_runs_already_is_not_touched() {
    let mut stage = Stage::new(None);
    stage.reading().version = Some("2.10".into());
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.drift_interval)));
    assert_eq!(stage.state(), "Completed");
    let mut stage = Stage::new(None);
    stage.reading = None;
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.resync)));
    assert_eq!(stage.state(), "Pending");
}

#[test]
fn an_update_begins_in_a_maintenance_with_a_machine_that_runs() {
    let mut stage = Stage::new(None);
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
    stage.permit = Permit::Waiting("s".into());
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.resync)));
    stage.permit = Permit::Granted(Some(Power::On));
    stage.restart = Restart::Wait;
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.resync)));
    stage.restart = Restart::Done;
    stage.reading().power = ReportedPower::Off;
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.interval)));
    stage.reading().power = ReportedPower::On;
    stage.reading().staged = true;
    stage.decide();
    assert_eq!(stage.condition(ISSUED), ("False", "UpdateStaged"));
    stage.reading().staged = false;
    assert_eq!(
        stage.decide().0,
        Effect::Send {
            known: vec!["/t/1".into()]
        }
    );
}

#[test]
fn an_update_that_may_have_been_sent_is_looked_for() {
    let table = [
        (vec!["/t/1", "/t/2"], 0, ("True", "UpgradeIssued"), "InProgress"),
        (vec!["/t/1"], 300, ("False", "UpgradeIssuing"), "InProgress"),
        (vec!["/t/1"], 301, ("False", "UpgradeLost"), "InProgress"),
        (vec![], 301, ("False", "UpgradeIssueFailed"), "Failed"),
    ];
    for (tasks, second, condition, state) in table {
        let mut stage = Stage::new(Some(VersionState::InProgress));
        let wish = Wish::no(ISSUED, "UpgradeIssuing", "");
        conditions::set(&mut stage.status.conditions, &wish, Timestamp::UNIX_EPOCH);
        stage.status.upgrade_intent = Some(UpgradeIntent {
            id: "1".into(),
            issued_at: Time(Timestamp::UNIX_EPOCH),
            known_tasks: vec!["/t/1".into()],
        });
        let listed = tasks.iter().map(|task| (TaskUri::new(*task), TaskState::Active));
        stage.reading().tasks = (!tasks.is_empty()).then(|| listed.collect());
        stage.second = second;
        let (effect, _) = stage.decide();
        assert_eq!(
            (stage.condition(ISSUED), stage.state()),
            (condition, state),
            "{tasks:?} {second}"
        );
        assert_eq!(matches!(effect, Effect::Send { .. }), condition.1 == "UpgradeLost");
    }
}

#[test]
fn a_bios_is_started_only_after_its_task_has_ended_or_waits_for_it() {
    for (state, reported, second, expected) in [
        (TaskState::Active, "Running/OK", 7200, ("False", "Running")),
        (TaskState::Active, "Starting/OK", 300, ("False", "Starting")),
        (TaskState::Active, "Starting/OK", 301, ("True", "UpgradeTaskStaged")),
        (TaskState::Active, "Scheduled", 301, ("True", "UpgradeTaskStaged")),
        (TaskState::Active, "Down%loading", 301, ("False", "Running")),
        (
            TaskState::Succeeded,
            "Completed/OK",
            1,
            ("True", "UpgradeTaskCompleted"),
        ),
    ] {
        let mut stage = Stage::issued();
        stage.task(state, reported).decide();
        assert_eq!(
            stage.status.upgrade_task.as_ref().unwrap().percentage_complete,
            Some(40)
        );
        stage.second = second;
        let (effect, _) = stage.decide();
        assert_eq!(stage.condition(COMPLETED), expected, "{reported} at {second}");
        let cut = effect == Effect::SetPower(Power::Off);
        assert_eq!(cut, expected.0 == "True", "{reported} at {second}: {effect:?}");
    }
}

#[test]
fn a_bios_is_verified_after_off_and_on() {
    let mut stage = Stage::issued();
    assert_eq!(
        stage.task(TaskState::Succeeded, "Completed/OK").decide().0,
        Effect::SetPower(Power::Off)
    );
    stage.permit = Permit::Granted(Some(Power::Off));
    assert_eq!(stage.decide().0, Effect::Nothing);
    stage.reading().power = ReportedPower::Off;
    assert_eq!(stage.decide().0, Effect::SetPower(Power::On));
    stage.permit = Permit::Granted(Some(Power::On));
    stage.reading().power = ReportedPower::On;
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.interval)));
    assert_eq!(stage.condition(VERIFIED), ("False", "VersionVerificationFailed"));
    stage.reading().version = Some("2.10".into());
    assert_eq!(stage.decide().0, Effect::Release);
    assert_eq!(
        (stage.state(), stage.condition(VERIFIED)),
        ("Completed", ("True", "VersionUpdateVerified"))
    );
}

#[test]
fn a_bmc_is_restarted_after_its_update_unless_it_was_already() {
    let mut stage = Stage::issued();
    stage.component = Component::Bmc;
    let wish = Wish::no(REBOOTED, "ResetIssued", "");
    stage.reboot = Restart::Request(wish.clone());
    assert_eq!(
        stage.task(TaskState::Succeeded, "Completed/OK").decide().0,
        Effect::RestartBmc(wish)
    );
    let mut stage = Stage::issued();
    stage.component = Component::Bmc;
    stage.reading().version = Some("2.10".into());
    assert_eq!(
        stage.task(TaskState::Succeeded, "Completed/OK").decide().0,
        Effect::Release
    );
}

#[test]
fn nothing_is_waited_for_without_end() {
    // W23.
    type Change = fn(&mut Stage);
    let table: [(Change, &str, (&str, &str)); 4] = [
        (
            |stage| {
                stage.task(TaskState::Active, "Running/OK").second = 7201;
            },
            COMPLETED,
            ("True", "UpgradeTaskTimedOut"),
        ),
        (
            |stage| {
                stage.reading = None;
                stage.second = 7201;
            },
            COMPLETED,
            ("True", "UpgradeTaskTimedOut"),
        ),
        (
            |stage| {
                stage.task(TaskState::Succeeded, "Completed/OK").decide();
                stage.second = 3601;
            },
            VERIFIED,
            ("False", "VerificationTimedOut"),
        ),
        (
            |stage| {
                stage.restart = Restart::TimedOut;
            },
            RESET_ISSUED,
            ("False", "ResetTimedOut"),
        ),
    ];
    for (change, type_, expected) in table {
        let mut stage = Stage::issued();
        change(&mut stage);
        let (effect, _) = stage.decide();
        assert_eq!((stage.state(), stage.condition(type_)), ("Failed", expected));
        assert_eq!(
            effect,
            Effect::Nothing,
            "the maintenance stays until somebody has looked"
        );
    }
}

#[test]
fn a_task_that_fails_says_why() {
    let mut stage = Stage::issued();
    stage.task(TaskState::Failed, "Exception/Critical").decide();
    assert_eq!(
        (stage.state(), stage.condition(COMPLETED)),
        ("Failed", ("True", "UpgradeTaskFailed"))
    );
    let condition = conditions::find(&stage.status.conditions, COMPLETED).unwrap();
    assert_eq!(condition.message, "The task of the update has failed: no image");
}

#[test]
fn a_task_that_is_gone_proves_nothing() {
    let gone = |second: i64, version: &str, state: TaskState| {
        let mut stage = Stage::issued();
        stage.reading().task = Some(TaskLook::Gone);
        stage.reading().version = Some(version.into());
        stage.reading().tasks = Some(vec![(TaskUri::new("/t/9"), state)]);
        stage.decide();
        stage.second = second;
        stage.decide();
        let (status, reason) = stage.condition(COMPLETED);
        (status.to_owned(), reason.to_owned())
    };
    for (second, version, state, expected) in [
        (300, "2.9", TaskState::Succeeded, ("False", "UpgradeTaskUnknown")),
        (301, "2.9", TaskState::Succeeded, ("True", "UpgradeTaskGone")),
        (301, "2.9", TaskState::Active, ("False", "UpgradeTaskUnknown")),
        (1, "2.10", TaskState::Succeeded, ("True", "UpgradeTaskCompleted")),
    ] {
        let (status, reason) = gone(second, version, state);
        assert_eq!((status.as_str(), reason.as_str()), expected, "{second} {version}");
    }
}

#[test]
fn a_completed_version_is_not_flashed_again_unasked() {
    // W37.
    let mut stage = Stage::new(Some(VersionState::Completed));
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.drift_interval)));
    assert_eq!(
        (stage.state(), stage.condition(DRIFT)),
        ("Completed", ("True", "VersionChanged"))
    );
    stage.request = Some("retry");
    assert_eq!(stage.decide().0, Effect::ClearRequest);
    assert_eq!(stage.state(), "Pending");
    let mut stage = Stage::new(Some(VersionState::Completed));
    stage.changed = true;
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
}

#[test]
fn a_failed_update_is_tried_again_when_it_may_be() {
    let mut stage = Stage::new(Some(VersionState::Failed));
    assert_eq!(stage.decide().0, Effect::Nothing);
    stage.template.retry_policy = Some(RetryPolicy { max_attempts: Some(1) });
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
    assert_eq!((stage.state(), stage.status.failed_attempts), ("InProgress", Some(1)));
    stage.status.state = Some(VersionState::Failed);
    assert_eq!(stage.decide().0, Effect::Nothing);
    assert_eq!(stage.state(), "Failed");
}
