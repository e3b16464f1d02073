//! An address at which another process may listen, or none: what stands behind the operator's URLs while it is restarted.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bmc_emulator::ConnectionDropped;
use http::StatusCode;
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt as _;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Router>>>);

impl Slot {
    /// From now on `router` answers; with `None` nobody does.
    pub(super) fn set(&self, router: Option<Router>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = router;
    }

    /// What is published. Without anybody behind it the connection is closed, or answered with 502 where that is impossible.
    pub(super) fn router(&self) -> Router {
        let slot = self.clone();
        Router::new().fallback(move |request: Request| async move {
            let current = slot.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match current {
                Some(router) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => nobody(),
            }
        })
    }
}

fn nobody() -> Response {
    let mut response = (StatusCode::BAD_GATEWAY, Body::empty()).into_response();
    response.extensions_mut().insert(ConnectionDropped);
    response
}
