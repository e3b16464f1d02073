//! A Kubernetes client without sockets. Unlike other answers, those of a watch never end: bodies are passed on as they come.

use super::Latency;
use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request};
use tower::ServiceExt as _;

/// A client of the API server behind `router`, with a bearer token and the retries of deployed clients.
///
/// # Panics
/// If the token cannot stand in a header.
#[must_use]
pub fn kube_client(router: Router, token: &str, latency: Latency) -> kube::Client {
    let authorization = HeaderValue::try_from(format!("Bearer {token}")).expect("a token of visible characters");
    let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
        let (router, latency) = (router.clone(), latency.clone());
        request
            .headers_mut()
            .insert(http::header::AUTHORIZATION, authorization.clone());
        async move {
            latency.travel().await;
            let response = router.oneshot(request.map(Body::new)).await;
            latency.travel().await;
            response
        }
    });
    let retry = tower::retry::RetryLayer::new(kube::client::retry::RetryPolicy::default());
    let service = tower::ServiceBuilder::new()
        .layer(retry)
        .map_err(|never: std::convert::Infallible| -> crate::edges::BoxError { match never {} })
        .service(service);
    kube::Client::new(service, "default")
}
