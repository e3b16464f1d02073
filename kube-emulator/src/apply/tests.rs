//! Ownership and apply as tables: who owns what after which write.

use serde_json::{Value, json};

use super::*;
use crate::resource::builtin::{self, Documents};

fn account() -> Resource {
    let resources = builtin::resources(&Documents::load());
    resources
        .into_iter()
        .find(|resource| resource.kind == "ServiceAccount")
        .unwrap()
}

fn object(fields: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}});
    object
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    object
}

fn apply(resource: &Resource, live: &Value, applied: Value, manager: &str, force: bool) -> Result<Value, ApiError> {
    let applied = object(applied);
    let mut merged = merge_applied(resource, live, &applied, manager, None, force)?;
    let operation = Operation::Apply {
        applied: Arc::new(applied),
    };
    track_update(resource, live, &mut merged, manager, None, &operation, "t");
    Ok(merged)
}

fn owned(object: &Value, manager: &str) -> Value {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entry = entries.into_iter().flatten().find(|entry| entry["manager"] == manager);
    entry.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

fn created(resource: &Resource, fields: Value, manager: &str) -> Value {
    let mut object = object(fields);
    let operation = Operation::Apply {
        applied: Arc::new(object.clone()),
    };
    track_create(resource, &mut object, manager, &operation, "t");
    object
}

#[test]
fn apply_owns_leaves_and_items_but_not_the_structs_around_them() {
    let resource = account();
    let live = created(
        &resource,
        json!({"secrets": [{"name": "s"}], "automountServiceAccountToken": true}),
        "one",
    );
    assert_eq!(
        owned(&live, "one"),
        json!({"f:automountServiceAccountToken": {}, "f:secrets": {"k:{\"name\":\"s\"}": {}}})
    );
}

#[test]
fn update_owns_the_containers_it_created() {
    let resource = account();
    let mut live = object(json!({"secrets": [{"name": "s"}]}));
    track_create(&resource, &mut live, "tool", &Operation::Update, "t");
    assert_eq!(
        owned(&live, "tool"),
        json!({"f:secrets": {".": {}, "k:{\"name\":\"s\"}": {}}})
    );
}

#[test]
fn another_value_conflicts_and_force_takes_it() {
    let resource = account();
    let live = created(&resource, json!({"automountServiceAccountToken": true}), "one");
    let error = apply(
        &resource,
        &live,
        json!({"automountServiceAccountToken": false}),
        "two",
        false,
    )
    .unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"one\": .automountServiceAccountToken"
    );
    let forced = apply(
        &resource,
        &live,
        json!({"automountServiceAccountToken": false}),
        "two",
        true,
    )
    .unwrap();
    assert_eq!(forced["automountServiceAccountToken"], false);
    assert_eq!(owned(&forced, "one"), Value::Null);
    assert_eq!(owned(&forced, "two"), json!({"f:automountServiceAccountToken": {}}));
}

#[test]
fn the_same_value_is_shared_and_stays_until_its_last_owner_drops_it() {
    let resource = account();
    let live = created(&resource, json!({"automountServiceAccountToken": true}), "one");
    let shared = apply(
        &resource,
        &live,
        json!({"automountServiceAccountToken": true}),
        "two",
        false,
    )
    .unwrap();
    let dropped = apply(&resource, &shared, json!({}), "one", false).unwrap();
    assert_eq!(dropped["automountServiceAccountToken"], true);
    let gone = apply(&resource, &dropped, json!({}), "two", false).unwrap();
    assert!(gone.get("automountServiceAccountToken").is_none());
}

#[test]
fn items_that_are_not_applied_any_more_go() {
    let resource = account();
    let live = created(&resource, json!({"secrets": [{"name": "a"}, {"name": "b"}]}), "one");
    let live = apply(&resource, &live, json!({"secrets": [{"name": "c"}]}), "two", false).unwrap();
    let fewer = apply(&resource, &live, json!({"secrets": [{"name": "b"}]}), "one", false).unwrap();
    assert_eq!(fewer["secrets"], json!([{"name": "b"}, {"name": "c"}]));
}

#[test]
fn an_update_takes_what_it_changes_from_everybody() {
    let resource = account();
    let old = created(
        &resource,
        json!({"secrets": [{"name": "a"}], "automountServiceAccountToken": true}),
        "one",
    );
    let mut new = old.clone();
    new["automountServiceAccountToken"] = json!(false);
    track_update(&resource, &old, &mut new, "editor", None, &Operation::Update, "t2");
    assert_eq!(owned(&new, "editor"), json!({"f:automountServiceAccountToken": {}}));
    assert_eq!(owned(&new, "one"), json!({"f:secrets": {"k:{\"name\":\"a\"}": {}}}));
}

#[test]
fn an_update_without_a_change_leaves_the_records_alone() {
    let resource = account();
    let old = created(&resource, json!({"automountServiceAccountToken": true}), "one");
    let mut new = old.clone();
    track_update(&resource, &old, &mut new, "editor", None, &Operation::Update, "t2");
    assert_eq!(new, old);
}

#[test]
fn one_empty_record_resets_and_the_next_apply_starts_over() {
    let resource = account();
    let old = created(&resource, json!({"automountServiceAccountToken": true}), "one");
    let mut new = old.clone();
    new["metadata"]["managedFields"] = json!([{}]);
    track_update(&resource, &old, &mut new, "editor", None, &Operation::Update, "t2");
    assert!(new["metadata"].get("managedFields").is_none());
    let error = apply(
        &resource,
        &new,
        json!({"automountServiceAccountToken": false}),
        "two",
        false,
    )
    .unwrap_err();
    assert!(
        error.message.contains("conflict with \"before-first-apply\" using v1"),
        "{}",
        error.message
    );
}
