//! What the integration tests share: an emulator on a virtual clock, clients over its router, a CRD.

use std::sync::Arc;

use axum::Router;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube_emulator::{KubeEmulator, Settings};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const TOKEN: &str = "test-token";

/// An emulator whose wall clock follows tokio's clock.
pub(crate) fn emulator(history: usize) -> KubeEmulator {
    let start = tokio::time::Instant::now();
    let epoch: jiff::Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let clock = move || epoch + jiff::SignedDuration::try_from(start.elapsed()).unwrap();
    KubeEmulator::new(Settings {
        clock: Arc::new(clock),
        seed: 1,
        admin_token: TOKEN.to_owned(),
        watch_history: history,
    })
}

/// A kube client over the in-memory router.
pub(crate) fn client(emulator: &KubeEmulator) -> kube::Client {
    client_of(emulator.router())
}

pub(crate) fn client_of(router: Router) -> kube::Client {
    let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
        let router = router.clone();
        request.headers_mut().insert(
            "authorization",
            HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap(),
        );
        async move { router.oneshot(request.map(axum::body::Body::new)).await }
    });
    kube::Client::new(service, "default")
}

/// One request, with its answer read to the end.
pub(crate) async fn call(
    emulator: &KubeEmulator,
    method: &str,
    path: &str,
    media: &str,
    body: impl Into<String>,
) -> (StatusCode, Value, Vec<String>) {
    let response = send(emulator, method, path, media, body).await;
    let code = response.status();
    let warnings = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let value =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).as_ref()));
    (code, value, warnings)
}

pub(crate) async fn send(
    emulator: &KubeEmulator,
    method: &str,
    path: &str,
    media: &str,
    body: impl Into<String>,
) -> Response<axum::body::Body> {
    send_to(emulator.router(), method, path, media, body).await
}

pub(crate) async fn send_to(
    router: Router,
    method: &str,
    path: &str,
    media: &str,
    body: impl Into<String>,
) -> Response<axum::body::Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", media)
        .body(axum::body::Body::from(body.into()))
        .unwrap();
    router.oneshot(request).await.unwrap()
}

/// JSON in, JSON out.
pub(crate) async fn json_call(emulator: &KubeEmulator, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let media = if method == "PATCH" {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let (code, value, _) = call(emulator, method, path, media, body.to_string()).await;
    (code.as_u16(), value)
}

pub(crate) async fn install(emulator: &KubeEmulator) {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (code, answer, _) = call(emulator, "POST", path, "application/yaml", include_str!("widget.yaml")).await;
    assert_eq!(code, 201, "{answer}");
}

pub(crate) const WIDGETS: &str = "/apis/ex.io/v1/namespaces/default/widgets";

pub(crate) fn widget(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}
