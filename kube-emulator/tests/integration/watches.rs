//! Watches: order, expiry, bookmarks, streaming lists, selectors.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::common::{WIDGETS, emulator, install, json_call, send, widget};
use kube_emulator::KubeEmulator;

/// Every event of a watch until it ends.
async fn events(emulator: &KubeEmulator, query: &str) -> Vec<Value> {
    let response = send(
        emulator,
        "GET",
        &format!("{WIDGETS}?watch=true&{query}"),
        "application/json",
        "",
    )
    .await;
    assert_eq!(response.status(), 200);
    let mut text = Vec::new();
    let mut stream = response.into_body().into_data_stream();
    while let Some(chunk) = stream.next().await {
        text.extend_from_slice(&chunk.unwrap());
    }
    serde_json::Deserializer::from_slice(&text)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn shown(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let name = event["object"]["metadata"]["name"].as_str().unwrap_or("-");
            format!("{} {name}", event["type"].as_str().unwrap())
        })
        .collect()
}

async fn create(emulator: &KubeEmulator, name: &str, color: &str) -> String {
    let (code, stored) = json_call(emulator, "POST", WIDGETS, &widget(name, json!({"color": color}))).await;
    assert_eq!(code, 201, "{stored}");
    stored["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_watch_starts_with_what_is_there_and_ends_in_time() {
    let emulator = emulator(100);
    install(&emulator).await;
    let first = create(&emulator, "a", "red").await;
    create(&emulator, "b", "red").await;
    let begin = tokio::time::Instant::now();
    assert_eq!(
        shown(&events(&emulator, "timeoutSeconds=5").await),
        ["ADDED a", "ADDED b"]
    );
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
    assert_eq!(
        shown(&events(&emulator, &format!("timeoutSeconds=5&resourceVersion={first}")).await),
        ["ADDED b"]
    );
}

#[tokio::test(start_paused = true)]
async fn changes_arrive_while_watching() {
    let emulator = emulator(100);
    install(&emulator).await;
    let watch = events(&emulator, "timeoutSeconds=10");
    let user = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        create(&emulator, "a", "red").await;
        json_call(
            &emulator,
            "PATCH",
            &format!("{WIDGETS}/a"),
            &json!({"spec": {"size": 2}}),
        )
        .await;
        json_call(&emulator, "DELETE", &format!("{WIDGETS}/a"), &json!({})).await;
    };
    let (seen, ()) = tokio::join!(watch, user);
    assert_eq!(shown(&seen), ["ADDED a", "MODIFIED a", "DELETED a"]);
    let revisions: Vec<u64> = seen
        .iter()
        .map(|event| {
            event["object"]["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(
        revisions.is_sorted() && revisions[2] > revisions[1],
        "the removal has a revision of its own: {revisions:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_is_an_error_event_not_an_http_error() {
    let emulator = emulator(2);
    install(&emulator).await;
    let first = create(&emulator, "a", "red").await;
    for name in ["b", "c", "d"] {
        create(&emulator, name, "red").await;
    }
    let seen = events(&emulator, &format!("resourceVersion={first}")).await;
    assert_eq!(seen.len(), 1, "trap T1");
    assert_eq!(
        (seen[0]["type"].as_str(), seen[0]["object"]["code"].as_u64()),
        (Some("ERROR"), Some(410))
    );
    assert_eq!(seen[0]["object"]["reason"], "Expired");
    assert_eq!(
        events(&emulator, "resourceVersion=99999&timeoutSeconds=3").await,
        Vec::<Value>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_once_a_minute_and_before_the_end() {
    let emulator = emulator(100);
    install(&emulator).await;
    create(&emulator, "a", "red").await;
    let seen = events(&emulator, "timeoutSeconds=125&allowWatchBookmarks=true").await;
    assert_eq!(shown(&seen), ["ADDED a", "BOOKMARK -", "BOOKMARK -", "BOOKMARK -"]);
    let bookmark = &seen[1]["object"];
    assert_eq!(
        (bookmark["kind"].as_str(), bookmark["apiVersion"].as_str()),
        (Some("Widget"), Some("ex.io/v1"))
    );
    let short = events(&emulator, "timeoutSeconds=5&allowWatchBookmarks=true").await;
    assert_eq!(shown(&short), ["ADDED a", "BOOKMARK -"]);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_marks_its_end() {
    let emulator = emulator(100);
    install(&emulator).await;
    create(&emulator, "a", "red").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
    let seen = events(&emulator, &format!("{query}&allowWatchBookmarks=true")).await;
    assert_eq!(shown(&seen), ["ADDED a", "BOOKMARK -"]);
    assert_eq!(
        seen[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(
        shown(&events(&emulator, query).await),
        ["ADDED a"],
        "no mark without bookmarks"
    );
    let response = send(
        &emulator,
        "GET",
        &format!("{WIDGETS}?watch=1&sendInitialEvents=true"),
        "",
        "",
    )
    .await;
    assert_eq!(response.status(), 422);
}

#[tokio::test(start_paused = true)]
async fn objects_that_leave_a_selection_are_deleted_for_its_watcher() {
    let emulator = emulator(100);
    install(&emulator).await;
    create(&emulator, "a", "red").await;
    create(&emulator, "b", "blue").await;
    let watch = events(&emulator, "timeoutSeconds=10&fieldSelector=spec.color%3Dred");
    let user = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (name, color) in [("a", "green"), ("b", "red"), ("a", "blue")] {
            json_call(
                &emulator,
                "PATCH",
                &format!("{WIDGETS}/{name}"),
                &json!({"spec": {"color": color}}),
            )
            .await;
        }
    };
    let (seen, ()) = tokio::join!(watch, user);
    assert_eq!(shown(&seen), ["ADDED a", "DELETED a", "ADDED b"]);
    assert_eq!(seen[1]["object"]["spec"]["color"], "red", "trap T9: the old content");
    let (before, after) = (&seen[0]["object"]["metadata"], &seen[1]["object"]["metadata"]);
    assert_ne!(
        before["resourceVersion"], after["resourceVersion"],
        "trap T9: with the new revision"
    );
}

#[tokio::test(start_paused = true)]
async fn thousands_of_writes_reach_a_watcher_in_order() {
    let emulator = emulator(20_000);
    install(&emulator).await;
    let watch = events(&emulator, "timeoutSeconds=30");
    let user = async {
        for index in 0..2_000 {
            create(&emulator, &format!("w{index}"), "red").await;
        }
    };
    let (seen, ()) = tokio::join!(watch, user);
    assert_eq!(seen.len(), 2_000);
    assert_eq!(emulator.objects("ex.io", "widgets").len(), 2_000);
}
