//! `metalctl` against API servers in memory: objects move from one to another, all or none.

use std::sync::Arc;

use axum::http::{Request, StatusCode, header};
use crds::{Server, ServerClaim};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use kube_emulator::KubeEmulator;
use operator::edges::Clock;
use operator::metalctl::move_objects::{self, Wishes};
use operator::metalctl::{cordon, visualizer};
use serde_json::{Value, json};
use tower::ServiceExt;

const NOW: &str = "2030-01-01T00:00:00Z";

fn clock() -> Clock {
    Arc::new(|| NOW.parse().expect("a timestamp"))
}

/// An API server with the kinds of the metal API. Another seed gives other UIDs.
async fn cluster(seed: u64) -> Client {
    let cluster = KubeEmulator::new(kube_emulator::Settings {
        clock: clock(),
        seed,
        admin_token: "admin".to_owned(),
        watch_history: 1_000,
    });
    let service = tower::ServiceBuilder::new()
        .map_request(|mut request: Request<kube::client::Body>| {
            let token = header::HeaderValue::from_static("Bearer admin");
            request.headers_mut().insert(header::AUTHORIZATION, token);
            request
        })
        .service(cluster.router());
    let client = Client::new(service, "default");
    for definition in crds::manifest::all() {
        let definitions = Api::<CustomResourceDefinition>::all(client.clone());
        definitions
            .create(&PostParams::default(), &definition)
            .await
            .expect("installed");
    }
    client
}

fn api(client: &Client, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let group = if matches!(kind, "Secret" | "ConfigMap" | "Namespace") {
        ""
    } else {
        "metal.ironcore.dev"
    };
    let group = if kind == "Lease" { "coordination.k8s.io" } else { group };
    let version = if group == "metal.ironcore.dev" {
        "v1alpha1"
    } else {
        "v1"
    };
    let plural = match kind {
        "BMCSettings" => "bmcsettings".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Makes an object with its status. Returns its UID.
async fn make(client: &Client, mut object: Value) -> String {
    let kind = object["kind"].as_str().expect("kind").to_owned();
    if object.get("apiVersion").is_none() {
        object["apiVersion"] = json!("metal.ironcore.dev/v1alpha1");
    }
    let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
    let (api, status) = (api(client, &kind, namespace.as_deref()), object["status"].take());
    let parsed: DynamicObject = serde_json::from_value(object).expect("an object");
    let made = api.create(&PostParams::default(), &parsed).await.expect("created");
    if !status.is_null() {
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(&made.name_any(), &PatchParams::default(), &patch)
            .await
            .expect("status");
    }
    made.uid().expect("a uid")
}

/// A rack with a tenant: references by UID and by name, Secrets, a status, a label that says where.
async fn populate(client: &Client) {
    make(
        client,
        json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": "tenants" } }),
    )
    .await;
    make(
        client,
        json!({ "kind": "BMCSecret", "metadata": { "name": "a" }, "data": { "username": "YQ==", "password": "Yg==" } }),
    )
    .await;
    let bmc = json!({
        "kind": "BMC", "metadata": { "name": "a", "finalizers": ["metal.ironcore.dev/bmc"] },
        "spec": {
            "access": { "ip": "192.0.2.1", "macAddress": "02:00:00:00:00:01" }, "bmcSecretRef": { "name": "a" },
            "protocol": { "name": "Redfish", "port": 443 },
        },
        "status": { "state": "Enabled", "manufacturer": "Contoso" },
    });
    let bmc = make(client, bmc).await;
    let claim = json!({
        "kind": "ServerClaim", "metadata": { "name": "web", "namespace": "tenants", "finalizers": ["metal.ironcore.dev/serverclaim"] },
        "spec": {
            "power": "On", "image": "registry.example/os:1", "ignitionSecretRef": { "name": "ignition" }, "userDataRef": { "name": "hello" },
            "serverRef": { "name": "a-system-0" },
        },
        "status": { "phase": "Bound" },
    });
    let claim = make(client, claim).await;
    for name in ["ignition", "hello", "unrelated"] {
        let secret = json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": name, "namespace": "tenants" }, "stringData": { "key": name } });
        make(client, secret).await;
    }
    let server = json!({
        "kind": "Server",
        "metadata": {
            "name": "a-system-0", "finalizers": ["metal.ironcore.dev/server"],
            "labels": { "metadata.metal.ironcore.dev/rack": "r1", "metadata.metal.ironcore.dev/shelf": "4", "metadata.metal.ironcore.dev/height": "2" },
            "ownerReferences": [{ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMC", "name": "a", "uid": bmc, "controller": true }],
        },
        "spec": {
            "systemUUID": "7c1dcd0f-1bd6-4c4c-a4b6-0b3f8f6c9d11", "bmcRef": { "name": "a" }, "tenancyEpoch": 3, "residueEpoch": 3,
            "serverClaimRef": { "namespace": "tenants", "name": "web", "uid": claim },
        },
        "status": { "state": "Reserved", "powerState": "On", "indicatorLED": "Off" },
    });
    let server = make(client, server).await;
    // The operator writes down which object it has bound.
    let mark = json!({ "metadata": { "annotations": { "metal.ironcore.dev/bound-as": server } } });
    let servers = api(client, "Server", None);
    servers
        .patch("a-system-0", &PatchParams::default(), &Patch::Merge(mark))
        .await
        .expect("marked");
    let configuration = json!({
        "kind": "ServerBootConfiguration",
        "metadata": {
            "name": "web", "namespace": "tenants",
            "ownerReferences": [{ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerClaim", "name": "web", "uid": claim, "controller": true }],
        },
        "spec": { "serverRef": { "name": "a-system-0" }, "ignitionSecretRef": { "name": "ignition" } },
        "status": { "state": "Ready" },
    });
    make(client, configuration).await;
    make(client, json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "ntp", "namespace": "default" }, "data": { "server": "192.0.2.9" } })).await;
    let settings = json!({
        "kind": "BMCSettings", "metadata": { "name": "ntp" },
        "spec": {
            "BMCRef": { "name": "a" }, "version": "1.0", "settings": { "NTP": "$(NTP)" },
            "variables": [{ "key": "NTP", "valueFrom": { "configMapKeyRef": { "name": "ntp", "namespace": "default", "key": "server" } } }],
        },
    });
    make(client, settings).await;
}

async fn moved(source: &Client, target: &Client, wishes: &Wishes) -> Result<String, String> {
    let mut out = Vec::new();
    let done = move_objects::run(source, target, wishes, &clock(), &mut out).await;
    let told = String::from_utf8(out).expect("text");
    done.map(|()| told).map_err(|error| format!("{error:#}"))
}

fn wishes() -> Wishes {
    Wishes {
        verbose: true,
        ..Wishes::default()
    }
}

async fn servers(client: &Client) -> Vec<Server> {
    let servers: Api<Server> = Api::all(client.clone());
    servers.list(&Default::default()).await.expect("listed").items
}

#[tokio::test]
async fn everything_moves_and_means_the_same() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    let told = moved(&source, &target, &wishes()).await.expect("moved");
    insta::assert_snapshot!(told);
    let claim: ServerClaim = Api::namespaced(target.clone(), "tenants")
        .get("web")
        .await
        .expect("claim");
    let [server] = &servers(&target).await[..] else {
        panic!("one server")
    };
    let reference = server.spec.server_claim_ref.as_ref().expect("held");
    assert_eq!(reference.uid, claim.uid(), "the holder is the claim of this cluster");
    assert_eq!(
        server.annotations()["metal.ironcore.dev/bound-as"],
        server.uid().expect("uid")
    );
    assert_eq!(
        server.status.as_ref().and_then(|status| status.state.clone()),
        Some(crds::ServerState::Reserved)
    );
    let bmc = api(&target, "BMC", None).get("a").await.expect("BMC");
    assert_eq!(Some(&server.owner_references()[0].uid), bmc.metadata.uid.as_ref());
    assert_eq!(bmc.data["status"]["manufacturer"], "Contoso");
    let secrets: Api<Secret> = Api::namespaced(target.clone(), "tenants");
    let names: Vec<String> = secrets
        .list(&Default::default())
        .await
        .expect("secrets")
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["hello", "ignition"], "what is named, and nothing else");
    let maps: Api<ConfigMap> = Api::namespaced(target.clone(), "default");
    assert!(maps.get_opt("ntp").await.expect("config maps").is_some());
    // Nothing is lost where it was, and a second time changes nothing.
    assert_eq!(servers(&source).await.len(), 1);
    let again = moved(&source, &target, &Wishes::default()).await;
    assert_eq!(again.as_deref(), Ok("0 objects were moved, 9 were there already\n"));
}

#[tokio::test]
async fn a_dry_run_tells_and_does_nothing() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    let dry = Wishes {
        dry_run: true,
        ..Wishes::default()
    };
    insta::assert_snapshot!(moved(&source, &target, &dry).await.expect("told"));
    assert!(servers(&target).await.is_empty());
    assert!(
        api(&target, "Namespace", None)
            .get_opt("tenants")
            .await
            .expect("asked")
            .is_none()
    );
}

#[tokio::test]
async fn one_namespace_and_what_belongs_to_none() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    let elsewhere = json!({ "kind": "ServerClaim", "metadata": { "name": "other", "namespace": "default" }, "spec": { "power": "On", "image": "i" } });
    make(&source, elsewhere).await;
    let wishes = Wishes {
        namespace: Some("default".to_owned()),
        ..Wishes::default()
    };
    moved(&source, &target, &wishes).await.expect("moved");
    let claims: Api<ServerClaim> = Api::all(target.clone());
    let names: Vec<String> = claims
        .list(&Default::default())
        .await
        .expect("claims")
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["other"]);
    assert_eq!(servers(&target).await.len(), 1);
}

#[tokio::test]
async fn what_is_there_and_differs_is_found_before_anything_is_made() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    make(
        &target,
        json!({ "kind": "BMCSecret", "metadata": { "name": "a" }, "data": { "username": "YQ==", "password": "Yw==" } }),
    )
    .await;
    let refused = moved(&source, &target, &wishes()).await.expect_err("refused");
    assert_eq!(
        refused,
        "nothing was moved: BMCSecret a is in the target cluster already, and says something else: data.password"
    );
    assert!(servers(&target).await.is_empty());
}

#[tokio::test]
async fn a_failure_half_way_leaves_nothing() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    // The other cluster takes no Server in its third tenancy: the last object fails.
    let definitions: Api<CustomResourceDefinition> = Api::all(target.clone());
    let mut definition = definitions.get("servers.metal.ironcore.dev").await.expect("definition");
    let schema = definition.spec.versions[0]
        .schema
        .as_mut()
        .and_then(|schema| schema.open_api_v3_schema.as_mut());
    let properties = schema
        .and_then(|schema| schema.properties.as_mut())
        .expect("properties");
    let spec = properties
        .get_mut("spec")
        .and_then(|spec| spec.properties.as_mut())
        .expect("spec");
    spec.get_mut("tenancyEpoch").expect("epoch").maximum = Some(2.0);
    definitions
        .replace("servers.metal.ironcore.dev", &PostParams::default(), &definition)
        .await
        .expect("narrowed");
    let failed = moved(&source, &target, &wishes()).await.expect_err("failed");
    assert!(
        failed
            .starts_with("nothing was moved; what had been made is deleted again: Server a-system-0 cannot be created"),
        "{failed}"
    );
    for (kind, namespace) in [
        ("BMC", None),
        ("BMCSecret", None),
        ("Server", None),
        ("ServerClaim", Some("tenants")),
        ("Secret", Some("tenants")),
        ("ServerBootConfiguration", Some("tenants")),
        ("BMCSettings", None),
    ] {
        let left = api(&target, kind, namespace)
            .list(&Default::default())
            .await
            .expect("listed");
        assert_eq!(left.items.len(), 0, "{kind}");
    }
}

#[tokio::test]
async fn nobody_moves_under_an_operator_at_work() {
    let (source, target) = (cluster(1).await, cluster(2).await);
    populate(&source).await;
    let lease = json!({
        "kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": { "name": crds::keys::LEADER_ELECTION_LEASE, "namespace": "default" },
        "spec": { "holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": "2029-12-31T23:59:55.000000Z" },
    });
    make(&target, lease).await;
    let refused = moved(&source, &target, &Wishes::default()).await.expect_err("refused");
    assert!(
        refused.starts_with("The operator pod-1 (namespace default) is at work in the target cluster"),
        "{refused}"
    );
    let insisting = Wishes {
        allow_running_operator: true,
        ..Wishes::default()
    };
    moved(&source, &target, &insisting).await.expect("moved");
}

#[tokio::test]
async fn cordons() {
    let client = cluster(1).await;
    populate(&client).await;
    let cordon = |unclaimable, dry| cordon::cordon(client.clone(), "a-system-0", unclaimable, dry);
    let unclaimable = async || servers(&client).await[0].spec.unclaimable;
    let kept = "; tenants/web keeps it until it is deleted";
    let told = cordon(true, true).await.expect("dry run");
    assert_eq!(
        (told, unclaimable().await),
        (format!("server/a-system-0 cordoned (server dry run){kept}"), false)
    );
    let told = cordon(true, false).await.expect("cordoned");
    assert_eq!(
        (told, unclaimable().await),
        (format!("server/a-system-0 cordoned{kept}"), true)
    );
    assert_eq!(
        cordon(true, false).await.expect("again"),
        "server/a-system-0 already cordoned"
    );
    let told = cordon(false, false).await.expect("uncordoned");
    assert_eq!(
        (told.as_str(), unclaimable().await),
        ("server/a-system-0 uncordoned", false)
    );
    let missing = cordon::cordon(client.clone(), "nobody", true, false).await;
    assert!(format!("{:#}", missing.expect_err("missing")).contains("cannot read Server nobody"));
}

#[tokio::test]
async fn the_picture_is_for_this_machine() {
    let client = cluster(1).await;
    let ask = async |path: &str, host: &str| {
        let request = Request::get(path)
            .header(header::HOST, host)
            .body(axum::body::Body::empty());
        let router = visualizer::router(client.clone());
        let response = router.oneshot(request.expect("a request")).await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    };
    let none = ask("/api/servers", "localhost:8080").await;
    assert_eq!(none, (StatusCode::OK, "[]".to_owned()), "not null");
    populate(&client).await;
    let (_, placed) = ask("/api/servers", "127.0.0.1:8080").await;
    let expected = json!([{
        "name": "a-system-0", "location": "", "rack": "r1", "shelf": 4, "height": 2, "power": "On", "indicatorLED": "Off", "state": "Reserved",
    }]);
    assert_eq!(serde_json::from_str::<Value>(&placed).expect("JSON"), expected);
    assert!(ask("/", "localhost:8080").await.1.starts_with("<!doctype html>"));
    assert_eq!(
        ask("/api/servers", "evil.example:8080").await.0,
        StatusCode::MISDIRECTED_REQUEST
    );
}
