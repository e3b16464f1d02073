use serde_json::json;

use super::*;

const LIMIT: Duration = Duration::from_secs(7200);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn registry() -> AttributeRegistry {
    AttributeRegistry::parse(&json!({ "RegistryEntries": { "Attributes": [
        { "AttributeName": "Mode", "Type": "String" },
        { "AttributeName": "Asset", "Type": "String", "ResetRequired": false },
        { "AttributeName": "Fixed", "Type": "String", "ReadOnly": true },
    ] } }))
}

fn wanted(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn bios(current: &Value, pending: &Value) -> Bios {
    let object = |value: &Value| value.as_object().cloned().expect("object");
    Bios {
        attributes: object(current),
        pending: object(pending),
        supports_reset: true,
        reset_pending: false,
    }
}

/// A machine in the hands of one item.
struct Item {
    conditions: Vec<Condition>,
    wanted: BTreeMap<String, String>,
    rollback: bool,
    second: i64,
}

impl Item {
    fn new(wanted_: &[(&str, &str)]) -> Self {
        Self {
            conditions: Vec::new(),
            wanted: wanted(wanted_),
            rollback: false,
            second: 0,
        }
    }

    fn step(&mut self, power: ReportedPower, current: Value, pending: Value) -> Outcome {
        let (registry, bios) = (registry(), bios(&current, &pending));
        let scene = Scene {
            now: at(self.second),
            limit: LIMIT,
            wanted: &self.wanted,
            rollback: self.rollback,
            seen: Some(Seen {
                power,
                bios: &bios,
                registry: &registry,
            }),
        };
        step(&mut self.conditions, &scene)
    }

    fn reasons(&self) -> Vec<&str> {
        self.conditions
            .iter()
            .map(|condition| condition.reason.as_str())
            .collect()
    }
}

use ReportedPower::{Off, On};

#[test]
fn an_item_goes_through_a_reboot() {
    let mut item = Item::new(&[("Mode", "new")]);
    let (old, new, none) = (json!({"Mode": "old"}), json!({"Mode": "new"}), json!({}));
    let stage = Outcome::Stage(new.as_object().cloned().unwrap());
    for (power, current, pending, expected) in [
        (Off, &old, &none, Outcome::Progress),
        (Off, &old, &none, Outcome::Power(Power::On)),
        (On, &old, &none, Outcome::Progress),
        (On, &old, &none, Outcome::Progress),
        (On, &old, &none, stage.clone()),
        // Not taken in: once more.
        (On, &old, &none, stage),
        (On, &old, &new, Outcome::Progress),
        (On, &old, &new, Outcome::Power(Power::Off)),
        (Off, &old, &new, Outcome::Progress),
        (Off, &old, &new, Outcome::Power(Power::On)),
        (On, &old, &new, Outcome::Progress),
        (On, &old, &new, Outcome::Wait),
        (On, &new, &none, Outcome::Applied),
    ] {
        assert_eq!(
            item.step(power, current.clone(), pending.clone()),
            expected,
            "{:?}",
            item.reasons()
        );
    }
    assert_eq!(
        item.reasons(),
        [
            "SettingsUpdateStarted",
            "ServerPoweredOn",
            "RebootPostSettingUpdate",
            "SettingsUpdateIssued",
            "PowerOffCompletedDuringReboot",
            "PowerOnCompletedDuringReboot",
            "VerificationCompleted",
        ]
    );
}

#[test]
fn what_takes_effect_at_once_needs_no_reboot() {
    let mut item = Item::new(&[("Asset", "7")]);
    let (old, new) = (json!({"Asset": ""}), json!({"Asset": "7"}));
    for _ in 0..3 {
        assert_eq!(item.step(On, old.clone(), json!({})), Outcome::Progress);
    }
    assert!(matches!(item.step(On, old.clone(), json!({})), Outcome::Stage(_)));
    // In force before anybody has looked at what is pending.
    assert_eq!(item.step(On, new.clone(), json!({})), Outcome::Progress);
    assert_eq!(item.step(On, new, json!({})), Outcome::Applied);
    assert!(item.reasons().contains(&"SkipServerReboot"));
}

#[test]
fn a_bios_that_shows_what_is_pending_as_in_force_is_rebooted_all_the_same() {
    let mut item = Item::new(&[("Mode", "new")]);
    for _ in 0..3 {
        item.step(On, json!({"Mode": "old"}), json!({}));
    }
    assert!(matches!(
        item.step(On, json!({"Mode": "old"}), json!({})),
        Outcome::Stage(_)
    ));
    assert_eq!(item.step(On, json!({"Mode": "new"}), json!({})), Outcome::Progress);
    assert_eq!(
        item.step(On, json!({"Mode": "new"}), json!({})),
        Outcome::Power(Power::Off)
    );
}

#[test]
fn settings_in_force_are_left_alone() {
    let mut item = Item::new(&[("Mode", "new"), ("Fixed", "x")]);
    assert_eq!(
        item.step(Off, json!({"Mode": "new", "Fixed": "x"}), json!({})),
        Outcome::Applied
    );
    assert_eq!(item.reasons(), ["VerificationCompleted"]);
}

#[test]
fn settings_that_the_bios_does_not_take_fail() {
    for (name, message) in [
        ("Fixed", "attribute Fixed is read-only"),
        ("None", "the BMC knows no attribute None"),
    ] {
        let mut item = Item::new(&[(name, "x")]);
        item.step(On, json!({"Fixed": "y"}), json!({}));
        item.step(On, json!({"Fixed": "y"}), json!({}));
        let Outcome::Failed(wish) = item.step(On, json!({"Fixed": "y"}), json!({})) else {
            panic!("{:?}", item.reasons());
        };
        assert_eq!(
            (wish.type_, wish.message.as_str()),
            ("SettingsValidationFailed", message)
        );
    }
}

#[test]
fn what_others_have_staged_is_waited_for_and_what_they_stage_meanwhile_is_an_error() {
    let mut item = Item::new(&[("Mode", "new")]);
    let (old, foreign) = (json!({"Mode": "old"}), json!({"Other": "x"}));
    for _ in 0..3 {
        item.step(On, old.clone(), json!({}));
    }
    // Only the first look tells: the operator has sent nothing.
    let mut early = Item {
        conditions: item.conditions.clone(),
        ..Item::new(&[("Mode", "new")])
    };
    assert_eq!(early.step(On, old.clone(), foreign.clone()), Outcome::Wait);
    assert!(matches!(item.step(On, old.clone(), json!({})), Outcome::Stage(_)));
    let Outcome::Failed(wish) = item.step(On, old, foreign) else {
        panic!("{:?}", item.reasons());
    };
    assert_eq!(wish.reason, "UnexpectedPendingSettings");
}

#[test]
fn an_item_has_its_time() {
    let mut item = Item::new(&[("Mode", "new")]);
    item.step(On, json!({"Mode": "old"}), json!({}));
    item.second = 7200;
    assert_eq!(item.step(On, json!({"Mode": "old"}), json!({})), Outcome::Progress);
    item.second = 7201;
    // Also while the BMC cannot be asked.
    let scene = Scene {
        now: at(item.second),
        limit: LIMIT,
        wanted: &item.wanted,
        rollback: false,
        seen: None,
    };
    let Outcome::Failed(wish) = step(&mut item.conditions, &scene) else {
        panic!();
    };
    assert_eq!(wish.reason, "SettingsTimedOutDuringUpdate");
}

#[test]
fn a_rollback_writes_over_what_is_staged() {
    let mut item = Item {
        rollback: true,
        ..Item::new(&[("Mode", "old")])
    };
    let (old, staged) = (json!({"Mode": "old"}), json!({"Mode": "new", "Other": "x"}));
    for _ in 0..3 {
        assert_eq!(item.step(On, old.clone(), staged.clone()), Outcome::Progress);
    }
    assert_eq!(
        item.step(On, old.clone(), staged),
        Outcome::Stage(old.as_object().cloned().unwrap())
    );
    assert_eq!(item.step(On, old.clone(), json!({"Other": "x"})), Outcome::Progress);
    assert_eq!(
        item.step(On, old, json!({})),
        Outcome::Applied,
        "nothing had to be rebooted"
    );
}
