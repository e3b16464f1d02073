//! Several API servers over one log: stale reads, late watches, cut connections, forgotten history.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::common::{WIDGETS, client_of, emulator, install, json_call, send_to, widget};
use kube_emulator::{FrontEnd, KubeEmulator};

const SECOND: Duration = Duration::from_secs(1);

/// A server with widgets, and a front end to it. A while has passed, so that no cache is empty for its lag.
async fn server(history: usize) -> (KubeEmulator, FrontEnd) {
    let emulator = emulator(history);
    install(&emulator).await;
    sleep(3600 * SECOND).await;
    let front_end = emulator.front_end();
    (emulator, front_end)
}

async fn write(emulator: &KubeEmulator, name: &str, size: u64) -> String {
    let path = format!("{WIDGETS}/{name}");
    let (code, mut stored) = json_call(emulator, "PATCH", &path, &json!({"spec": {"size": size}})).await;
    if code == 404 {
        (_, stored) = json_call(emulator, "POST", WIDGETS, &widget(name, json!({"size": size}))).await;
    }
    stored["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

async fn read(front_end: &FrontEnd, path_and_query: &str) -> (u16, Value) {
    let response = send_to(front_end.router(), "GET", path_and_query, "", "").await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap())
}

/// Names and sizes of a list, and its revision.
async fn list(front_end: &FrontEnd, query: &str) -> (Vec<String>, String) {
    let (code, list) = read(front_end, &format!("{WIDGETS}?{query}")).await;
    assert_eq!(code, 200, "{list}");
    let item = |item: &Value| {
        format!(
            "{}={}",
            item["metadata"]["name"].as_str().unwrap(),
            item["spec"]["size"]
        )
    };
    let revision = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    (list["items"].as_array().unwrap().iter().map(item).collect(), revision)
}

/// What a watch shows until it ends, with the seconds since `start`.
async fn watch(front_end: &FrontEnd, start: Instant, query: &str) -> Vec<String> {
    let path = format!("{WIDGETS}?watch=true&{query}");
    let response = send_to(front_end.router(), "GET", &path, "", "").await;
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let mut shown = Vec::new();
    while let Some(chunk) = stream.next().await {
        let event: Value = serde_json::from_slice(&chunk.unwrap()).unwrap();
        let object = &event["object"];
        let what = match event["type"].as_str().unwrap() {
            "BOOKMARK" => object["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
            "ERROR" => object["code"].to_string(),
            _ => format!(
                "{}={}",
                object["metadata"]["name"].as_str().unwrap(),
                object["spec"]["size"]
            ),
        };
        shown.push(format!(
            "{} {} {what}",
            start.elapsed().as_secs(),
            event["type"].as_str().unwrap()
        ));
    }
    shown.push(format!("{} end", start.elapsed().as_secs()));
    shown
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_as_old_as_its_lag_and_the_log_is_current() {
    let (emulator, front_end) = server(100).await;
    let first = write(&emulator, "a", 1).await;
    front_end.set_lag(10 * SECOND);
    sleep(20 * SECOND).await;
    write(&emulator, "a", 2).await;
    sleep(4 * SECOND).await;
    let newest = write(&emulator, "b", 1).await;

    assert_eq!(
        list(&front_end, "").await,
        (vec!["a=2".into(), "b=1".into()], newest.clone())
    );
    assert_eq!(
        list(&front_end, "resourceVersion=0").await,
        (vec!["a=1".into()], first.clone())
    );
    assert_eq!(
        list(&front_end, "resourceVersion=0&labelSelector=none").await,
        (vec![], first)
    );
    assert_eq!(read(&front_end, &format!("{WIDGETS}/a")).await.1["spec"]["size"], 2);
    assert_eq!(
        read(&front_end, &format!("{WIDGETS}/a?resourceVersion=0")).await.1["spec"]["size"],
        1
    );
    assert_eq!(read(&front_end, &format!("{WIDGETS}/b?resourceVersion=0")).await.0, 404);
    sleep(6 * SECOND).await;
    assert_eq!(list(&front_end, "resourceVersion=0").await.0, ["a=2"]);
    sleep(4 * SECOND).await;
    assert_eq!(
        list(&front_end, "resourceVersion=0").await,
        (vec!["a=2".into(), "b=1".into()], newest.clone())
    );
    json_call(&emulator, "DELETE", &format!("{WIDGETS}/a"), &json!({})).await;
    assert_eq!(list(&front_end, "").await.0, ["b=1"]);
    assert_eq!(
        list(&front_end, "resourceVersion=0").await,
        (vec!["a=2".into(), "b=1".into()], newest)
    );
    assert_eq!(
        list(&emulator.front_end(), "resourceVersion=0").await.0,
        ["b=1"],
        "others do not lag"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_three_seconds_for_the_revision_it_asks_for() {
    let (emulator, front_end) = server(100).await;
    front_end.set_lag(2 * SECOND);
    let revision = write(&emulator, "a", 1).await;
    let begin = Instant::now();
    assert_eq!(
        list(&front_end, &format!("resourceVersion={revision}")).await.0,
        ["a=1"]
    );
    assert_eq!(begin.elapsed(), 2 * SECOND);
    front_end.set_lag(10 * SECOND);
    let revision = write(&emulator, "a", 2).await;
    let begin = Instant::now();
    let (code, status) = read(&front_end, &format!("{WIDGETS}/a?resourceVersion={revision}")).await;
    assert_eq!((code, begin.elapsed()), (504, 3 * SECOND));
    assert_eq!(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(status["details"]["retryAfterSeconds"], 1);
    let hurry = async {
        sleep(SECOND).await;
        front_end.set_lag(Duration::ZERO);
    };
    let query = format!("resourceVersion={revision}");
    let (listed, ()) = tokio::join!(list(&front_end, &query), hurry);
    assert_eq!(listed.0, ["a=2"]);
    assert_eq!(begin.elapsed(), 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_watch_shows_what_happened_a_lag_ago() {
    let (emulator, front_end) = server(100).await;
    write(&emulator, "a", 1).await;
    sleep(100 * SECOND).await;
    front_end.set_lag(10 * SECOND);
    sleep(10 * SECOND).await;
    let start = Instant::now();
    let old = write(&emulator, "a", 2).await;
    let user = async {
        sleep(5 * SECOND).await;
        write(&emulator, "a", 3).await;
        write(&emulator, "b", 1).await;
        sleep(7 * SECOND).await;
        front_end.set_lag(20 * SECOND);
        write(&emulator, "b", 2).await;
        sleep(20 * SECOND).await;
        write(&emulator, "b", 3).await;
        sleep(3 * SECOND).await;
        front_end.set_lag(Duration::ZERO);
        write(&emulator, "b", 4).await;
    };
    let query = format!("resourceVersion={old}&timeoutSeconds=60");
    let (from_cache, from_revision, ()) = tokio::join!(
        watch(&front_end, start, "timeoutSeconds=40"),
        watch(&front_end, start, &query),
        user
    );
    assert_eq!(
        from_cache,
        [
            "0 ADDED a=1",
            "10 MODIFIED a=2",
            "25 MODIFIED a=3",
            "25 ADDED b=1",
            "32 MODIFIED b=2",
            "35 MODIFIED b=3",
            "35 MODIFIED b=4",
            "40 end"
        ]
    );
    assert_eq!(from_revision[..], [&from_cache[2..7], &["60 end".to_owned()]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_stale_list_and_a_watch_from_it_miss_nothing() {
    let (emulator, front_end) = server(100).await;
    front_end.set_lag(10 * SECOND);
    sleep(10 * SECOND).await;
    write(&emulator, "a", 1).await;
    sleep(5 * SECOND).await;
    write(&emulator, "a", 2).await;
    sleep(5 * SECOND).await;
    let (names, revision) = list(&front_end, "resourceVersion=0").await;
    assert_eq!(names, ["a=1"]);
    let start = Instant::now();
    let seen = watch(
        &front_end,
        start,
        &format!("resourceVersion={revision}&timeoutSeconds=20"),
    )
    .await;
    assert_eq!(seen, ["5 MODIFIED a=2", "20 end"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_are_not_ahead_of_the_cache() {
    let (emulator, front_end) = server(100).await;
    front_end.set_lag(10 * SECOND);
    sleep(10 * SECOND).await;
    let start = Instant::now();
    let user = async {
        sleep(40 * SECOND).await;
        let first = write(&emulator, "a", 1).await;
        sleep(15 * SECOND).await;
        write(&emulator, "a", 2).await;
        first
    };
    let query = "timeoutSeconds=62&allowWatchBookmarks=true";
    let (seen, first) = tokio::join!(watch(&front_end, start, query), user);
    assert_eq!(
        seen,
        [
            "50 ADDED a=1".to_owned(),
            format!("60 BOOKMARK {first}"),
            "62 end".to_owned()
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_when_the_cache_is_as_fresh_as_asked() {
    let (emulator, front_end) = server(100).await;
    write(&emulator, "a", 1).await;
    front_end.set_lag(10 * SECOND);
    sleep(10 * SECOND).await;
    let newest = write(&emulator, "a", 2).await;
    let start = Instant::now();
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=20";
    let stale = format!("{query}&resourceVersion=0");
    let (consistent, stale) = tokio::join!(watch(&front_end, start, query), watch(&front_end, start, &stale));
    let mark = format!("10 BOOKMARK {newest}");
    assert_eq!(consistent[..3], ["0 ADDED a=1", "10 MODIFIED a=2", mark.as_str()]);
    assert_eq!(stale[0], "0 ADDED a=1");
    assert!(stale[1].starts_with("0 BOOKMARK"), "{stale:?}");
    assert_eq!(stale[2], "10 MODIFIED a=2");
}

#[tokio::test(start_paused = true)]
async fn one_resource_may_lag_alone() {
    let (emulator, front_end) = server(100).await;
    front_end.set_lag_for("configmaps", Some(10 * SECOND));
    sleep(10 * SECOND).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    json_call(&emulator, "POST", maps, &json!({"metadata": {"name": "m"}})).await;
    write(&emulator, "a", 1).await;
    assert_eq!(list(&front_end, "resourceVersion=0").await.0, ["a=1"]);
    let shown = |list: Value| list["items"].as_array().unwrap().len();
    assert_eq!(shown(read(&front_end, &format!("{maps}?resourceVersion=0")).await.1), 0);
    front_end.set_lag_for("configmaps", None);
    assert_eq!(shown(read(&front_end, &format!("{maps}?resourceVersion=0")).await.1), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_end_when_they_are_cut() {
    let (emulator, front_end) = server(100).await;
    let other = emulator.front_end();
    let start = Instant::now();
    let user = async {
        sleep(5 * SECOND).await;
        write(&emulator, "a", 1).await;
        sleep(5 * SECOND).await;
        front_end.disconnect_watches();
        write(&emulator, "a", 2).await;
    };
    let (cut, whole, ()) = tokio::join!(
        watch(&front_end, start, "timeoutSeconds=20"),
        watch(&other, start, "timeoutSeconds=20"),
        user
    );
    assert_eq!(cut, ["5 ADDED a=1", "10 end"]);
    assert_eq!(whole, ["5 ADDED a=1", "10 MODIFIED a=2", "20 end"]);
    let again = watch(&front_end, start, "timeoutSeconds=20").await;
    assert_eq!(again, ["20 ADDED a=2", "40 end"]);
}

#[tokio::test(start_paused = true)]
async fn forgotten_history_is_expired() {
    let (emulator, front_end) = server(100).await;
    let first = write(&emulator, "a", 1).await;
    write(&emulator, "b", 1).await;
    let (_, page) = read(&front_end, &format!("{WIDGETS}?limit=1")).await;
    let token = page["metadata"]["continue"].as_str().unwrap();
    write(&emulator, "b", 2).await;
    let start = Instant::now();
    let user = async {
        sleep(5 * SECOND).await;
        front_end.set_lag(10 * SECOND);
        front_end.forget_history();
        sleep(SECOND).await;
        let query = format!("resourceVersion={first}");
        assert_eq!(watch(&front_end, start, &query).await, ["6 ERROR 410", "6 end"]);
        let exact = format!("{WIDGETS}?resourceVersionMatch=Exact&{query}");
        assert_eq!(read(&front_end, &exact).await.0, 410);
        let (code, status) = read(&front_end, &format!("{WIDGETS}?limit=1&continue={token}")).await;
        assert_eq!((code, status["reason"].as_str()), (410, Some("Expired")));
        assert!(status["metadata"]["continue"].is_string());
        let (names, revision) = list(&front_end, "resourceVersion=0").await;
        assert_eq!(names, ["a=1", "b=2"], "the cache was filled anew");
        write(&emulator, "a", 2).await;
        let later = watch(
            &front_end,
            start,
            &format!("resourceVersion={revision}&timeoutSeconds=12"),
        )
        .await;
        assert_eq!(later, ["16 MODIFIED a=2", "18 end"]);
    };
    let (open, ()) = tokio::join!(watch(&front_end, start, "timeoutSeconds=30"), user);
    assert_eq!(open, ["0 ADDED a=1", "0 ADDED b=2", "16 ERROR 410", "16 end"]);
}

#[tokio::test(start_paused = true)]
async fn silent_watches_deliver_nothing_and_expire() {
    let (emulator, front_end) = server(100).await;
    write(&emulator, "a", 1).await;
    let start = Instant::now();
    let bookmarks = "allowWatchBookmarks=true&timeoutSeconds=100";
    let user = async {
        sleep(5 * SECOND).await;
        front_end.set_silence(Some(10 * SECOND));
        write(&emulator, "a", 2).await;
        let initial = format!("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&{bookmarks}");
        let listed = watch(&front_end, start, &initial).await;
        assert_eq!(
            (&*listed[0], &*listed[2]),
            ("5 ADDED a=2", "15 ERROR 410"),
            "{listed:?}"
        );
        assert_eq!(list(&front_end, "").await.0, ["a=2"], "lists are as ever");
        let late = watch(&front_end, start, "timeoutSeconds=100");
        let (late, ()) = tokio::join!(late, async {
            write(&emulator, "a", 3).await;
            sleep(5 * SECOND).await;
            front_end.set_silence(None);
            sleep(5 * SECOND).await;
            front_end.disconnect_watches();
        });
        assert_eq!(late, ["15 ADDED a=2", "20 MODIFIED a=3", "25 end"]);
    };
    let (open, ()) = tokio::join!(watch(&front_end, start, bookmarks), user);
    assert_eq!(open, ["0 ADDED a=1", "10 ERROR 410", "10 end"]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_lags_no_further_than_the_history_goes() {
    let (emulator, front_end) = server(3).await;
    front_end.set_lag(Duration::MAX);
    let start = Instant::now();
    let user = async {
        for size in 1..=10 {
            write(&emulator, "a", size).await;
        }
        assert_eq!(list(&front_end, "resourceVersion=0").await.0, ["a=7"]);
        sleep(SECOND).await;
        front_end.set_lag(Duration::ZERO);
    };
    let (seen, ()) = tokio::join!(watch(&front_end, start, "timeoutSeconds=5"), user);
    assert_eq!(seen.len(), 11, "an open watch loses nothing: {seen:?}");
}

fn widgets(front_end: &FrontEnd) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("ex.io", "v1", "Widget"), "widgets");
    Api::namespaced_with(client_of(front_end.router()), "default", &kind)
}

/// kube's watcher against a front end that lags, is cut, and forgets, while objects change: it must end with the truth.
#[tokio::test(start_paused = true)]
async fn the_watcher_of_kube_converges_behind_a_lagging_front_end() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().any_semantic(),
        watcher::Config::default().streaming_lists(),
    ] {
        let (emulator, front_end) = server(100).await;
        write(&emulator, "a", 0).await;
        front_end.set_lag(7 * SECOND);
        let mut known = BTreeMap::new();
        let mut events = pin!(watcher(widgets(&front_end), config));
        let watching = async {
            // Errors (410) are items of the stream; it goes on after them.
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init) => known.clear(),
                    Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                        known.insert(
                            object.metadata.name.unwrap(),
                            object.data["spec"]["size"].as_u64().unwrap(),
                        );
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        known.remove(&object.metadata.name.unwrap());
                    }
                    Ok(watcher::Event::InitDone) | Err(_) => {}
                }
            }
        };
        let user = async {
            for step in 1..=60_u64 {
                sleep(SECOND).await;
                write(&emulator, ["a", "b", "c"][(step % 3) as usize], step).await;
                match step {
                    12 | 40 => front_end.disconnect_watches(),
                    20 => front_end.forget_history(),
                    25 => front_end.set_lag(15 * SECOND),
                    _ => {}
                }
                if step % 10 == 0 {
                    json_call(&emulator, "DELETE", &format!("{WIDGETS}/c"), &json!({})).await;
                }
            }
            sleep(120 * SECOND).await;
        };
        tokio::select! {
            biased;
            () = watching => panic!("the watcher ended"),
            () = user => {}
        }
        assert_eq!(known, BTreeMap::from([("a".to_owned(), 60), ("b".to_owned(), 58)]));
    }
}
