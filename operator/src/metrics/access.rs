//! Who may read metrics: whoever the API server knows and allows to `get` the URL, as controller-runtime's `--metrics-secure` has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use sha2::{Digest, Sha256};

use crate::edges::Clock;

/// How long an answer of the API server counts, as for kube-rbac-proxy: a token that is taken back opens nothing for longer.
const ALLOWED_FOR: SignedDuration = SignedDuration::from_secs(60);
const REFUSED_FOR: SignedDuration = SignedDuration::from_secs(10);
/// Answers remembered at the same time. Whoever tries many tokens makes the oldest ones be forgotten, and gains nothing else.
const REMEMBERED: usize = 256;

/// Asks the API server, and remembers for a while.
#[derive(Clone)]
struct Gate(Arc<Inner>);

struct Inner {
    client: kube::Client,
    clock: Clock,
    remembered: Mutex<BTreeMap<Key, Answer>>,
}

/// Digest of a token, and the path.
type Key = ([u8; 32], String);

#[derive(Clone, Copy)]
struct Answer {
    code: StatusCode,
    until: Timestamp,
}

/// `router` for those who may.
pub fn guarded(router: axum::Router, client: kube::Client, clock: Clock) -> axum::Router {
    let gate = Gate(Arc::new(Inner {
        client,
        clock,
        remembered: Mutex::default(),
    }));
    router.layer(middleware::from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let code = match bearer(request.headers()) {
        None => StatusCode::UNAUTHORIZED,
        Some(token) => gate.code(token, path).await,
    };
    match code {
        StatusCode::OK => next.run(request).await,
        StatusCode::UNAUTHORIZED => (code, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
        _ => code.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

impl Gate {
    async fn code(&self, token: &str, path: String) -> StatusCode {
        let key = (Sha256::digest(token).into(), path);
        let now = (self.0.clock)();
        if let Some(code) = self.recalled(&key, now) {
            return code;
        }
        match self.ask(token, &key.1).await {
            Ok(code) => {
                let valid = if code == StatusCode::OK {
                    ALLOWED_FOR
                } else {
                    REFUSED_FOR
                };
                self.remember(
                    key,
                    Answer {
                        code,
                        until: now + valid,
                    },
                );
                code
            }
            Err(error) => {
                tracing::warn!(%error, "the API server cannot say who may read metrics");
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    async fn ask(&self, token: &str, path: &str) -> Result<StatusCode, kube::Error> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let reviews: Api<TokenReview> = Api::all(self.0.client.clone());
        let status = reviews
            .create(&PostParams::default(), &review)
            .await?
            .status
            .unwrap_or_default();
        let Some(user) = status.user.filter(|_| status.authenticated == Some(true)) else {
            return Ok(StatusCode::UNAUTHORIZED);
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.0.client.clone());
        let answer = reviews.create(&PostParams::default(), &access(user, path)).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        Ok(if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN })
    }

    fn recalled(&self, key: &Key, now: Timestamp) -> Option<StatusCode> {
        let mut remembered = self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, answer| answer.until > now);
        remembered.get(key).map(|answer| answer.code)
    }

    fn remember(&self, key: Key, answer: Answer) {
        let mut remembered = self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            let oldest = remembered.iter().min_by_key(|(_, answer)| answer.until);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|oldest| remembered.remove(&oldest));
        }
        remembered.insert(key, answer);
    }
}

fn access(user: UserInfo, path: &str) -> SubjectAccessReview {
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
            non_resource_attributes: Some(NonResourceAttributes {
                path: Some(path.to_owned()),
                verb: Some("get".to_owned()),
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::edges::BoxError;

    /// An API server that knows two users, of whom one may; and counts how often it is asked.
    fn api_server(asked: Arc<AtomicUsize>) -> kube::Client {
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let asked = asked.clone();
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await?.to_bytes();
                let mut review: Value = serde_json::from_slice(&body)?;
                review["status"] = if path.ends_with("/tokenreviews") {
                    match review["spec"]["token"].as_str() {
                        Some("broken") => return Err("connection reset".into()),
                        Some(user @ ("prometheus" | "stranger")) => {
                            json!({ "authenticated": true, "user": { "username": user, "groups": ["g"] } })
                        }
                        _ => json!({ "authenticated": false }),
                    }
                } else {
                    assert_eq!(
                        review["spec"]["nonResourceAttributes"],
                        json!({ "path": "/metrics", "verb": "get" })
                    );
                    assert_eq!(review["spec"]["groups"], json!(["g"]));
                    json!({ "allowed": review["spec"]["user"] == "prometheus" })
                };
                Ok::<_, BoxError>(http::Response::new(kube::client::Body::from(serde_json::to_vec(
                    &review,
                )?)))
            }
        });
        kube::Client::new(service, "default")
    }

    #[tokio::test]
    async fn only_those_may_read_whom_the_api_server_allows() {
        let (asked, seconds) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicI64::new(0)));
        let time = seconds.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::UNIX_EPOCH + SignedDuration::from_secs(time.load(Ordering::Relaxed)));
        let router = axum::Router::new().route("/metrics", get(|| async { "numbers" }));
        let router = guarded(router, api_server(asked.clone()), clock);
        let code = async |authorization: Option<&str>| {
            let mut request = http::Request::get("/metrics");
            if let Some(authorization) = authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Body::empty()).expect("a request");
            router
                .clone()
                .oneshot(request)
                .await
                .expect("infallible")
                .status()
                .as_u16()
        };
        for (authorization, wanted, questions) in [
            (None, 401, 0),
            (Some("Basic abc"), 401, 0),
            (Some("Bearer "), 401, 0),
            (Some("Bearer unknown"), 401, 1),
            (Some("Bearer unknown"), 401, 0),
            (Some("Bearer stranger"), 403, 2),
            (Some("Bearer prometheus"), 200, 2),
            (Some("bearer prometheus"), 200, 0),
            (Some("Bearer broken"), 503, 1),
            (Some("Bearer broken"), 503, 1),
        ] {
            let before = asked.load(Ordering::Relaxed);
            assert_eq!(code(authorization).await, wanted, "{authorization:?}");
            assert_eq!(asked.load(Ordering::Relaxed) - before, questions, "{authorization:?}");
        }
        seconds.store(61, Ordering::Relaxed);
        let before = asked.load(Ordering::Relaxed);
        assert_eq!(code(Some("Bearer prometheus")).await, 200);
        assert_eq!(asked.load(Ordering::Relaxed) - before, 2);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let gate = Gate(Arc::new(Inner {
            client: api_server(Arc::default()),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            remembered: Mutex::default(),
        }));
        for number in 0..1000_u32 {
            let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::from(number) + 1);
            let key = (Sha256::digest(number.to_le_bytes()).into(), String::new());
            gate.remember(
                key,
                Answer {
                    code: StatusCode::OK,
                    until,
                },
            );
        }
        assert_eq!(gate.0.remembered.lock().expect("not poisoned").len(), REMEMBERED);
    }
}
