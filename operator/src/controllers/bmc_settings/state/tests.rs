use std::time::Duration;

use crds::{BMCSettings, BMCSettingsSpec, BMCSettingsTemplate, LocalObjectReference};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::*;
use crate::bmc::AttributeRegistry;
use crate::bmc::manager_attributes::Surface;
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

/// One object and its BMC, over several decisions.
struct Stage {
    settings: BMCSettings,
    binding: Binding,
    permit: Permit,
    restart: Restart,
    reset: Restart,
    wanted: Result<BTreeMap<String, String>, String>,
    reading: Option<Reading>,
    second: i64,
}

impl Stage {
    fn new(state: Option<SettingsState>) -> Self {
        let spec = BMCSettingsSpec {
            template: BMCSettingsTemplate {
                version: "1.0".into(),
                ..BMCSettingsTemplate::default()
            },
            bmc_ref: LocalObjectReference::named("b"),
            ..BMCSettingsSpec::default()
        };
        let mut settings = BMCSettings::new("x", spec);
        settings.metadata.generation = Some(1);
        settings.status = Some(BMCSettingsStatus {
            state,
            observed_generation: Some(1),
            ..BMCSettingsStatus::default()
        });
        let mut stage = Self {
            settings,
            binding: Binding::Own,
            permit: Permit::Unrequested,
            restart: Restart::Done,
            reset: Restart::Done,
            wanted: Ok(BTreeMap::from([("A".into(), "new".into())])),
            reading: None,
            second: 0,
        };
        stage.reads("old", json!({}));
        stage
    }

    fn reads(&mut self, value: &str, pending: Value) {
        let registry = json!({ "RegistryEntries": { "Attributes": [{ "AttributeName": "A", "Type": "String" }] } });
        self.reading = Some(Reading {
            version: Some("1.0".into()),
            power: ReportedPower::On,
            attributes: Some(ManagerAttributes {
                surface: Surface::Attributes,
                current: Map::from_iter([("A".to_owned(), json!(value))]),
                pending: pending.as_object().cloned().expect("object"),
                registry: AttributeRegistry::parse(&registry),
            }),
        });
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
                reset: self.reset.clone(),
                wanted: self.wanted.clone(),
                reading: self.reading.clone(),
            });
            self.settings.status = Some(decision.status);
            if (decision.effect.clone(), decision.next) != (Effect::Nothing, Next::GoOn) {
                return (decision.effect, decision.next);
            }
        }
        panic!("no end: {:?}", self.settings.status);
    }

    /// As when the settings were sent.
    fn note(&mut self, effect: Effect) {
        let Effect::Apply { changes, notes } = effect else {
            panic!("{effect:?}");
        };
        assert_eq!(Value::Object(changes), json!({"A": "new"}));
        for wish in &notes {
            let status = self.settings.status.get_or_insert_default();
            conditions::set(&mut status.conditions, wish, Timestamp::UNIX_EPOCH);
        }
    }

    fn state(&self) -> &str {
        let state = self.settings.status.as_ref().unwrap().state.as_ref();
        state.map_or("", SettingsState::as_str)
    }

    fn reason(&self, type_: &str) -> &str {
        let condition = conditions::find(&self.settings.status.as_ref().unwrap().conditions, type_);
        condition.map_or("", |condition| &condition.reason)
    }
}

fn granted() -> Stage {
    let mut stage = Stage::new(Some(SettingsState::InProgress));
    stage.permit = Permit::Granted(None);
    stage
}

#[test]
fn what_waits_and_what_begins() {
    type Change = fn(&mut Stage);
    let table: [(&str, Change, &str, Effect); 7] = [
        ("a difference", |_| {}, "InProgress", Effect::RequestMaintenance),
        (
            "no BMC",
            |stage| stage.binding = Binding::NoBmc,
            "Pending",
            Effect::Nothing,
        ),
        (
            "a free BMC",
            |stage| stage.binding = Binding::Free,
            "Pending",
            Effect::Bind,
        ),
        (
            "in force",
            |stage| stage.reads("new", json!({})),
            "Applied",
            Effect::Nothing,
        ),
        (
            "another version",
            |stage| stage.settings.spec.template.version = "2.0".into(),
            "Pending",
            Effect::Nothing,
        ),
        (
            "a variable without value",
            |stage| stage.wanted = Err("Variable X: it has no source".into()),
            "InProgress",
            Effect::Nothing,
        ),
        (
            "a BMC without attributes",
            |stage| stage.reading.as_mut().unwrap().attributes = None,
            "Failed",
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
fn settings_are_written_in_the_maintenance_of_all_servers_and_verified() {
    let mut stage = granted();
    stage.permit = Permit::Waiting("s-1".into());
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.resync)));
    stage.permit = Permit::Granted(None);
    stage.restart = Restart::Wait;
    assert_eq!(stage.decide().0, Effect::Nothing);
    stage.restart = Restart::Done;
    let (effect, _) = stage.decide();
    stage.note(effect);
    assert_eq!(stage.reason(RESET_AFTER), RESET_REQUIRED);
    let wish = Wish::no(RESET_AFTER, "ResetIssued", "");
    stage.reset = Restart::Request(wish.clone());
    assert_eq!(stage.decide().0, Effect::RestartBmc(wish));
    stage.reset = Restart::Wait;
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.interval)));
    stage.reset = Restart::Done;
    assert_eq!(
        stage.decide(),
        (Effect::Nothing, Next::Wait(LIMITS.interval)),
        "not in force yet"
    );
    stage.reads("new", json!({}));
    assert_eq!(stage.decide().0, Effect::Release);
    assert_eq!((stage.state(), stage.reason(VERIFIED)), ("Applied", "ChangesVerified"));
}

#[test]
fn what_was_written_before_a_crash_is_not_taken_for_somebody_elses() {
    let mut stage = granted();
    stage.reads("old", json!({"A": "new"}));
    stage.decide();
    assert_eq!(stage.reason(ISSUED), "ChangesIssued");
    let mut stage = granted();
    stage.reads("old", json!({"B": "x"}));
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.interval)));
    assert_eq!(stage.reason(PENDING), "PendingSettingsFound");
    stage.second = 7201;
    stage.decide();
    assert_eq!(stage.state(), "Failed");
}

#[test]
fn a_bmc_that_does_not_tell_its_power_is_on() {
    for (power, state) in [
        (ReportedPower::On, "InProgress"),
        (ReportedPower::Unknown, "InProgress"),
        (ReportedPower::Off, "Failed"),
    ] {
        let mut stage = granted();
        stage.reading.as_mut().unwrap().power = power;
        stage.decide();
        assert_eq!(stage.state(), state, "{power:?}");
    }
}

#[test]
fn nothing_is_waited_for_without_end() {
    // W23.
    let mut stage = granted();
    let (effect, _) = stage.decide();
    stage.note(effect);
    stage.second = 7201;
    stage.reading = None;
    stage.decide();
    assert_eq!(
        (stage.state(), stage.reason(VERIFIED)),
        ("Failed", "VerificationTimedOut")
    );
    let mut stage = granted();
    stage.restart = Restart::TimedOut;
    stage.decide();
    assert_eq!((stage.state(), stage.reason(RESET_ISSUED)), ("Failed", "ResetTimedOut"));
}

#[test]
fn applied_settings_are_watched() {
    let mut stage = Stage::new(Some(SettingsState::Applied));
    stage.reads("new", json!({}));
    assert_eq!(stage.decide(), (Effect::Nothing, Next::Wait(LIMITS.drift_interval)));
    stage.reads("old", json!({}));
    assert_eq!(stage.decide().0, Effect::RequestMaintenance);
    let mut stage = Stage::new(Some(SettingsState::Failed));
    assert_eq!(stage.decide().0, Effect::Nothing);
    stage.settings.metadata.generation = Some(2);
    assert_eq!(
        stage.decide().0,
        Effect::RequestMaintenance,
        "somebody has changed what is wanted"
    );
}
