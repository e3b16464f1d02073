//! Fleet files: mistakes are found and placed, templates expand, the schema says what is allowed.

use std::sync::Arc;

use bmc_emulator::{Boot, Edges, Fleet, FleetError, FleetSpec, GuestExit, GuestOs, HttpService, ServerModel};
use futures::future::BoxFuture;

struct NoGuest;

impl GuestOs for NoGuest {
    fn boot(&self, _: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

fn build(yaml: &str) -> Result<Fleet, FleetError> {
    let http = HttpService::new(tower::service_fn(async |_| Err("there is no network".into())));
    let edges = Edges {
        clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        http,
        guest: Arc::new(NoGuest),
        seed: 1,
        time_scale: 1.0,
    };
    Fleet::new(&FleetSpec::from_yaml(yaml, "fleet.yaml")?, edges)
}

#[test]
fn mistakes_have_a_place() {
    let mistakes = [
        "machines:\n- name: a\n  colour: red\n",
        "machines:\n- name: a\n  personality: amiga\n",
        "machines:\n- name: a\n- name: b\n  timing: { post: soon }\n",
        "machines:\n- name: a\n- name: b\n  bootOrder: [floppy]\n",
        "machines:\n- name: a\n  count: 2\n  bmc: { address: 127.0.0.1 }\n",
        "machines:\n- name: a\n  drives: [{ name: /dev/sda }]\n",
        "machines:\n- name: a\n  systemUUID: xyz\n",
        "machines: [\n",
    ];
    let errors: Vec<String> = mistakes
        .iter()
        .map(|yaml| {
            FleetSpec::from_yaml(yaml, "fleet.yaml")
                .expect_err("a mistake")
                .to_string()
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn fleets_that_contradict_themselves_are_refused() {
    let twice = build("machines: [{ name: a }, { name: a }]").err();
    assert_eq!(twice, Some(FleetError::DuplicateName("a".to_owned())));
    let address =
        build("machines: [{ name: a, bmc: { address: 127.0.0.9 } }, { name: b, bmc: { address: 127.0.0.9 } }]");
    assert!(matches!(address.err(), Some(FleetError::DuplicateAddress { .. })));
}

#[test]
fn templates_expand() {
    let fleet = build(
        "machines:\n- name: rack-{index}\n  count: 3\n  nics: [{ name: eno1, neighbor: { chassisID: leaf, portID: 'Ethernet{index}' } }]\n- { name: plain, count: 2 }\n",
    )
    .expect("valid");
    let names: Vec<String> = fleet.bmcs().iter().map(|bmc| bmc.name().to_owned()).collect();
    assert_eq!(names, ["rack-0", "rack-1", "rack-2", "plain-0", "plain-1"]);
    let uuids: std::collections::BTreeSet<_> = fleet.bmcs().iter().map(|bmc| bmc.system_uuid()).collect();
    assert_eq!(uuids.len(), 5);
    let again = build("machines: [{ name: rack-1 }]").expect("valid");
    assert_eq!(
        again.bmcs()[0].system_uuid(),
        fleet.bmc("rack-1").expect("it exists").system_uuid()
    );
}

#[test]
fn the_schema_file_is_up_to_date() {
    let mut on_disk: serde_json::Value =
        serde_json::from_str(include_str!("../../fleet.schema.json")).expect("a JSON file");
    // Says what wrote the file.
    on_disk.as_object_mut().expect("a schema").shift_remove("$comment");
    assert!(
        on_disk == FleetSpec::json_schema().to_value(),
        "bmc-emulator/fleet.schema.json is stale; run `cargo xtask schemas`"
    );
}

#[test]
fn the_schema_of_models_is_up_to_date() {
    let mut on_disk: serde_json::Value =
        serde_json::from_str(include_str!("../../models/schema.json")).expect("a JSON file");
    on_disk.as_object_mut().expect("a schema").shift_remove("$comment");
    assert!(
        on_disk == ServerModel::json_schema().to_value(),
        "bmc-emulator/models/schema.json is stale; run `cargo xtask schemas`"
    );
}

#[test]
fn passwords_do_not_show() {
    let spec =
        FleetSpec::from_yaml("machines: [{ name: a, bmc: { password: hunter2 } }]", "fleet.yaml").expect("valid");
    let fleet = build("machines: [{ name: a, bmc: { password: hunter2 } }]").expect("valid");
    assert!(!format!("{spec:?} {:?}", fleet.bmcs()[0].endpoint()).contains("hunter2"));
}
