//! Validating webhooks: contract sections 4.8 and 8.6. What a schema cannot say of an object is judged here, before it is stored.
//!
//! | module | subject |
//! |---|---|
//! | [`hooks`] | which objects are judged, and under which path and name |
//! | `review` | AdmissionReview in, AdmissionReview out |
//! | [`verdict`] | allowed, or denied in the words of Kubernetes |
//! | `world` | the other objects that a verdict depends on |
//! | `endpoint`, `bmc_secret`, `server`, [`firmware`] | the rules, each a pure function |
//!
//! Every replica answers, whether it leads or not. Nothing is refused because of what a cache says alone: an object that stands in the
//! way is read from the API server first.

mod bmc_secret;
mod endpoint;
pub mod firmware;
pub mod hooks;
mod review;
mod server;
pub mod verdict;
mod world;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use world::World;

/// Reviews that are read and judged at the same time; more wait. The memory that strangers can make this process use is this times the
/// longest review.
const CONCURRENT_REVIEWS: usize = 16;

/// The webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    world: World,
    metrics: Metrics,
    reviews: Semaphore,
}

impl Webhooks {
    /// Watches what rules need to know, until stopped.
    pub fn start(client: &kube::Client, metrics: Metrics, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Self {
        Self(Arc::new(Inner {
            world: World::start(client, stop, tasks),
            metrics,
            reviews: Semaphore::new(CONCURRENT_REVIEWS),
        }))
    }

    /// What the API server calls.
    pub fn router(&self) -> axum::Router {
        review::router(self)
    }
}
