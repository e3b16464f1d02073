//! CustomResourceDefinitions: installed, discovered, changed, removed.

use serde_json::{Value, json};

use crate::common::{WIDGETS, call, emulator, install, json_call, widget};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGET_DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.ex.io";

#[tokio::test(start_paused = true)]
async fn a_definition_is_established_and_discovered() {
    let emulator = emulator(100);
    assert_eq!(
        json_call(&emulator, "GET", WIDGETS, &Value::Null).await,
        (404, json!("404 page not found\n"))
    );
    install(&emulator).await;
    let (_, definition) = json_call(&emulator, "GET", WIDGET_DEFINITION, &Value::Null).await;
    let conditions: Vec<&str> = definition["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|condition| condition["status"] == "True")
        .map(|condition| condition["type"].as_str().unwrap())
        .collect();
    assert_eq!(conditions, ["NamesAccepted", "Established"]);
    let (_, resources) = json_call(&emulator, "GET", "/apis/ex.io/v1", &Value::Null).await;
    let names: Vec<&str> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["widgets", "widgets/status", "widgets/scale"]);
    let (_, document) = json_call(&emulator, "GET", "/openapi/v3/apis/ex.io/v1", &Value::Null).await;
    let schema = &document["components"]["schemas"]["io.ex.v1.Widget"];
    assert_eq!(schema["x-kubernetes-group-version-kind"][0]["kind"], "Widget");
    assert_eq!(
        schema["properties"]["spec"]["properties"]["size"]["description"],
        "How big it is."
    );
    let patch = &document["paths"]["/apis/ex.io/v1/namespaces/{namespace}/widgets/{name}"]["patch"];
    let parameters: Vec<&str> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert!(parameters.contains(&"fieldValidation"));
}

#[tokio::test(start_paused = true)]
async fn rules_of_the_definition_are_enforced() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (code, answer) = json_call(&emulator, "POST", WIDGETS, &widget("a", json!({"size": 3, "max": 2}))).await;
    assert_eq!(code, 422);
    assert_eq!(
        answer["message"],
        "Widget.ex.io \"a\" is invalid: spec: Invalid value: \"object\": size must be <= max"
    );
    json_call(&emulator, "POST", WIDGETS, &widget("a", json!({"mac": "1"}))).await;
    let path = format!("{WIDGETS}/a");
    for change in [json!({"spec": {"mac": "2"}}), json!({"spec": {"mac": null}})] {
        let (code, answer) = json_call(&emulator, "PATCH", &path, &change).await;
        assert_eq!(code, 422, "{change}");
        assert_eq!(
            answer["details"]["causes"],
            json!([{"reason": "FieldValueForbidden", "message": "Forbidden: mac is immutable", "field": "spec.mac"}])
        );
    }
    assert_eq!(
        json_call(&emulator, "PATCH", &path, &json!({"spec": {"size": 7}}))
            .await
            .0,
        200
    );
    let (_, restored) = json_call(&emulator, "PATCH", &path, &json!({"spec": {"size": null}})).await;
    assert_eq!(
        restored["spec"]["size"], 1,
        "a merge patch that nulls a defaulted field restores the default"
    );
}

#[tokio::test(start_paused = true)]
async fn new_defaults_show_in_objects_that_were_stored_before() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (_, before) = json_call(&emulator, "POST", WIDGETS, &widget("a", json!({}))).await;
    let change = json!([{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/fresh",
                         "value": {"type": "string", "default": "new"}}]);
    let (code, answer, _) = call(
        &emulator,
        "PATCH",
        WIDGET_DEFINITION,
        "application/json-patch+json",
        change.to_string(),
    )
    .await;
    assert_eq!(code, 200, "{answer}");
    let (_, after) = json_call(&emulator, "GET", &format!("{WIDGETS}/a"), &Value::Null).await;
    assert_eq!(after["spec"]["fresh"], "new");
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
}

#[tokio::test(start_paused = true)]
async fn wrong_definitions_are_refused_with_the_place() {
    let emulator = emulator(100);
    let definition = |schema: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.ex.io"},
            "spec": {"group": "ex.io", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
    };
    // (schema, field of the first cause)
    let table = [
        (json!({"type": "string"}), "spec.validation.openAPIV3Schema.type"),
        (
            json!({"type": "object", "properties": {"a": {"type": "array"}}}),
            "spec.validation.openAPIV3Schema.properties[a].items",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}),
            "spec.validation.openAPIV3Schema.properties[a].default",
        ),
        (
            json!({"type": "object", "x-kubernetes-validations": [{"rule": "self."}]}),
            "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule",
        ),
    ];
    for (schema, field) in table {
        let (code, answer) = json_call(&emulator, "POST", DEFINITIONS, &definition(schema)).await;
        assert_eq!(
            (code, answer["details"]["causes"][0]["field"].as_str()),
            (422, Some(field)),
            "{answer}"
        );
    }
    let mut misnamed = definition(json!({"type": "object"}));
    misnamed["metadata"]["name"] = json!("other.ex.io");
    let (_, answer) = json_call(&emulator, "POST", DEFINITIONS, &misnamed).await;
    assert_eq!(answer["details"]["causes"][0]["field"], "metadata.name");
}

#[tokio::test(start_paused = true)]
async fn top_level_fields_without_a_spec_have_a_status_too() {
    let emulator = emulator(100);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "flats.ex.io"},
        "spec": {"group": "ex.io", "scope": "Cluster", "names": {"plural": "flats", "kind": "Flat"},
            "versions": [{"name": "v1", "served": true, "storage": true, "deprecated": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "endpoint": {"type": "string"}, "status": {"type": "object", "properties": {"seen": {"type": "boolean"}}}}}}}]}});
    assert_eq!(json_call(&emulator, "POST", DEFINITIONS, &definition).await.0, 201);
    let flat = json!({"apiVersion": "ex.io/v1", "kind": "Flat", "metadata": {"name": "f"}, "endpoint": "x"});
    let (code, _, warnings) = call(
        &emulator,
        "POST",
        "/apis/ex.io/v1/flats",
        "application/json",
        flat.to_string(),
    )
    .await;
    assert_eq!(code, 201);
    assert_eq!(warnings, ["299 - \"ex.io/v1 Flat is deprecated\""]);
    let (_, seen) = json_call(
        &emulator,
        "PATCH",
        "/apis/ex.io/v1/flats/f/status",
        &json!({"status": {"seen": true}, "endpoint": "y"}),
    )
    .await;
    assert_eq!(
        (&seen["status"]["seen"], &seen["endpoint"]),
        (&json!(true), &json!("x"))
    );
    let (_, changed) = json_call(&emulator, "PATCH", "/apis/ex.io/v1/flats/f", &json!({"endpoint": "y"})).await;
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_definition_waits_for_its_objects() {
    let emulator = emulator(100);
    install(&emulator).await;
    let mut held = widget("held", json!({}));
    held["metadata"]["finalizers"] = json!(["ex.io/f"]);
    json_call(&emulator, "POST", WIDGETS, &held).await;
    json_call(&emulator, "POST", WIDGETS, &widget("free", json!({}))).await;
    json_call(&emulator, "DELETE", WIDGET_DEFINITION, &json!({})).await;
    let (_, list) = json_call(&emulator, "GET", WIDGETS, &Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let (code, answer) = json_call(&emulator, "POST", WIDGETS, &widget("late", json!({}))).await;
    assert_eq!(code, 403, "{answer}");
    let (_, definition) = json_call(&emulator, "GET", WIDGET_DEFINITION, &Value::Null).await;
    assert!(
        definition["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|condition| condition["type"] == "Terminating")
    );
    json_call(
        &emulator,
        "PATCH",
        &format!("{WIDGETS}/held"),
        &json!({"metadata": {"finalizers": null}}),
    )
    .await;
    assert_eq!(
        json_call(&emulator, "GET", WIDGET_DEFINITION, &Value::Null).await.0,
        404
    );
    assert_eq!(
        json_call(&emulator, "GET", WIDGETS, &Value::Null).await,
        (404, json!("404 page not found\n"))
    );
}
