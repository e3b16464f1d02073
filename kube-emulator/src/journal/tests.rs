use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use serde_json::json;
use tower::util::MapRequestLayer;

use super::*;

fn settings() -> Settings {
    Settings {
        clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        seed: 1,
        admin_token: "token".to_owned(),
        watch_history: 100,
    }
}

fn client(emulator: &KubeEmulator) -> Client {
    let bearer = MapRequestLayer::new(|mut request: http::Request<kube::client::Body>| {
        let headers = request.headers_mut();
        headers.insert(
            http::header::AUTHORIZATION,
            http::HeaderValue::from_static("Bearer token"),
        );
        request.map(axum::body::Body::new)
    });
    Client::new(
        tower::ServiceBuilder::new().layer(bearer).service(emulator.router()),
        "default",
    )
}

/// The same cluster after a restart. Clients end a little later than whoever has them.
async fn again(folder: &Path) -> KubeEmulator {
    loop {
        match KubeEmulator::kept_in(settings(), folder) {
            Err(JournalError::InUse { .. }) => tokio::task::yield_now().await,
            emulator => return emulator.expect("the same"),
        }
    }
}

/// Everything there is, as people see it.
fn shown(emulator: &KubeEmulator) -> (BTreeMap<String, Value>, u64) {
    let (objects, revision) = emulator.everything();
    let objects = objects
        .into_iter()
        .map(|((id, key), (_, object))| (format!("{} {key}", id.resource), (*object).clone()));
    (objects.collect(), revision)
}

fn widget() -> (Value, ApiResource) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": { "plural": "widgets", "singular": "widget", "kind": "Widget" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }],
        },
    });
    let resource = ApiResource {
        group: "example.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "example.com/v1".to_owned(),
        kind: "Widget".to_owned(),
        plural: "widgets".to_owned(),
    };
    (definition, resource)
}

/// A kind, objects that change, one that goes.
async fn live(emulator: &KubeEmulator, folder: &Path) -> Vec<(u64, (BTreeMap<String, Value>, u64))> {
    let (definition, resource) = widget();
    let (client, mut seen) = (client(emulator), Vec::new());
    let length = || fs::metadata(folder.join(FILE)).expect("a journal").len();
    seen.push((length(), shown(emulator)));
    let definitions: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &ApiResource {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
        },
    );
    let definition = serde_json::from_value(definition).expect("an object");
    definitions
        .create(&PostParams::default(), &definition)
        .await
        .expect("a definition");
    let widgets: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource);
    let object = serde_json::from_value(
        json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "a" } }),
    );
    widgets
        .create(&PostParams::default(), &object.expect("an object"))
        .await
        .expect("a widget");
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    for name in ["one", "two"] {
        let map = serde_json::from_value(json!({ "metadata": { "name": name } })).expect("a map");
        maps.create(&PostParams::default(), &map).await.expect("created");
        seen.push((length(), shown(emulator)));
    }
    let patch = Patch::Merge(json!({ "data": { "key": "value" } }));
    maps.patch("one", &PatchParams::default(), &patch)
        .await
        .expect("patched");
    seen.push((length(), shown(emulator)));
    maps.delete("two", &DeleteParams::default()).await.expect("deleted");
    seen.push((length(), shown(emulator)));
    seen
}

#[tokio::test]
async fn a_cluster_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = KubeEmulator::kept_in(settings(), folder.path()).expect("a new one");
    live(&emulator, folder.path()).await;
    let before = shown(&emulator);
    drop(emulator);
    let emulator = again(folder.path()).await;
    assert_eq!(shown(&emulator), before);
    // It serves what it served, and nothing has the name of something else.
    let (_, resource) = widget();
    let widgets: Api<DynamicObject> = Api::all_with(client(&emulator), &resource);
    assert_eq!(
        widgets.list(&ListParams::default()).await.expect("served").items.len(),
        1
    );
    let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "three" } })).expect("a map");
    let maps: Api<ConfigMap> = Api::namespaced(client(&emulator), "default");
    let created = maps
        .create(&PostParams::default(), &map)
        .await
        .expect("created")
        .metadata;
    let uids = before
        .0
        .values()
        .filter_map(|object| object.pointer("/metadata/uid")?.as_str());
    assert!(uids.into_iter().all(|uid| Some(uid) != created.uid.as_deref()));
    assert_eq!(created.resource_version, Some((before.1 + 1).to_string()));
    // Whoever watched before has to list again.
    let old = maps.watch(&kube::api::WatchParams::default(), "2").await;
    let answer = futures::StreamExt::next(&mut Box::pin(old.expect("an answer"))).await;
    let answer = format!("{answer:?}");
    assert!(answer.contains("410"), "{answer}");
}

#[tokio::test]
async fn wherever_the_file_is_cut_there_is_what_had_been_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = KubeEmulator::kept_in(settings(), folder.path()).expect("a new one");
    let seen = live(&emulator, folder.path()).await;
    drop(emulator);
    let whole = fs::read(folder.path().join(FILE)).expect("a journal");
    let cut = tempfile::tempdir().expect("a folder");
    for length in 0..=whole.len() {
        fs::write(cut.path().join(FILE), &whole[..length]).expect("a file");
        let journal = Journal::open(cut.path()).unwrap_or_else(|error| panic!("cut at {length}: {error}"));
        // Nothing that was complete is lost, nothing that was not is there.
        let (objects, revision, end) = replay(&whole[..length]).expect("not damaged");
        assert_eq!(
            (&journal.objects, journal.revision),
            (&objects, revision),
            "cut at {length}"
        );
        assert!(end <= length as u64 && fs::metadata(cut.path().join(FILE)).expect("a file").len() == end);
        if let Some((_, (shown, at))) = seen.iter().find(|(known, _)| *known == length as u64) {
            let objects = objects
                .into_iter()
                .map(|((id, key), (_, object))| (format!("{} {key}", id.resource), (*object).clone()));
            assert_eq!(
                (&objects.collect::<BTreeMap<_, _>>(), &revision),
                (shown, at),
                "cut at {length}"
            );
        }
    }
}

#[tokio::test]
async fn history_is_forgotten_and_what_exists_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let emulator = KubeEmulator::kept_in(settings(), folder.path()).expect("a new one");
    let maps: Api<ConfigMap> = Api::namespaced(client(&emulator), "default");
    let large = "x".repeat(500_000);
    let map = serde_json::from_value(json!({ "metadata": { "name": "map" } })).expect("a map");
    maps.create(&PostParams::default(), &map).await.expect("created");
    for round in 0..30 {
        let patch = Patch::Merge(json!({ "data": { "round": round.to_string(), "large": large } }));
        maps.patch("map", &PatchParams::default(), &patch)
            .await
            .expect("patched");
    }
    let length = fs::metadata(folder.path().join(FILE)).expect("a journal").len();
    assert!(length < 2 * SHORTEST, "15 MB were written, and {length} are there");
    let before = shown(&emulator);
    drop((emulator, maps));
    assert_eq!(shown(&again(folder.path()).await), before);
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = KubeEmulator::kept_in(settings(), folder.path()).expect("a new one");
    let second = KubeEmulator::kept_in(settings(), folder.path());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
}
