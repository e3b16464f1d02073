use std::sync::Arc;
use std::time::Duration;

use crds::firmware::RetryPolicy;
use crds::kinds::bios_settings::SettingsFlowItem;
use crds::{BIOSSettings, BIOSSettingsSpec, BIOSSettingsTemplate, LocalObjectReference, ObjectReference, Power};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::bmc::{Bios, ReportedPower};
use crate::controllers::firmware::Limits;
use crate::controllers::firmware::pass::Next;

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

fn item(name: &str, priority: i32, settings: &[(&str, &str)]) -> SettingsFlowItem {
    SettingsFlowItem {
        name: name.into(),
        priority,
        settings: settings
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    }
}

/// One object, its server and its BMC, over several decisions.
struct Stage {
    settings: BIOSSettings,
    binding: Binding,
    permit: Permit,
    restart: Restart,
    reading: Option<Reading>,
    second: i64,
}

impl Stage {
    fn new(state: Option<SettingsState>) -> Self {
        let spec = BIOSSettingsSpec {
            template: BIOSSettingsTemplate {
                version: "1.0".into(),
                settings_flow: vec![item("b", 2, &[("B", "new")]), item("a", 1, &[("A", "new")])],
                ..BIOSSettingsTemplate::default()
            },
            server_ref: Some(LocalObjectReference::named("s")),
            ..BIOSSettingsSpec::default()
        };
        let mut settings = BIOSSettings::new("x", spec);
        settings.metadata.generation = Some(1);
        settings.status = Some(BIOSSettingsStatus {
            state,
            observed_generation: Some(1),
            ..BIOSSettingsStatus::default()
        });
        let mut stage = Self {
            settings,
            binding: Binding::Own,
            permit: Permit::Unrequested,
            restart: Restart::Done,
            reading: None,
            second: 0,
        };
        stage.reads(json!({"A": "old", "B": "old"}), json!({}));
        stage
    }

    fn reads(&mut self, current: Value, pending: Value) {
        self.powered(ReportedPower::On, current, pending);
    }

    fn powered(&mut self, power: ReportedPower, current: Value, pending: Value) {
        let object = |value: Value| value.as_object().cloned().expect("object");
        self.reading = Some(Reading {
            power,
            version: Some("1.0".into()),
            bios: Some(Bios {
                attributes: object(current),
                pending: object(pending),
                supports_reset: true,
                reset_pending: false,
            }),
            registry: Arc::default(),
        });
    }

    fn grant(&mut self, power: Power) {
        self.permit = Permit::Granted(Some(power));
    }

    /// Decides until there is something to do or to wait for, as a pass does.
    fn decide(&mut self) -> (Effect, Next) {
        for _ in 0..20 {
            let decision = decide(&Observed {
                settings: &self.settings,
                now: Timestamp::from_second(self.second).unwrap(),
                limits: &LIMITS,
                binding: self.binding.clone(),
                permit: self.permit.clone(),
                restart: self.restart.clone(),
                reading: self.reading.clone(),
            });
            self.settings.status = Some(decision.status);
            if (decision.effect.clone(), decision.next) != (Effect::Nothing, Next::GoOn) {
                return (decision.effect, decision.next);
            }
        }
        panic!("no end: {:?}", self.settings.status);
    }

    fn status(&self) -> &BIOSSettingsStatus {
        self.settings.status.as_ref().unwrap()
    }

    fn state(&self) -> &str {
        self.status().state.as_ref().map_or("", SettingsState::as_str)
    }

    fn condition(&self, type_: &str) -> Option<(&str, &str)> {
        let condition = conditions::find(&self.status().conditions, type_)?;
        Some((condition.status.as_str(), condition.reason.as_str()))
    }
}

#[test]
fn what_waits_and_what_begins() {
    type Change = fn(&mut Stage);
    let table: [(&str, Change, &str, Effect); 10] = [
        ("a difference", |_| {}, "InProgress", Effect::RequestMaintenance),
        (
            "no server",
            |stage| stage.binding = Binding::NoServer,
            "Pending",
            Effect::Nothing,
        ),
        (
            "a free server",
            |stage| stage.binding = Binding::Free,
            "Pending",
            Effect::Bind,
        ),
        (
            "a server of another one",
            |stage| stage.binding = Binding::Other("y".into()),
            "Pending",
            Effect::Nothing,
        ),
        ("no answer", |stage| stage.reading = None, "Pending", Effect::Nothing),
        (
            "no flow",
            |stage| stage.settings.spec.template.settings_flow.clear(),
            "Applied",
            Effect::Nothing,
        ),
        (
            "in force",
            |stage| stage.reads(json!({"A": "new", "B": "new"}), json!({})),
            "Applied",
            Effect::Nothing,
        ),
        (
            "staged by others",
            |stage| stage.reads(json!({"A": "old", "B": "old"}), json!({"C": "x"})),
            "Failed",
            Effect::RequestMaintenance,
        ),
        (
            "an attribute twice",
            |stage| {
                stage
                    .settings
                    .spec
                    .template
                    .settings_flow
                    .push(item("c", 3, &[("A", "x")]))
            },
            "Failed",
            Effect::Nothing,
        ),
        (
            "another version",
            |stage| stage.settings.spec.template.version = "2.0".into(),
            "Pending",
            Effect::Nothing,
        ),
    ];
    for (name, change, state, effect) in table {
        let mut stage = Stage::new(None);
        change(&mut stage);
        assert_eq!(stage.decide().0, effect, "{name}");
        assert_eq!(stage.state(), state, "{name}");
    }
}

#[test]
fn nothing_is_done_without_the_maintenance_and_before_the_bmc_has_restarted() {
    let mut stage = Stage::new(Some(SettingsState::InProgress));
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
    stage.permit = Permit::Waiting("s".into());
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.resync)));
    assert_eq!(
        stage.condition("ServerMaintenanceWaiting"),
        Some(("True", "ServerMaintenanceWaitingOnApproval"))
    );
    stage.grant(Power::On);
    let wish = Wish::no(RESET_ISSUED, "ResetIssued", "");
    stage.restart = Restart::Request(wish.clone());
    assert_eq!(stage.decide().0, Effect::RestartBmc(wish));
    stage.restart = Restart::Wait;
    assert_eq!(stage.decide().0, Effect::Nothing);
    assert_eq!(
        stage.condition("ServerMaintenanceWaiting"),
        Some(("False", "ServerMaintenanceApproval"))
    );
    stage.restart = Restart::TimedOut;
    stage.decide();
    assert_eq!(
        (stage.state(), stage.condition(RESET_ISSUED)),
        ("Failed", Some(("False", "ResetTimedOut")))
    );
}

/// Applies item `a`, and stages item `b`.
fn half_way() -> Stage {
    let mut stage = Stage::new(None);
    stage.decide();
    stage.grant(Power::On);
    let staged = |effect: Effect| match effect {
        Effect::Stage { item, changes } => format!("{item}: {}", Value::Object(changes)),
        other => panic!("{other:?}"),
    };
    assert_eq!(staged(stage.decide().0), r#"a: {"A":"new"}"#);
    let (old, staged_a) = (json!({"A": "old", "B": "old"}), json!({"A": "new"}));
    stage.reads(old.clone(), staged_a.clone());
    assert_eq!(stage.decide().0, Effect::SetPower(Power::Off));
    stage.grant(Power::Off);
    assert_eq!(stage.decide().0, Effect::Nothing, "it goes down");
    stage.powered(ReportedPower::Off, old, staged_a);
    assert_eq!(stage.decide().0, Effect::SetPower(Power::On));
    stage.grant(Power::On);
    stage.reads(json!({"A": "new", "B": "old"}), json!({}));
    assert_eq!(staged(stage.decide().0), r#"b: {"B":"new"}"#);
    stage
}

#[test]
fn the_flow_is_applied_in_its_order() {
    let mut stage = half_way();
    stage.reads(json!({"A": "new", "B": "new"}), json!({}));
    assert_eq!(
        stage.decide().0,
        Effect::SetPower(Power::Off),
        "a BIOS may show what is staged only"
    );
    stage.powered(ReportedPower::Off, json!({"A": "new", "B": "new"}), json!({}));
    stage.grant(Power::Off);
    stage.decide();
    stage.grant(Power::On);
    stage.reads(json!({"A": "new", "B": "new"}), json!({}));
    assert_eq!(stage.decide().0, Effect::Release);
    assert_eq!(stage.state(), "Applied");
    let states: Vec<_> = stage
        .status()
        .flow_state
        .iter()
        .map(|item| (item.name.as_str(), item.flow_state.clone().unwrap()))
        .collect();
    assert_eq!(states, [("a", SettingsState::Applied), ("b", SettingsState::Applied)]);
}

#[test]
fn a_flow_that_fails_half_way_is_taken_back() {
    // W34.
    let mut stage = half_way();
    stage.reads(json!({"A": "new", "B": "old"}), json!({"C": "x"}));
    let Effect::Stage { item, changes } = stage.decide().0 else {
        panic!("{:?}", stage.status());
    };
    assert_eq!((item.as_str(), Value::Object(changes)), (ROLLBACK, json!({"A": "old"})));
    assert_eq!(stage.condition(ROLLED_BACK), Some(("False", "RollbackStarted")));
    assert_eq!(
        stage.condition("UnknownPendingSettingState").map(|(status, _)| status),
        Some("True")
    );
    stage.reads(json!({"A": "new", "B": "old"}), json!({"A": "old"}));
    assert_eq!(stage.decide().0, Effect::SetPower(Power::Off));
    stage.grant(Power::Off);
    stage.powered(ReportedPower::Off, json!({"A": "new", "B": "old"}), json!({"A": "old"}));
    assert_eq!(stage.decide().0, Effect::SetPower(Power::On));
    stage.grant(Power::On);
    stage.reads(json!({"A": "old", "B": "old"}), json!({}));
    assert_eq!(stage.decide().0, Effect::Release, "the machine is as it was");
    assert_eq!(stage.state(), "Failed");
    assert_eq!(stage.condition(ROLLED_BACK), Some(("True", "RolledBack")));
}

#[test]
fn a_machine_that_cannot_be_taken_back_stays_in_maintenance() {
    let mut stage = half_way();
    stage.second = 7201;
    assert!(
        matches!(stage.decide().0, Effect::Stage { .. }),
        "the rollback has its own time"
    );
    stage.second = 2 * 7201;
    stage.decide();
    assert_eq!(stage.state(), "Failed");
    assert_eq!(stage.condition(ROLLED_BACK), Some(("False", "RollbackFailed")));
    assert_eq!(stage.decide().0, Effect::Nothing);
}

#[test]
fn a_failed_object_is_tried_again_when_it_may_be() {
    for (limit, request, generation, expected, attempts) in [
        (None, None, 1, "Failed", None),
        (Some(1), None, 1, "InProgress", Some(1)),
        (None, Some("retry"), 1, "Pending", Some(0)),
        (None, None, 2, "InProgress", Some(0)),
    ] {
        let mut stage = Stage::new(Some(SettingsState::Failed));
        stage.settings.spec.template.retry_policy = limit.map(|limit| RetryPolicy {
            max_attempts: Some(limit),
        });
        stage.settings.metadata.generation = Some(generation);
        if let Some(request) = request {
            let annotation = crds::keys::OPERATION_ANNOTATION.to_owned();
            stage.settings.annotations_mut().insert(annotation, request.into());
        }
        let (effect, _) = stage.decide();
        assert_eq!(stage.state(), expected, "{limit:?} {request:?} {generation}");
        assert_eq!(stage.status().failed_attempts, attempts);
        if request.is_some() {
            assert_eq!(effect, Effect::ClearRequest);
            assert_eq!(stage.condition(RETRIED), Some(("True", RETRIED)));
        }
    }
}

#[test]
fn applied_settings_are_watched() {
    let mut stage = Stage::new(Some(SettingsState::Applied));
    stage.settings.spec.server_maintenance_ref = Some(ObjectReference::default());
    assert_eq!(stage.decide().0, Effect::Release);
    stage.settings.spec.server_maintenance_ref = None;
    stage.reads(json!({"A": "new", "B": "new"}), json!({}));
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.drift_interval)));
    stage.reads(json!({"A": "new", "B": "old"}), json!({}));
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
    assert_eq!(stage.state(), "InProgress");
}
