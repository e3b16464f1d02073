//! The registry over HTTP: who may report what, for which epoch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use futures::StreamExt;
use http_body_util::BodyExt;
use operator::edges::{Clock, Seed};
use operator::identity::SystemUuid;
use operator::metrics::Metrics;
use operator::registry::{CleanupDriveState, CleanupState, KnownServer, Purpose, Registry, Term, TokenError};
use serde_json::{Value, json};
use tower::ServiceExt;

const UUID: &str = "38947555-7742-3448-3784-823347823834";
const NAMESPACE: &str = "metal";

/// Secrets and boot configurations, as far as the registry needs an API server.
#[derive(Clone, Default)]
struct Api {
    objects: Arc<Mutex<BTreeMap<String, Value>>>,
    status_patches: Arc<Mutex<Vec<Value>>>,
    /// Another replica creates the key between our read and our create.
    race: Arc<Mutex<Option<Value>>>,
}

impl Api {
    fn client(&self) -> kube::Client {
        let api = self.clone();
        kube::Client::new(tower::service_fn(move |request| api.clone().serve(request)), NAMESPACE)
    }

    async fn serve(self, request: Request<kube::client::Body>) -> Result<Response<Body>, std::convert::Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let mut objects = self.objects.lock().expect("objects");
        let (code, answer) = match parts.method.as_str() {
            "GET" => match objects.get(&path) {
                Some(object) => (200, object.clone()),
                None => (404, failure(404, "NotFound")),
            },
            "POST" => {
                let name = body["metadata"]["name"].as_str().expect("name");
                let key = format!("{path}/{name}");
                if let Some(other) = self.race.lock().expect("race").take() {
                    objects.insert(key.clone(), other);
                }
                match objects.entry(key) {
                    Entry::Occupied(_) => (409, failure(409, "AlreadyExists")),
                    Entry::Vacant(vacant) => (201, vacant.insert(body).clone()),
                }
            }
            "PATCH" => {
                self.status_patches.lock().expect("patches").push(body);
                (
                    200,
                    objects
                        .get(path.trim_end_matches("/status"))
                        .cloned()
                        .unwrap_or_default(),
                )
            }
            other => panic!("{other} {path}"),
        };
        Ok(Response::builder()
            .status(code)
            .body(Body::from(answer.to_string()))
            .expect("response"))
    }
}

fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// Of the server that the registry knows.
fn term(epoch: i64) -> Term {
    Term {
        server_uid: "uid-of-node-1".to_owned(),
        epoch,
    }
}

struct Bench {
    api: Api,
    registry: Registry,
    epoch: Arc<Mutex<i64>>,
}

impl Bench {
    /// A leader's registry that knows one server, at epoch 5.
    async fn new(allow_unauthenticated: bool) -> Self {
        let api = Api::default();
        let clock: Clock = Arc::new(|| "2026-11-24T08:00:00Z".parse().expect("timestamp"));
        let registry = Registry::new(api.client(), clock, Metrics::new(), allow_unauthenticated);
        let epoch = Arc::new(Mutex::new(5));
        registry.set_server_lookup(Arc::new({
            let epoch = epoch.clone();
            move |uuid| {
                (*uuid == SystemUuid::new(UUID)).then(|| KnownServer {
                    term: term(*epoch.lock().expect("epoch")),
                    boot_configuration: Some((NAMESPACE.to_owned(), "node-1".to_owned())),
                })
            }
        }));
        registry
            .tokens()
            .load_key(&api.client(), NAMESPACE, &Seed::from(1))
            .await
            .expect("key");
        registry.set_serving(true);
        Self { api, registry, epoch }
    }

    fn token(&self, epoch: i64, purpose: Purpose) -> String {
        self.registry
            .tokens()
            .issue(&SystemUuid::new(UUID), &term(epoch), purpose)
            .expect("token")
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: impl Into<Body>) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self
            .registry
            .router()
            .oneshot(request.body(body.into()).expect("request"))
            .await
            .expect("infallible");
        let status = response.status();
        let body = response.into_body().collect().await.expect("body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn register(&self, token: Option<&str>, uuid: &str) -> StatusCode {
        let body = json!({"systemUUID": uuid, "data": {"networkInterfaces": []}}).to_string();
        self.send("POST", "/register", token, body).await.0
    }
}

#[tokio::test]
async fn a_registration_counts_for_the_epoch_of_its_token() {
    let bench = Bench::new(false).await;
    let mut reports = bench.registry.subscribe();
    let token = bench.token(5, Purpose::Discovery);
    assert_eq!(
        bench.register(Some(&token), &UUID.to_uppercase()).await,
        StatusCode::CREATED
    );
    let uuid = SystemUuid::new(UUID);
    assert_eq!(reports.next().await, Some(uuid.clone()));
    let registration = bench.registry.registration(&uuid, &term(5)).expect("registration");
    assert_eq!(
        registration.received_at,
        "2026-11-24T08:00:00Z".parse().expect("timestamp")
    );
    assert_eq!(bench.registry.registration(&uuid, &term(4)), None);
    assert_eq!(bench.registry.registration(&uuid, &term(6)), None);
    bench.registry.forget(&uuid);
    assert_eq!(bench.registry.registration(&uuid, &term(5)), None);
}

#[tokio::test]
async fn forged_foreign_and_outdated_tokens_store_nothing() {
    let bench = Bench::new(false).await;
    let good = bench.token(5, Purpose::Discovery);
    let other_machine = bench
        .registry
        .tokens()
        .issue(&SystemUuid::new("other"), &term(5), Purpose::Discovery)
        .expect("token");
    // A Server of the same machine that was deleted: its epochs have the same numbers.
    let predecessor = Term {
        server_uid: "uid-of-its-predecessor".to_owned(),
        ..term(5)
    };
    let predecessors = bench
        .registry
        .tokens()
        .issue(&SystemUuid::new(UUID), &predecessor, Purpose::Discovery)
        .expect("token");
    let internal = bench.registry.tokens().internal().expect("token");
    let forged = good.replace("-5-", "-6-");
    let old = bench.token(4, Purpose::Discovery);
    let wrong_purpose = bench.token(5, Purpose::Cleanup);
    for token in [
        None,
        Some("x"),
        Some(""),
        Some(&*other_machine),
        Some(&*predecessors),
        Some(&*internal),
        Some(&*forged),
        Some(&*old),
        Some(&*wrong_purpose),
    ] {
        assert_eq!(bench.register(token, UUID).await, StatusCode::UNAUTHORIZED, "{token:?}");
    }
    assert_eq!(
        bench.register(Some(&good), "unknown-machine").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(bench.register(Some(&good), "").await, StatusCode::UNAUTHORIZED);
    assert!((0..10).all(|epoch| {
        bench
            .registry
            .registration(&SystemUuid::new(UUID), &term(epoch))
            .is_none()
    }));

    // The epoch moved on while the probe was running: its token is worth nothing any more.
    *bench.epoch.lock().expect("epoch") = 6;
    assert_eq!(bench.register(Some(&good), UUID).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_tokens_only_when_told_so() {
    let bench = Bench::new(true).await;
    assert_eq!(bench.register(None, UUID).await, StatusCode::CREATED);
    assert!(bench.registry.registration(&SystemUuid::new(UUID), &term(5)).is_some());
    assert_eq!(bench.register(Some("wrong"), UUID).await, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.register(None, "unknown-machine").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn cleanup_reports_keep_every_drive() {
    let bench = Bench::new(false).await;
    let body = json!({
        "systemUUID": UUID, "state": "Failed", "message": "one drive failed",
        "drives": [
            {"name": "/dev/nvme0n1", "serialNumber": "S0", "wwid": "w", "sizeBytes": 1, "method": "NVMeFormat", "state": "Erased", "message": ""},
            {"name": "/dev/sda", "serialNumber": "S1", "sizeBytes": 2, "method": "Overwrite", "state": "Failed", "message": "I/O error"}
        ]
    });
    let discovery = bench.token(5, Purpose::Discovery);
    assert_eq!(
        bench
            .send("POST", "/cleanup", Some(&discovery), body.to_string())
            .await
            .0,
        StatusCode::UNAUTHORIZED
    );
    let token = bench.token(5, Purpose::Cleanup);
    assert_eq!(
        bench.send("POST", "/cleanup", Some(&token), body.to_string()).await.0,
        StatusCode::OK
    );
    let report = bench
        .registry
        .cleanup_report(&SystemUuid::new(UUID), &term(5))
        .expect("report");
    assert_eq!((report.state, report.drives.len()), (CleanupState::Failed, 2));
    assert_eq!(
        (report.drives[1].serial_number.as_str(), report.drives[1].state),
        ("S1", CleanupDriveState::Failed)
    );
    assert_eq!(bench.registry.cleanup_report(&SystemUuid::new(UUID), &term(4)), None);
    let nonsense = json!({"systemUUID": UUID, "state": "Perhaps"}).to_string();
    assert_eq!(
        bench.send("POST", "/cleanup", Some(&token), nonsense).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn reading_and_deleting_is_the_operators_own() {
    let bench = Bench::new(true).await;
    let probe = bench.token(5, Purpose::Discovery);
    let own = bench.registry.tokens().internal().expect("token");
    let (read, delete) = (format!("/systems/{UUID}"), format!("/delete/{UUID}"));
    assert_eq!(bench.send("GET", &read, Some(&own), "").await.0, StatusCode::NOT_FOUND);
    bench.register(Some(&probe), UUID).await;
    for token in [None, Some(&*probe)] {
        assert_eq!(bench.send("GET", &read, token, "").await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(
            bench.send("DELETE", &delete, token, "").await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        bench.send("GET", &read, Some(&own), "").await,
        (StatusCode::OK, r#"{"networkInterfaces":[]}"#.to_owned())
    );
    assert_eq!(bench.send("DELETE", &delete, Some(&own), "").await.0, StatusCode::OK);
    assert_eq!(
        bench.send("DELETE", &delete, Some(&own), "").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn bad_requests_are_refused_in_plain_text() {
    let bench = Bench::new(false).await;
    let token = bench.token(5, Purpose::Discovery);
    for body in [
        "",
        "{",
        "{}",
        r#"{"systemUUID": 5}"#,
        &json!({"systemUUID": UUID, "data": []}).to_string(),
    ] {
        assert_eq!(
            bench.send("POST", "/register", Some(&token), body.to_owned()).await.0,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    let long = json!({"systemUUID": UUID, "data": {"x": "y".repeat(1 << 20)}}).to_string();
    assert_eq!(
        bench.send("POST", "/register", Some(&token), long).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(
        bench.send("GET", "/register", Some(&token), "").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    bench.registry.set_serving(false);
    assert_eq!(
        bench.register(Some(&token), UUID).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_boot_state_becomes_a_condition() {
    let bench = Bench::new(false).await;
    let token = bench.token(5, Purpose::Discovery);
    let booted = |booted: bool| json!({"systemUUID": UUID, "booted": booted}).to_string();
    assert_eq!(
        bench.send("POST", "/bootstate", None, booted(true)).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        bench.send("POST", "/bootstate", Some(&token), booted(false)).await.0,
        StatusCode::OK
    );
    assert_eq!(
        bench.send("POST", "/bootstate", Some(&token), booted(true)).await.0,
        StatusCode::NOT_FOUND
    );
    let path = format!("/apis/metal.ironcore.dev/v1alpha1/namespaces/{NAMESPACE}/serverbootconfigurations/node-1");
    let kept = json!({"type": "Other", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let object = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerBootConfiguration",
        "metadata": {"name": "node-1", "namespace": NAMESPACE, "resourceVersion": "7", "generation": 3},
        "spec": {"serverRef": {"name": "node-1"}}, "status": {"conditions": [kept]}
    });
    bench.api.objects.lock().expect("objects").insert(path, object);
    assert_eq!(
        bench.send("POST", "/bootstate", Some(&token), booted(true)).await.0,
        StatusCode::OK
    );
    insta::assert_json_snapshot!(*bench.api.status_patches.lock().expect("patches"));
}

#[tokio::test]
async fn replicas_agree_on_one_key() {
    let api = Api::default();
    let registry = |api: &Api| {
        Registry::new(
            api.client(),
            Arc::new(|| jiff::Timestamp::UNIX_EPOCH) as Clock,
            Metrics::new(),
            false,
        )
    };
    let (first, second) = (registry(&api), registry(&api));
    let uuid = SystemUuid::new(UUID);
    assert!(matches!(
        first.tokens().issue(&uuid, &term(1), Purpose::Discovery),
        Err(TokenError::KeyNotLoaded)
    ));
    first
        .tokens()
        .load_key(&api.client(), NAMESPACE, &Seed::from(1))
        .await
        .expect("key");
    second
        .tokens()
        .load_key(&api.client(), NAMESPACE, &Seed::from(2))
        .await
        .expect("key");
    let token = first
        .tokens()
        .issue(&uuid, &term(1), Purpose::Discovery)
        .expect("token");
    assert_eq!(
        second
            .tokens()
            .issue(&uuid, &term(1), Purpose::Discovery)
            .expect("token"),
        token
    );
    assert_eq!(format!("{:?}", first.tokens()), "TokenIssuer([REDACTED])");

    let stored = api
        .objects
        .lock()
        .expect("objects")
        .values()
        .next()
        .cloned()
        .expect("secret");
    let racing = Api {
        race: Arc::new(Mutex::new(Some(stored))),
        ..Api::default()
    };
    let loser = registry(&racing);
    loser
        .tokens()
        .load_key(&racing.client(), NAMESPACE, &Seed::from(3))
        .await
        .expect("the winner's key");
    assert_eq!(
        loser
            .tokens()
            .issue(&uuid, &term(1), Purpose::Discovery)
            .expect("token"),
        token
    );
}
