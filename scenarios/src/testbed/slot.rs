//! An address behind which processes come and go: what stands behind the operator's URLs, as a Kubernetes Service does.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bmc_emulator::ConnectionDropped;
use http::StatusCode;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower::ServiceExt as _;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Backends>>);

#[derive(Default)]
struct Backends {
    by_number: BTreeMap<u64, Router>,
    /// Who answered last.
    last: u64,
}

impl Slot {
    /// From now on `router` answers, too.
    pub(super) fn add(&self, number: u64, router: Router) {
        self.lock().by_number.insert(number, router);
    }

    /// From now on it does not.
    pub(super) fn remove(&self, number: u64) {
        self.lock().by_number.remove(&number);
    }

    /// What is published: everybody in turn. Without anybody behind it the connection is closed, or answered with 502 where that is
    /// impossible.
    pub(super) fn router(&self) -> Router {
        let slot = self.clone();
        Router::new().fallback(move |request: Request| async move {
            let next = slot.lock().next();
            match next {
                Some(router) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => nobody(),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Backends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backends {
    fn next(&mut self) -> Option<Router> {
        let following = self.by_number.range(self.last + 1..).next();
        let (number, router) = following.or_else(|| self.by_number.iter().next())?;
        self.last = *number;
        Some(router.clone())
    }
}

fn nobody() -> Response {
    let mut response = (StatusCode::BAD_GATEWAY, Body::empty()).into_response();
    response.extensions_mut().insert(ConnectionDropped);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(slot: &Slot) -> u16 {
        let request = Request::new(Body::empty());
        let response = slot
            .router()
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        response.status().as_u16()
    }

    #[tokio::test]
    async fn everybody_in_turn() {
        let slot = Slot::default();
        assert_eq!(status(&slot).await, 502);
        for (number, code) in [(1, StatusCode::OK), (2, StatusCode::ACCEPTED)] {
            slot.add(number, Router::new().fallback(move || async move { code }));
        }
        assert_eq!(
            [status(&slot).await, status(&slot).await, status(&slot).await],
            [200, 202, 200]
        );
        slot.remove(1);
        assert_eq!([status(&slot).await, status(&slot).await], [202, 202]);
    }
}
