//! The roles of the operator. In a cluster that has no authorizer, what `operator/deploy` does not allow is refused here, too; one that has
//! an authorizer is taken at its word.

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

/// Who says what the operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judge {
    /// The table that roles are made from.
    Table,
    /// The API server, by the roles that were made from it.
    Server,
}

/// Judges every request of the operator, and remembers what it was about. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Roles {
    hub: Arc<Hub>,
    judge: Judge,
    asked: Arc<Mutex<BTreeSet<Access>>>,
}

impl Roles {
    pub(super) fn new(hub: Arc<Hub>, judge: Judge) -> Self {
        Self {
            hub,
            judge,
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
                if roles.judge == Judge::Server {
                    return roles.judged_by_server(&client, request).await;
                }
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

    /// Whatever the API server refuses for want of a role is told, and so is what it allows though the table does not.
    async fn judged_by_server(
        &self,
        client: &kube::Client,
        request: http::Request<kube::client::Body>,
    ) -> Result<http::Response<kube::client::Body>, BoxError> {
        let access = Access::of(request.method(), request.uri());
        let response = client.send(request).await?;
        let Some(access) = access else {
            return Ok(response);
        };
        let (request, granted) = (access.to_string(), access.is_granted(MANAGER_NAMESPACE));
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(access);
        if response.status() != StatusCode::FORBIDDEN {
            if !granted {
                let request = format!("{request} (its role allows more than the table of permissions)");
                self.hub.tell(WorldEvent::Forbidden { request });
            }
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let text = body.collect_bytes().await?;
        if is_for_want_of_a_role(&String::from_utf8_lossy(&text)) {
            self.hub.tell(WorldEvent::Forbidden { request });
        }
        Ok(http::Response::from_parts(head, text.into()))
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

/// Admission refuses with the same status.
fn is_for_want_of_a_role(answer: &str) -> bool {
    answer.contains("User \\\"") && answer.contains(" cannot ")
}

async fn pass(State(roles): State<Roles>, request: Request<Body>, next: Next) -> Response {
    match roles.refusal(request.method(), request.uri()) {
        Some(refusal) => (StatusCode::FORBIDDEN, axum::Json(refusal)).into_response(),
        None => next.run(request).await,
    }
}
