//! The roles of the operator, in clusters that have no authorizer: what `operator/deploy` does not allow is refused here, too.

use super::hub::Hub;
use super::{MANAGER_NAMESPACE, WorldEvent};
use crate::edges::BoxError;
use ::operator::permissions::Access;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, Uri};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Judges every request of the operator, and remembers what it was about. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Roles {
    hub: Arc<Hub>,
    asked: Arc<Mutex<BTreeSet<Access>>>,
}

impl Roles {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            asked: Arc::default(),
        }
    }

    /// Everything that was asked for, allowed or not.
    pub(crate) fn asked(&self) -> BTreeSet<Access> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The API server as the operator has it.
    pub(super) fn router(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), pass))
    }

    /// The same for a client that has its own way to the API server.
    pub(super) fn client(&self, client: kube::Client) -> kube::Client {
        let (roles, namespace) = (self.clone(), client.default_namespace().to_owned());
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (roles, client) = (roles.clone(), client.clone());
            async move {
                if let Some(refusal) = roles.refusal(request.method(), request.uri()) {
                    let text = refusal.to_string();
                    let response = http::Response::builder().status(StatusCode::FORBIDDEN);
                    return Ok(response.body(kube::client::Body::from(text.into_bytes()))?);
                }
                client.send(request).await.map_err(BoxError::from)
            }
        });
        kube::Client::new(service, namespace)
    }

    /// What an API server says to a request that no role allows.
    fn refusal(&self, method: &Method, uri: &Uri) -> Option<serde_json::Value> {
        let access = Access::of(method, uri)?;
        let granted = access.is_granted(MANAGER_NAMESPACE);
        let request = access.to_string();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(access);
        if granted {
            return None;
        }
        self.hub.tell(WorldEvent::Forbidden {
            request: request.clone(),
        });
        Some(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden",
            "message": format!("no role of the operator allows to {request}"),
        }))
    }
}

async fn pass(State(roles): State<Roles>, request: Request<Body>, next: Next) -> Response {
    match roles.refusal(request.method(), request.uri()) {
        Some(refusal) => (StatusCode::FORBIDDEN, axum::Json(refusal)).into_response(),
        None => next.run(request).await,
    }
}
