//! Lists: pages, consistency, selectors, forms.

use http_body_util::BodyExt as _;
use kube_emulator::KubeEmulator;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::{TOKEN, WIDGETS, emulator, install, json_call, widget};

async fn fill(emulator: &KubeEmulator, names: &[&str]) {
    install(emulator).await;
    for name in names {
        let mut object = widget(name, json!({}));
        object["metadata"]["labels"] = json!({"first": name[..1]});
        assert_eq!(json_call(emulator, "POST", WIDGETS, &object).await.0, 201);
    }
}

async fn list(emulator: &KubeEmulator, query: &str) -> (u16, Value) {
    json_call(emulator, "GET", &format!("{WIDGETS}?{query}"), &Value::Null).await
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment() {
    let emulator = emulator(100);
    fill(&emulator, &["a", "b", "c", "d"]).await;
    let (_, first) = list(&emulator, "limit=2").await;
    assert_eq!(
        (names(&first), first["metadata"]["remainingItemCount"].as_u64()),
        (vec!["a", "b"], Some(2))
    );
    json_call(&emulator, "DELETE", &format!("{WIDGETS}/c"), &json!({})).await;
    json_call(&emulator, "POST", WIDGETS, &widget("bb", json!({}))).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = list(&emulator, &format!("limit=2&continue={token}")).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert_eq!(second["metadata"]["continue"], "");
    let (_, cached) = list(&emulator, "limit=2&resourceVersion=0").await;
    assert_eq!(names(&cached), ["a", "b", "bb", "d"], "trap T11");
    let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
    let (_, exact) = list(
        &emulator,
        &format!("resourceVersion={revision}&resourceVersionMatch=Exact"),
    )
    .await;
    assert_eq!(names(&exact), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_page_offers_a_way_on() {
    let emulator = emulator(2);
    fill(&emulator, &["a", "b", "c"]).await;
    let (_, first) = list(&emulator, "limit=1").await;
    for name in ["d", "e", "f"] {
        json_call(&emulator, "POST", WIDGETS, &widget(name, json!({}))).await;
    }
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, expired) = list(&emulator, &format!("limit=1&continue={token}")).await;
    assert_eq!((code, expired["reason"].as_str()), (410, Some("Expired")));
    let token = expired["metadata"]["continue"].as_str().unwrap();
    let (code, rest) = list(&emulator, &format!("continue={token}")).await;
    assert_eq!((code, names(&rest)), (200, vec!["b", "c", "d", "e", "f"]));
}

#[tokio::test(start_paused = true)]
async fn selectors_choose() {
    let emulator = emulator(100);
    fill(&emulator, &["a", "b", "bc"]).await;
    for (query, expected) in [
        ("labelSelector=first%3Db", vec!["b", "bc"]),
        ("labelSelector=first%20notin%20(b)", vec!["a"]),
        ("fieldSelector=metadata.name%3Dbc", vec!["bc"]),
        ("fieldSelector=spec.color%3Dred,metadata.name!%3Da", vec!["b", "bc"]),
        ("fieldSelector=spec.color%3Dblue", vec![]),
    ] {
        assert_eq!(names(&list(&emulator, query).await.1), expected, "{query}");
    }
    let (code, answer) = list(&emulator, "fieldSelector=spec.size%3D1").await;
    assert_eq!(
        (code, answer["message"].as_str()),
        (400, Some("field label not supported: spec.size"))
    );
}

#[tokio::test(start_paused = true)]
async fn items_of_built_in_lists_have_no_type() {
    let emulator = emulator(100);
    let (_, list) = json_call(&emulator, "GET", "/api/v1/namespaces", &Value::Null).await;
    assert_eq!(list["kind"], "NamespaceList");
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item.get("kind").is_none()),
        "trap T10"
    );
    assert!(list["metadata"].get("continue").is_none());
}

#[tokio::test(start_paused = true)]
async fn tables_show_the_printer_columns_with_ages_of_the_clock() {
    let emulator = emulator(100);
    fill(&emulator, &["a"]).await;
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    json_call(&emulator, "PATCH", &format!("{WIDGETS}/a/status"), &status).await;
    tokio::time::advance(std::time::Duration::from_secs(499)).await;
    let request = http::Request::get(WIDGETS)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header(
            "accept",
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        )
        .body(axum::body::Body::empty())
        .unwrap();
    let response = emulator.router().oneshot(request).await.unwrap();
    let table: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let columns: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["Name", "Color", "Size", "Ready", "Age"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", "red", 1, "True", "8m19s"]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

#[tokio::test(start_paused = true)]
async fn a_collection_can_be_deleted_by_selector() {
    let emulator = emulator(100);
    fill(&emulator, &["a", "b", "bc"]).await;
    let (code, deleted) = json_call(
        &emulator,
        "DELETE",
        &format!("{WIDGETS}?labelSelector=first%3Db"),
        &json!({}),
    )
    .await;
    assert_eq!((code, names(&deleted)), (200, vec!["b", "bc"]));
    assert_eq!(names(&list(&emulator, "").await.1), ["a"]);
}
