//! The webhooks over HTTPS, as the API server calls them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use operator::edges::BoxError;
use operator::metrics::Metrics;
use operator::serve::certificates::{Certificate, CertificateFiles};
use operator::serve::{HttpVersions, serve_tls};
use operator::webhook::Webhooks;
use operator::webhook::hooks::HOOKS;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const ENDPOINT: &str = "/validate-metal-ironcore-dev-v1alpha1-endpoint";
const BMC_SECRET: &str = "/validate-metal-ironcore-dev-v1alpha1-bmcsecret";
const SERVER: &str = "/validate-metal-ironcore-dev-v1alpha1-server";

/// What an API server knows about Endpoints: name and MAC address.
type Endpoints = Arc<Mutex<BTreeMap<String, String>>>;

fn endpoint(name: &str, mac_address: &str) -> Value {
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1",
        "kind": "Endpoint",
        "metadata": { "name": name, "uid": name, "resourceVersion": "1" },
        "spec": { "macAddress": mac_address, "ip": "10.0.0.1" },
    })
}

/// BIOSSettings for a server, with a maintenance that has the name of its settings.
fn settings(name: &str, server: &str) -> Value {
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1",
        "kind": "BIOSSettings",
        "metadata": { "name": name },
        "spec": { "version": "1.0", "serverRef": { "name": server }, "serverMaintenanceRef": { "namespace": "ns", "name": name } },
    })
}

/// That of the settings `first` is under way.
fn maintenance(path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    let state = if name == "first" { "InMaintenance" } else { "Pending" };
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1",
        "kind": "ServerMaintenance",
        "metadata": { "name": name, "namespace": "ns" },
        "spec": { "serverRef": { "name": "s1" } },
        "status": { "state": state },
    })
}

/// An API server that answers lists and reads, and whose watches never say anything.
fn api_server(endpoints: Endpoints) -> kube::Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let endpoints = endpoints.clone();
        async move {
            let uri = request.uri().clone();
            let watches = uri.query().is_some_and(|query| query.contains("watch=true"));
            if watches {
                std::future::pending::<()>().await;
            }
            let known = endpoints.lock().expect("not poisoned").clone();
            let name = uri.path().strip_prefix("/apis/metal.ironcore.dev/v1alpha1/endpoints/");
            let (code, answer) = match name {
                None if uri.path().ends_with("/biossettings") => (
                    200,
                    json!({ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BIOSSettingsList", "metadata": { "resourceVersion": "1" }, "items": [settings("first", "s1")] }),
                ),
                None if uri.path().contains("/servermaintenances/") => (200, maintenance(uri.path())),
                None => {
                    let items: Vec<Value> = known.iter().map(|(name, mac)| endpoint(name, mac)).collect();
                    (
                        200,
                        json!({ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "EndpointList", "metadata": { "resourceVersion": "1" }, "items": items }),
                    )
                }
                Some(name) => match known.get(name) {
                    Some(mac) => (200, endpoint(name, mac)),
                    None => (
                        404,
                        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "gone", "code": 404 }),
                    ),
                },
            };
            let body = kube::client::Body::from(serde_json::to_vec(&answer)?);
            Ok::<_, BoxError>(Response::builder().status(code).body(body)?)
        }
    });
    kube::Client::new(service, "default")
}

/// The webhooks on a socket, and a client that trusts them.
struct Served {
    address: SocketAddr,
    certificate: Arc<Certificate>,
    client: reqwest::Client,
    endpoints: Endpoints,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    folder: tempfile::TempDir,
}

/// Writes a certificate for 127.0.0.1 that is its own authority.
fn write_certificate(folder: &Path) -> (CertificateFiles, reqwest::Certificate) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = CertificateFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    (
        files,
        reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).expect("a certificate"),
    )
}

fn client(trusted: reqwest::Certificate) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([trusted])
        .build()
        .expect("a client")
}

impl Served {
    async fn start(versions: HttpVersions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let (files, trusted) = write_certificate(folder.path());
        let endpoints = Endpoints::default();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let webhooks = Webhooks::start(&api_server(endpoints.clone()), Metrics::new(), &stop, &mut tasks);
        let certificate = Arc::new(Certificate::load(files).expect("a certificate"));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = serve_tls(
            "webhook",
            anywhere,
            webhooks.router(),
            certificate.clone(),
            versions,
            stop.clone(),
            &mut tasks,
        )
        .await
        .expect("a free port");
        Self {
            address,
            certificate,
            client: client(trusted),
            endpoints,
            stop,
            tasks,
            folder,
        }
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("https://{}{path}", self.address);
        let answer = self.client.post(url).body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// Code and message of a denial; nothing of an admission.
    async fn reviewed(&self, path: &str, request: Value) -> Option<(u64, String)> {
        let (code, body) = self.post(path, review(&request).to_string()).await;
        assert_eq!(code, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        let response = &answer["response"];
        assert_eq!(response["uid"], "review-1");
        let status = &response["status"];
        if response["allowed"] == true {
            return None;
        }
        Some((
            status["code"].as_u64().expect("a code"),
            status["message"].as_str().expect("a message").to_owned(),
        ))
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// An AdmissionReview around what a test cares about.
fn review(request: &Value) -> Value {
    let mut whole = json!({
        "uid": "review-1",
        "kind": { "group": "metal.ironcore.dev", "version": "v1alpha1", "kind": "X" },
        "resource": { "group": "metal.ironcore.dev", "version": "v1alpha1", "resource": "x" },
        "operation": "CREATE",
        "userInfo": { "username": "somebody" },
        "object": null,
        "oldObject": null,
        "dryRun": false,
    });
    whole
        .as_object_mut()
        .expect("an object")
        .extend(request.as_object().expect("an object").clone());
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": whole })
}

fn of(resource: &str, operation: &str, name: &str, object: Value, old: Value) -> Value {
    json!({
        "resource": { "group": "metal.ironcore.dev", "version": "v1alpha1", "resource": resource },
        "operation": operation, "name": name, "object": object, "oldObject": old,
    })
}

#[tokio::test]
async fn two_endpoints_never_have_one_mac_address() {
    let served = Served::start(HttpVersions::One).await;
    served
        .endpoints
        .lock()
        .expect("not poisoned")
        .insert("first".to_owned(), "aa:bb:cc:00:00:01".to_owned());
    let create = |name: &str, mac: &str| of("endpoints", "CREATE", name, endpoint(name, mac), Value::Null);
    let duplicate =
        "Endpoint.metal.ironcore.dev \"second\" is invalid: spec.macAddress: Duplicate value: \"AA-BB-CC-00-00-01\"";
    assert_eq!(
        served.reviewed(ENDPOINT, create("second", "AA-BB-CC-00-00-01")).await,
        Some((422, duplicate.to_owned()))
    );
    assert_eq!(
        served.reviewed(ENDPOINT, create("second", "aa:bb:cc:00:00:02")).await,
        None
    );
    assert_eq!(
        served.reviewed(ENDPOINT, create("first", "aa:bb:cc:00:00:01")).await,
        None
    );
    // Whoever changes to it is refused, whoever has had it is not, and whoever goes is never in the way.
    let update = |old: &str, new: Value| of("endpoints", "UPDATE", "second", new, endpoint("second", old));
    let taken = endpoint("second", "aa:bb:cc:00:00:01");
    assert!(
        served
            .reviewed(ENDPOINT, update("aa:bb:cc:00:00:02", taken.clone()))
            .await
            .is_some()
    );
    assert_eq!(
        served
            .reviewed(ENDPOINT, update("aa:bb:cc:00:00:01", taken.clone()))
            .await,
        None
    );
    let mut going = taken;
    going["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
    assert_eq!(
        served.reviewed(ENDPOINT, update("aa:bb:cc:00:00:02", going)).await,
        None
    );
    // The cache still shows it, and is not believed.
    served.endpoints.lock().expect("not poisoned").clear();
    assert_eq!(
        served.reviewed(ENDPOINT, create("second", "AA-BB-CC-00-00-01")).await,
        None
    );
    served.end().await;
}

#[tokio::test]
async fn immutable_secrets_and_servers_under_maintenance_are_protected() {
    let served = Served::start(HttpVersions::One).await;
    let secret = |immutable: bool, password: &str| {
        json!({
            "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMCSecret", "metadata": { "name": "bmc-1" },
            "immutable": immutable, "data": { "password": password },
        })
    };
    let update = |new: Value, old: Value| of("bmcsecrets", "UPDATE", "bmc-1", new, old);
    let (code, message) = served
        .reviewed(BMC_SECRET, update(secret(true, "bmV3"), secret(true, "Y2FuYXJ5")))
        .await
        .expect("denied");
    assert_eq!(code, 422);
    assert!(
        message.ends_with("data: Forbidden: data field is immutable and cannot be updated"),
        "{message}"
    );
    assert!(!message.contains("Y2FuYXJ5") && !message.contains("bmV3"), "{message}");
    assert_eq!(
        served
            .reviewed(BMC_SECRET, update(secret(false, "bmV3"), secret(false, "Y2FuYXJ5")))
            .await,
        None
    );
    let delete = of("bmcsecrets", "DELETE", "bmc-1", Value::Null, secret(true, "Y2FuYXJ5"));
    assert_eq!(served.reviewed(BMC_SECRET, delete).await, None);

    let server = |state: &str| json!({ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Server", "metadata": { "name": "s" }, "status": { "state": state } });
    let delete = |state: &str| of("servers", "DELETE", "s", Value::Null, server(state));
    assert_eq!(served.reviewed(SERVER, delete("Available")).await, None);
    let (code, message) = served.reviewed(SERVER, delete("Maintenance")).await.expect("denied");
    assert_eq!(code, 400);
    assert!(
        message.contains("metal.ironcore.dev/operation=allow-in-progress-delete"),
        "{message}"
    );
    served.end().await;
}

#[tokio::test]
async fn firmware_is_one_per_machine_and_left_alone_during_its_maintenance() {
    const PATH: &str = "/validate-metal-ironcore-dev-v1alpha1-biossettings";
    let served = Served::start(HttpVersions::One).await;
    let review = |operation: &str, name: &str, new: Value, old: Value| of("biossettings", operation, name, new, old);
    let create = |name: &str, server: &str| review("CREATE", name, settings(name, server), Value::Null);
    let (code, message) = served.reviewed(PATH, create("second", "s1")).await.expect("denied");
    assert_eq!(code, 422);
    assert!(
        message.ends_with("spec.serverRef: Duplicate value: \"s1\""),
        "{message}"
    );
    assert_eq!(served.reviewed(PATH, create("second", "s2")).await, None);
    // W25: without a server it is in nobody's way.
    let mut nowhere = settings("second", "s1");
    nowhere["spec"]["serverRef"] = Value::Null;
    assert_eq!(
        served
            .reviewed(PATH, review("CREATE", "second", nowhere, Value::Null))
            .await,
        None
    );

    for (name, allowed) in [("first", false), ("second", true)] {
        let old = settings(name, "s1");
        let mut new = old.clone();
        new["spec"]["version"] = json!("2.0");
        let update = review("UPDATE", name, new.clone(), old.clone());
        assert_eq!(served.reviewed(PATH, update).await.is_none(), allowed, "{name}");
        let delete = review("DELETE", name, Value::Null, old.clone());
        assert_eq!(served.reviewed(PATH, delete).await.is_none(), allowed, "{name}");
        new["metadata"]["annotations"] = json!({ "metal.ironcore.dev/operation": "allow-in-progress-update" });
        assert_eq!(
            served.reviewed(PATH, review("UPDATE", name, new, old.clone())).await,
            None
        );
        // What the operator writes meanwhile.
        let mut given_back = old.clone();
        given_back["spec"]["serverMaintenanceRef"] = Value::Null;
        assert_eq!(
            served.reviewed(PATH, review("UPDATE", name, given_back, old)).await,
            None
        );
    }
    served.end().await;
}

#[tokio::test]
async fn what_is_no_review_is_said_to_be_none() {
    let served = Served::start(HttpVersions::One).await;
    let beta = review(&of("endpoints", "CREATE", "a", endpoint("a", "aa"), Value::Null))
        .to_string()
        .replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    let foreign = review(&of("pods", "CREATE", "a", json!({ "metadata": {} }), Value::Null)).to_string();
    let hollow = review(&of("endpoints", "CREATE", "a", Value::Null, Value::Null)).to_string();
    let wrong = review(&of(
        "endpoints",
        "CREATE",
        "a",
        json!({ "metadata": {}, "spec": 1 }),
        Value::Null,
    ))
    .to_string();
    for (path, body, code, text) in [
        (ENDPOINT, String::new(), 400, "not an AdmissionReview"),
        (ENDPOINT, "hunter2".to_owned(), 400, "not an AdmissionReview"),
        (ENDPOINT, "{}".to_owned(), 400, "not an AdmissionReview"),
        (
            ENDPOINT,
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#.to_owned(),
            400,
            "without request",
        ),
        (ENDPOINT, beta, 400, "only admission.k8s.io/v1 is understood"),
        (
            ENDPOINT,
            foreign,
            400,
            "this path judges endpoints of metal.ironcore.dev",
        ),
        (ENDPOINT, hollow, 400, "request.object is missing"),
        (ENDPOINT, wrong, 400, "the object is no Endpoint"),
        (ENDPOINT, " ".repeat((4 << 20) + 1), 413, "longer than 4194304 bytes"),
        ("/validate-something-else", String::new(), 404, ""),
    ] {
        let (answered, said) = served.post(path, body).await;
        assert_eq!(answered, code, "{said}");
        assert!(said.contains(text) && !said.contains("hunter2"), "{said}");
    }
    let url = format!("https://{}{ENDPOINT}", served.address);
    let answer = served.client.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    served.end().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_http_2_only_where_it_is_wanted() {
    for (versions, expected) in [
        (HttpVersions::One, reqwest::Version::HTTP_11),
        (HttpVersions::OneAndTwo, reqwest::Version::HTTP_2),
    ] {
        let served = Served::start(versions).await;
        let url = format!("https://{}{ENDPOINT}", served.address);
        let answer = served.client.post(&url).send().await.expect("an answer");
        assert_eq!(answer.version(), expected);
        let (_, trusted) = write_certificate(served.folder.path());
        assert!(served.certificate.refresh().expect("a good certificate"));
        assert!(client(trusted).post(&url).send().await.is_ok());
        served.end().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is in a review, the answer is no failure of ours.
    #[test]
    fn garbage_never_fails(text in r#"[\[\]{}":,a-z0-9 ]{0,200}"#, object in json_value(), old in json_value(), operation in "[A-Z]{0,7}|CREATE|UPDATE|DELETE") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
            let router = Webhooks::start(&api_server(Endpoints::default()), Metrics::new(), &stop, &mut tasks).router();
            for hook in HOOKS {
                let structured = review(&of(hook.resource, &operation, "a", object.clone(), old.clone())).to_string();
                for body in [text.clone(), structured] {
                    let request = Request::post(hook.path).body(Body::from(body.clone())).expect("a request");
                    let code = router.clone().oneshot(request).await.expect("infallible").status();
                    prop_assert!(!code.is_server_error(), "{}: {code} for {body}", hook.path);
                }
            }
            Ok(())
        })?;
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z:]{0,6}".prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("metadata".to_owned()),
        Just("spec".to_owned()),
        Just("status".to_owned()),
        Just("data".to_owned()),
        Just("immutable".to_owned()),
        Just("macAddress".to_owned()),
        Just("annotations".to_owned()),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
