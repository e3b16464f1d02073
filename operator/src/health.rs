//! `/healthz` and `/readyz`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

/// What the kubelet asks. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, bool>>>);

/// The check that every process has.
const RUNNING: &str = "running";

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Not ready yet.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(BTreeMap::from([(RUNNING, false)]))))
    }

    /// Ready means that this replica does what it is there for: leads, or waits to.
    pub fn set_ready(&self, ready: bool) {
        self.set(RUNNING, ready);
    }

    /// Ready means from now on that this is, too.
    pub fn set(&self, check: &'static str, passes: bool) {
        self.checks().insert(check, passes);
    }

    /// The HTTP face. `/healthz` answers as long as the process can answer at all.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(readyz))
            .with_state(self.clone())
    }

    /// Every critical section here leaves its data consistent, so a poisoned lock is usable.
    fn checks(&self) -> MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let failing: Vec<&str> = health
        .checks()
        .iter()
        .filter(|(_, passes)| !**passes)
        .map(|(check, _)| *check)
        .collect();
    if failing.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("starting or stopping: {}", failing.join(", ")),
        )
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn readiness_follows_the_process_and_health_does_not() {
        let health = Health::new();
        let answer = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).expect("request");
            let response = health.router().oneshot(request).await.expect("infallible");
            let status = response.status();
            let body = to_bytes(response.into_body(), 1024).await.expect("a body");
            (status, String::from_utf8(body.to_vec()).expect("text"))
        };
        let unavailable = |text: &str| (StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
        let ok = (StatusCode::OK, "ok".to_owned());
        assert_eq!(answer("/readyz").await, unavailable("starting or stopping: running"));
        assert_eq!(answer("/healthz").await, ok);
        health.set_ready(true);
        assert_eq!(answer("/readyz").await, ok);
        health.set("webhook", false);
        assert_eq!(answer("/readyz").await, unavailable("starting or stopping: webhook"));
        health.set("webhook", true);
        assert_eq!(answer("/readyz").await, ok);
    }
}
