//! A network without sockets: hosts are routers, a connection is a function call that takes as long as a seed says, and goes wrong where
//! a [`Disturbance`] says so.
//!
//! | module | subject |
//! |---|---|
//! | [`party`] | who talks to whom |
//! | [`disturbance`] | what goes wrong on a link, while it lasts |
//! | `passage` | one request on its way, and its answer on the way back |
//! | [`effect`] | what the operator changes outside of itself, counted |
//! | `kube` | the Kubernetes client |

pub mod disturbance;
pub mod effect;
mod kube;
pub mod party;
mod passage;

use self::disturbance::{Disturbance, Disturbances};
use self::effect::{Cut, Effects};
use self::party::Party;
use self::passage::Passage;
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;

/// Nobody listens at an address.
#[derive(Debug, thiserror::Error)]
#[error("connection refused: nobody listens at {0}")]
pub struct ConnectionRefused(pub String);

/// The other side hung up instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("connection closed by {0} before an answer came")]
pub struct ConnectionClosed(pub String);

/// Something between the two sides broke the connection.
#[derive(Debug, thiserror::Error)]
#[error("connection to {0} reset")]
pub struct ConnectionBroken(pub String);

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
    party: Party,
    router: Router,
    latency: Latency,
}

/// All hosts by `name:port`, and what happens between them. Cheap to clone.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    seed: u64,
    hosts: Mutex<BTreeMap<String, Host>>,
    disturbances: Mutex<Disturbances>,
    effects: Mutex<Effects>,
    /// Requests that have been sent.
    traffic: Mutex<JoinSet<()>>,
}

impl Network {
    /// Disturbances draw from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Inner {
            seed,
            hosts: Mutex::default(),
            disturbances: Mutex::default(),
            effects: Mutex::default(),
            traffic: Mutex::default(),
        }))
    }

    /// From now on `router` answers at `authority`, which always states a port, as `party`.
    pub fn listen(&self, authority: &str, party: Party, router: Router, latency: Latency) {
        let host = Host { party, router, latency };
        lock(&self.0.hosts).insert(authority.to_owned(), host);
    }

    /// The client of `from`, which reaches every host.
    #[must_use]
    pub fn http(&self, from: Party) -> HttpService {
        let network = self.clone();
        HttpService::new(tower::service_fn(move |request| {
            network.clone().exchange(from.clone(), request)
        }))
    }

    /// A disturbance begins. `id` is what ends it, and whose stream it draws from.
    pub fn disturb(&self, id: u64, disturbance: Disturbance, ends: Instant) {
        self.disturbances().begin(id, self.0.seed, disturbance, ends);
    }

    /// It is over; how many requests it has met.
    pub fn calm(&self, id: u64) -> u64 {
        self.disturbances().end(id)
    }

    /// All of them are over.
    pub fn calm_all(&self) {
        *self.disturbances() = Disturbances::default();
    }

    /// Stops the sender at one effect of the operator: whoever waits for the answer is told when it is reached, and has to end the
    /// operator, which hears nothing any more of this request.
    #[must_use]
    pub fn cut_at(&self, cut: Cut) -> Arc<Notify> {
        self.effects().cut_at(cut)
    }

    /// Every effect of the operator so far, in words.
    #[must_use]
    pub fn effect_names(&self) -> Vec<String> {
        self.effects().names()
    }

    /// Requests that are on their way are lost.
    pub async fn close(&self) {
        let mut traffic = std::mem::take(&mut *lock(&self.0.traffic));
        traffic.shutdown().await;
    }

    async fn exchange(self, from: Party, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let authority = authority(&request)?;
        let host = lock(&self.0.hosts).get(&authority).cloned();
        let Some(Host { party, router, latency }) = host else {
            return Err(ConnectionRefused(authority).into());
        };
        let passage = Passage::new(&self, &from, &party, latency, request.method(), request.uri());
        let again = passage
            .repeated_after()
            .map(|later| (later, serve(router.clone(), request.clone())));
        let network = self.clone();
        let once = async move {
            let answer = serve(router, request).await;
            if let Some((later, again)) = again {
                network.spawn(async move {
                    tokio::time::sleep(later).await;
                    // Nobody waits for it.
                    let _ = again.await;
                });
            }
            answer
        };
        let (response, dropped) = passage.carry(once, instead).await??;
        if dropped {
            return Err(ConnectionClosed(authority).into());
        }
        Ok(response)
    }

    fn spawn(&self, request: impl Future<Output = ()> + Send + 'static) {
        let mut traffic = lock(&self.0.traffic);
        while traffic.try_join_next().is_some() {}
        traffic.spawn(request);
    }

    fn disturbances(&self) -> MutexGuard<'_, Disturbances> {
        lock(&self.0.disturbances)
    }

    fn effects(&self) -> MutexGuard<'_, Effects> {
        lock(&self.0.effects)
    }
}

/// What a host answers, and whether it hung up instead.
type Served = Result<(Response<Bytes>, bool), BoxError>;

async fn serve(router: Router, request: Request<Bytes>) -> Served {
    let answered = router.oneshot(request.map(Body::from)).await;
    let (parts, body) = answered.unwrap_or_else(|never| match never {}).into_parts();
    let dropped = parts.extensions.get::<ConnectionDropped>().is_some();
    let body = body.collect().await?.to_bytes();
    Ok((Response::from_parts(parts, body), dropped))
}

fn instead(status: u16) -> Served {
    let mut response = Response::new(Bytes::from_static(b"injected"));
    *response.status_mut() = http::StatusCode::from_u16(status)?;
    Ok((response, false))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    use super::disturbance::Trouble;
    use super::*;
    use axum::routing::get;

    fn request(uri: &str) -> Request<Bytes> {
        Request::get(uri).body(Bytes::new()).expect("a good request")
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_answer_refuse_and_hang_up() {
        let network = Network::new(1);
        let router = Router::new().route("/hello", get(|| async { "world" })).route(
            "/drop",
            get(|| async {
                axum::response::Response::builder()
                    .extension(ConnectionDropped)
                    .body(Body::empty())
                    .expect("plain")
            }),
        );
        network.listen(
            "host:80",
            Party::new("host"),
            router,
            Latency::new(1, "test", 1000..=2000),
        );
        let http = network.http(Party::new("user"));
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

    #[tokio::test(start_paused = true)]
    async fn a_request_takes_effect_though_its_answer_is_lost() {
        let (network, served) = (Network::new(1), Arc::new(Mutex::new(0)));
        let counted = served.clone();
        let router = Router::new().fallback(move || async move { *lock(&counted) += 1 });
        network.listen("host:80", Party::new("host"), router, Latency::new(1, "test", 1..=2));
        let http = network.http(Party::new("operator-1"));
        let mut expected = 0;
        for (trouble, effects) in [
            (Trouble::Refuse, 0),
            (Trouble::BreakBefore, 0),
            (Trouble::LoseRequest, 0),
            (Trouble::Answer { status: 500 }, 0),
            (Trouble::BreakAfter, 1),
            (Trouble::LoseAnswer, 1),
            (Trouble::Duplicate { milliseconds: 500 }, 2),
        ] {
            let disturbance = Disturbance {
                from: "operator-*".into(),
                to: "host".into(),
                trouble: trouble.clone(),
                percent: 100,
            };
            network.disturb(1, disturbance, Instant::now() + Duration::from_secs(60));
            let patience = Duration::from_secs(10);
            let _ = tokio::time::timeout(patience, http.clone().oneshot(request("http://host/"))).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(network.calm(1), 1, "{trouble:?}");
            expected += effects;
            assert_eq!(*lock(&served), expected, "{trouble:?}");
        }
    }
}
