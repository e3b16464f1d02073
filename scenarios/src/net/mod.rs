//! A network without sockets: hosts are routers, a connection is a function call that takes as long as a seed says.
//!
//! A [`Network`] has one address space. Who sends is not part of it: every client sees every host.

mod kube;

pub use self::kube::kube_client;

use crate::edges::{BoxError, HttpService};
use axum::Router;
use axum::body::Body;
use bmc_emulator::ConnectionDropped;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tower::ServiceExt as _;

/// Nobody listens at an address.
#[derive(Debug, thiserror::Error)]
#[error("connection refused: nobody listens at {0}")]
pub struct ConnectionRefused(pub String);

/// The other side hung up instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("connection closed by {0} before an answer came")]
pub struct ConnectionClosed(pub String);

/// How long messages to hosts of a kind take, one way.
#[derive(Clone, Debug)]
pub struct Latency {
    microseconds: RangeInclusive<u64>,
    random: Arc<Mutex<ChaCha8Rng>>,
}

impl Latency {
    /// Latencies drawn uniformly from `microseconds`, from the stream of `seed` that is called `purpose`.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, microseconds: RangeInclusive<u64>) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(purpose.as_bytes())
            .finalize();
        Self {
            microseconds,
            random: Arc::new(Mutex::new(ChaCha8Rng::from_seed(digest.into()))),
        }
    }

    /// Waits for one message to travel.
    pub(crate) async fn travel(&self) {
        let microseconds = self
            .random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random_range(self.microseconds.clone());
        tokio::time::sleep(Duration::from_micros(microseconds)).await;
    }
}

#[derive(Clone)]
struct Host {
    router: Router,
    latency: Latency,
}

/// All hosts by `name:port`. Cheap to clone.
#[derive(Clone, Default)]
pub struct Network(Arc<Mutex<BTreeMap<String, Host>>>);

impl Network {
    /// From now on `router` answers at `authority`, which always states a port.
    pub fn listen(&self, authority: &str, router: Router, latency: Latency) {
        self.hosts().insert(authority.to_owned(), Host { router, latency });
    }

    /// A client that reaches every host.
    #[must_use]
    pub fn http(&self) -> HttpService {
        let network = self.clone();
        HttpService::new(tower::service_fn(move |request| network.clone().exchange(request)))
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let authority = authority(&request)?;
        let host = self.hosts().get(&authority).cloned();
        let Some(host) = host else {
            return Err(ConnectionRefused(authority).into());
        };
        host.latency.travel().await;
        let request = request.map(Body::from);
        let response = host
            .router
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        host.latency.travel().await;
        if parts.extensions.get::<ConnectionDropped>().is_some() {
            return Err(ConnectionClosed(authority).into());
        }
        Ok(Response::from_parts(parts, body))
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn authority(request: &Request<Bytes>) -> Result<String, BoxError> {
    let uri = request.uri();
    let host = uri.host().ok_or_else(|| format!("{uri} names no host"))?;
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    fn request(uri: &str) -> Request<Bytes> {
        Request::get(uri).body(Bytes::new()).expect("a good request")
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_answer_refuse_and_hang_up() {
        let network = Network::default();
        let router = Router::new().route("/hello", get(|| async { "world" })).route(
            "/drop",
            get(|| async {
                axum::response::Response::builder()
                    .extension(ConnectionDropped)
                    .body(Body::empty())
                    .expect("plain")
            }),
        );
        network.listen("host:80", router, Latency::new(1, "test", 1000..=2000));
        let http = network.http();
        let start = tokio::time::Instant::now();
        let answer = http
            .clone()
            .oneshot(request("http://host/hello"))
            .await
            .expect("an answer");
        assert_eq!(answer.body(), "world");
        assert!((2..=5).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        let refused = http
            .clone()
            .oneshot(request("http://host:81/hello"))
            .await
            .expect_err("nobody");
        assert!(refused.is::<ConnectionRefused>(), "{refused}");
        let closed = http.oneshot(request("http://host:80/drop")).await.expect_err("dropped");
        assert!(closed.is::<ConnectionClosed>(), "{closed}");
    }
}
