//! A Kubernetes client without sockets. Unlike other answers, those of a watch never end: bodies are passed on as they come.

use super::party::Party;
use super::passage::Passage;
use super::{Latency, Network};
use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, Response};
use serde_json::json;
use tower::ServiceExt as _;

/// What clients call the API server of a world.
const API: &str = "api";

impl Network {
    /// A client of the API server behind `router`, for `from`, with a bearer token and the retries of deployed clients.
    ///
    /// # Panics
    /// If the token cannot stand in a header.
    #[must_use]
    pub fn kube_client(&self, from: Party, router: Router, token: &str, latency: Latency) -> kube::Client {
        let authorization = HeaderValue::try_from(format!("Bearer {token}")).expect("a token of visible characters");
        let (network, api) = (self.clone(), Party::new(API));
        let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
            let (network, from, to) = (network.clone(), from.clone(), api.clone());
            let (router, latency) = (router.clone(), latency.clone());
            request
                .headers_mut()
                .insert(http::header::AUTHORIZATION, authorization.clone());
            async move {
                let passage = Passage::new(&network, &from, &to, latency, request.method(), request.uri());
                let serve = async move {
                    let answered = router.oneshot(request.map(Body::new)).await;
                    answered.unwrap_or_else(|never| match never {})
                };
                passage.carry(serve, refusal).await
            }
        });
        let retry = tower::retry::RetryLayer::new(kube::client::retry::RetryPolicy::default());
        kube::Client::new(tower::ServiceBuilder::new().layer(retry).service(service), "default")
    }
}

/// What an API server says that cannot or does not want to.
fn refusal(status: u16) -> Response<Body> {
    let reason = match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        504 => "Timeout",
        _ => "ServiceUnavailable",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("injected: {reason}"), "reason": reason, "code": status,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == 429 {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
