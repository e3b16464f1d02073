//! Create, update, patch, delete: the traps of kube-semantics §1.0.

use serde_json::{Value, json};

use crate::common::{WIDGETS, call, emulator, install, json_call, widget};

const JSON_PATCH: &str = "application/json-patch+json";

fn path(name: &str) -> String {
    format!("{WIDGETS}/{name}")
}

#[tokio::test(start_paused = true)]
async fn the_server_owns_the_metadata() {
    let emulator = emulator(100);
    install(&emulator).await;
    let mut sent = widget("a", json!({"size": 2}));
    sent["metadata"]["uid"] = json!("mine");
    sent["metadata"]["generation"] = json!(7);
    sent["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    sent["status"] = json!({"phase": "sent"});
    let (code, stored) = json_call(&emulator, "POST", WIDGETS, &sent).await;
    assert_eq!(code, 201);
    assert_ne!(stored["metadata"]["uid"], "mine");
    assert_eq!(stored["metadata"]["generation"], 1);
    assert_eq!(stored["metadata"]["creationTimestamp"], "2030-01-01T00:00:00Z");
    assert!(stored.get("status").is_none());
    assert_eq!(stored["spec"], json!({"size": 2, "color": "red"}));
    let (code, answer) = json_call(&emulator, "POST", WIDGETS, &sent).await;
    assert_eq!((code, answer["reason"].as_str()), (409, Some("AlreadyExists")));
}

#[tokio::test(start_paused = true)]
async fn generated_names_are_unique_and_seeded() {
    let mut names = Vec::new();
    for _ in 0..2 {
        let emulator = emulator(100);
        install(&emulator).await;
        let body = json!({"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"generateName": "gen-"}});
        let mut run = Vec::new();
        for _ in 0..20 {
            let (code, stored) = json_call(&emulator, "POST", WIDGETS, &body).await;
            assert_eq!(code, 201);
            run.push(stored["metadata"]["name"].as_str().unwrap().to_owned());
        }
        names.push(run);
    }
    assert_eq!(names[0], names[1]);
    let mut unique = names[0].clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn stale_writes_conflict_and_writes_without_a_change_do_not_count() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (_, first) = json_call(&emulator, "POST", WIDGETS, &widget("a", json!({}))).await;
    let (code, same) = json_call(&emulator, "PUT", &path("a"), &first).await;
    assert_eq!(code, 200);
    assert_eq!(
        same["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"],
        "trap T5"
    );
    let (_, second) = json_call(&emulator, "PATCH", &path("a"), &json!({"spec": {"size": 4}})).await;
    assert_eq!(second["metadata"]["generation"], 2);
    let (code, answer) = json_call(&emulator, "PUT", &path("a"), &first).await;
    assert_eq!((code, answer["reason"].as_str()), (409, Some("Conflict")));
    assert_eq!(
        answer["message"],
        "Operation cannot be fulfilled on widgets.ex.io \"a\": the object has been modified; please apply your changes \
         to the latest version and try again"
    );
    let (code, answer) = json_call(&emulator, "PUT", &path("a"), &widget("a", json!({}))).await;
    assert_eq!(code, 422, "trap T7: {answer}");
    let (code, _) = json_call(&emulator, "POST", WIDGETS, &second).await;
    assert_eq!(code, 500, "trap T8");
    let (_, labelled) = json_call(
        &emulator,
        "PATCH",
        &path("a"),
        &json!({"metadata": {"labels": {"a": "b"}}}),
    )
    .await;
    assert_eq!(
        labelled["metadata"]["generation"], 2,
        "labels are no change of the desired state"
    );
}

#[tokio::test(start_paused = true)]
async fn the_status_is_only_written_through_its_subresource() {
    let emulator = emulator(100);
    install(&emulator).await;
    json_call(&emulator, "POST", WIDGETS, &widget("a", json!({}))).await;
    let both = json!({"spec": {"size": 9}, "status": {"phase": "Up"}, "metadata": {"labels": {"x": "y"}}});
    let (code, stored) = json_call(&emulator, "PATCH", &format!("{}/status", path("a")), &both).await;
    assert_eq!(code, 200);
    assert_eq!(stored["status"]["phase"], "Up");
    assert_eq!(stored["spec"]["size"], 1);
    assert_eq!(stored["metadata"]["generation"], 1);
    assert!(stored["metadata"].get("labels").is_none());
    let (_, stored) = json_call(
        &emulator,
        "PATCH",
        &path("a"),
        &json!({"status": {"phase": "Down"}, "spec": {"size": 5}}),
    )
    .await;
    assert_eq!(
        (stored["status"]["phase"].as_str(), stored["spec"]["size"].as_i64()),
        (Some("Up"), Some(5))
    );
}

#[tokio::test(start_paused = true)]
async fn json_patches_of_kube_finalizers_go_through() {
    let emulator = emulator(100);
    install(&emulator).await;
    json_call(&emulator, "POST", WIDGETS, &widget("a", json!({}))).await;
    // What kube's `finalizer()` sends (trap T2).
    let patch = json!([{"op": "test", "path": "/metadata/finalizers", "value": null},
                       {"op": "add", "path": "/metadata/finalizers", "value": ["ex.io/f"]}]);
    let (code, stored, _) = call(&emulator, "PATCH", &path("a"), JSON_PATCH, patch.to_string()).await;
    assert_eq!(
        (code.as_u16(), &stored["metadata"]["finalizers"]),
        (200, &json!(["ex.io/f"]))
    );
    let (code, answer, _) = call(&emulator, "PATCH", &path("a"), JSON_PATCH, patch.to_string()).await;
    assert_eq!(code, 422);
    assert_eq!(
        answer["message"], "the server rejected our request due to an error in our request",
        "trap T4"
    );
    assert_eq!(answer["details"], json!({}));
    let (code, _, _) = call(&emulator, "PATCH", &path("a"), JSON_PATCH, "{").await;
    assert_eq!(code, 400);
    let strategic = "application/strategic-merge-patch+json";
    assert_eq!(call(&emulator, "PATCH", &path("a"), strategic, "{}").await.0, 415);
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object_until_the_last_one_goes() {
    let emulator = emulator(100);
    install(&emulator).await;
    let mut held = widget("a", json!({}));
    held["metadata"]["finalizers"] = json!(["ex.io/f"]);
    json_call(&emulator, "POST", WIDGETS, &held).await;
    let (code, marked) = json_call(&emulator, "DELETE", &path("a"), &json!({})).await;
    assert_eq!((code, marked["kind"].as_str()), (200, Some("Widget")));
    assert_eq!(marked["metadata"]["generation"], 2, "trap T6");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    let (_, again) = json_call(&emulator, "DELETE", &path("a"), &json!({})).await;
    assert_eq!(
        again["metadata"]["resourceVersion"],
        marked["metadata"]["resourceVersion"]
    );
    let more = json!({"metadata": {"finalizers": ["ex.io/f", "ex.io/g"]}});
    let (code, answer) = json_call(&emulator, "PATCH", &path("a"), &more).await;
    assert_eq!(code, 422, "{answer}");
    let (code, last) = json_call(
        &emulator,
        "PATCH",
        &path("a"),
        &json!({"metadata": {"finalizers": null}}),
    )
    .await;
    assert_eq!((code, last["kind"].as_str()), (200, Some("Widget")));
    assert_eq!(json_call(&emulator, "GET", &path("a"), &Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn deletes_respect_preconditions_and_dry_runs() {
    let emulator = emulator(100);
    install(&emulator).await;
    let (_, stored) = json_call(&emulator, "POST", WIDGETS, &widget("a", json!({}))).await;
    let (code, _) = json_call(
        &emulator,
        "DELETE",
        &path("a"),
        &json!({"preconditions": {"uid": "other"}}),
    )
    .await;
    assert_eq!(code, 409);
    let (code, _) = json_call(
        &emulator,
        "DELETE",
        &path("a"),
        &json!({"preconditions": {"resourceVersion": "1"}}),
    )
    .await;
    assert_eq!(code, 409);
    let (code, _) = json_call(&emulator, "DELETE", &format!("{}?dryRun=All", path("a")), &json!({})).await;
    assert_eq!(code, 200);
    let right = json!({"preconditions": {"uid": stored["metadata"]["uid"]}});
    let (code, answer) = json_call(&emulator, "DELETE", &path("a"), &right).await;
    assert_eq!((code, answer["status"].as_str()), (200, Some("Success")));
    assert_eq!(answer["details"]["uid"], stored["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_warn_or_are_refused() {
    let emulator = emulator(100);
    install(&emulator).await;
    let sent = widget("a", json!({"bogus": 1})).to_string();
    let (code, stored, warnings) = call(&emulator, "POST", WIDGETS, "application/json", sent.clone()).await;
    assert_eq!(code, 201);
    assert_eq!(warnings, ["299 - \"unknown field \\\"spec.bogus\\\"\""]);
    assert!(stored["spec"].get("bogus").is_none());
    let strict = format!("{WIDGETS}?fieldValidation=Strict");
    let (code, answer, _) = call(&emulator, "POST", &strict, "application/json", sent).await;
    assert_eq!(code, 400);
    assert_eq!(
        answer["message"],
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.bogus\""
    );
    let twice = r#"{"apiVersion":"ex.io/v1","kind":"Widget","metadata":{"name":"b"},"spec":{"size":1,"size":2}}"#;
    let (_, answer, _) = call(&emulator, "POST", &strict, "application/json", twice).await;
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .ends_with("duplicate field \"spec.size\""),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn built_in_kinds_keep_their_own_rules() {
    let emulator = emulator(100);
    let secrets = "/api/v1/namespaces/default/secrets";
    let (_, secret) = json_call(
        &emulator,
        "POST",
        secrets,
        &json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}),
    )
    .await;
    assert_eq!(
        (&secret["data"], secret["type"].as_str()),
        (&json!({"k": "dg=="}), Some("Opaque"))
    );
    assert!(secret.get("stringData").is_none());
    let (code, _) = json_call(&emulator, "PATCH", &format!("{secrets}/s"), &json!({"type": "other"})).await;
    assert_eq!(code, 422);
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let lease = |time: &str| json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "renewTime": time}});
    assert_eq!(
        json_call(&emulator, "POST", leases, &lease("2026-01-01T00:00:00Z"))
            .await
            .0,
        400,
        "trap T12"
    );
    assert_eq!(
        json_call(&emulator, "POST", leases, &lease("2026-01-01T00:00:00.000000Z"))
            .await
            .0,
        201
    );
    let (code, _) = json_call(
        &emulator,
        "PUT",
        &format!("{leases}/m"),
        &json!({"metadata": {"name": "m"}}),
    )
    .await;
    assert_eq!(code, 201, "a PUT creates leases");
    let new_events = "/apis/events.k8s.io/v1/namespaces/default/events";
    let event = json!({"metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "c",
        "reportingInstance": "i", "action": "a", "reason": "r", "type": "Normal", "note": "hello",
        "regarding": {"kind": "X", "name": "y", "namespace": "default"}});
    assert_eq!(json_call(&emulator, "POST", new_events, &event).await.0, 201);
    let (_, core) = json_call(&emulator, "GET", "/api/v1/namespaces/default/events/e", &Value::Null).await;
    assert_eq!(
        (core["message"].as_str(), core["involvedObject"]["name"].as_str()),
        (Some("hello"), Some("y"))
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_token_opens_the_door() {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let emulator = emulator(100);
    let ask = async |path: &str, token: Option<&str>| {
        let mut request = http::Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = emulator
            .router()
            .oneshot(request.body(axum::body::Body::empty()).unwrap())
            .await
            .unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8_lossy(&body).into_owned())
    };
    assert_eq!(ask("/readyz", None).await, (200, "ok".to_owned()));
    assert_eq!(ask("/version", None).await.0, 200);
    assert_eq!(ask("/api/v1/secrets", Some("wrong")).await.0, 401);
    let (code, body) = ask("/api/v1/namespaces/default/secrets/s", None).await;
    assert_eq!(code, 403);
    assert!(
        body.contains("User \\\"system:anonymous\\\" cannot get resource \\\"secrets\\\""),
        "{body}"
    );
}
