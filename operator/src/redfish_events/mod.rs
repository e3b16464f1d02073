//! The receiver of Redfish events: contract section 6.4. What BMCs tell wakes those who look after their machines, and is counted.
//! Nothing is decided from an event: it says that a look is worth while, and the look decides.
//!
//! | module | subject |
//! |---|---|
//! | `http` | who may tell what, and how much of it |
//! | `message` | events and metric reports as vendors write them. Pure |
//! | `relevance` | whom an event concerns. Pure |
//! | `ear` | since when a BMC was heard, and whether that is proof enough to look less often |

mod ear;
mod http;
mod message;
mod relevance;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

pub use relevance::Concern;

use self::ear::Ears;
use crate::bmc::EventFormat;
use crate::metrics::Metrics;
use crate::registry::{TokenError, TokenIssuer};

/// Somebody should look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Name of the BMC that told.
    pub bmc: String,
    pub concern: Concern,
}

/// The UID of the BMC of this name, as far as there is one.
pub type BmcLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How the receiver is reached, and what it does without proof.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Where BMCs reach it, without a trailing slash; `None` without `--event-url`.
    pub url: Option<String>,
    /// Whether events without a token count.
    pub allow_unauthenticated: bool,
    /// Between two looks at what is at rest and known to be heard.
    pub resync: Duration,
}

/// The receiver. Cheap to clone.
#[derive(Clone)]
pub struct EventReceiver(Arc<Inner>);

struct Inner {
    settings: ReceiverSettings,
    tokens: TokenIssuer,
    metrics: Metrics,
    serving: AtomicBool,
    lookup: Mutex<Option<BmcLookup>>,
    ears: Ears,
    subscribers: Mutex<Vec<UnboundedSender<News>>>,
}

impl EventReceiver {
    /// A receiver that does not serve yet. Its tokens are signed with the registry's key.
    pub fn new(settings: ReceiverSettings, tokens: TokenIssuer, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            settings,
            tokens,
            metrics,
            serving: AtomicBool::new(false),
            lookup: Mutex::default(),
            ears: Ears::default(),
            subscribers: Mutex::default(),
        }))
    }

    /// The HTTP face. Answers 503 while not serving, so that BMCs try again and find the leader.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Whether this process leads.
    pub fn set_serving(&self, serving: bool) {
        self.0.serving.store(serving, Ordering::Release);
    }

    /// Where BMCs are known from. Without it every BMC is unknown.
    pub fn set_bmc_lookup(&self, lookup: BmcLookup) {
        *lock(&self.0.lookup) = Some(lookup);
    }

    /// Where the BMC has to send events of this kind; `None` when nobody is to subscribe. The last part of the path is good for this BMC only,
    /// and cannot be guessed.
    ///
    /// # Errors
    /// [`TokenError::KeyNotLoaded`].
    pub fn destination(&self, format: EventFormat, bmc: &str, uid: &str) -> Result<Option<String>, TokenError> {
        let Some(prefix) = self.prefix(format, bmc) else {
            return Ok(None);
        };
        Ok(Some(format!("{prefix}/{}", self.0.tokens.event_token(uid)?)))
    }

    /// Whether a subscription with this destination was made for a BMC of this name by us, by one of our predecessors, or by the Go operator,
    /// whose paths have no token.
    pub fn is_ours(&self, format: EventFormat, bmc: &str, destination: &str) -> bool {
        let rest = self
            .prefix(format, bmc)
            .and_then(|prefix| Some(destination.strip_prefix(prefix.as_str())?.to_owned()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn prefix(&self, format: EventFormat, bmc: &str) -> Option<String> {
        let url = self.0.settings.url.as_ref()?;
        Some(format!("{url}/serverevents/{}/{bmc}", path_segment(format)))
    }

    /// Names whom events concern, from now on.
    pub fn subscribe(&self) -> UnboundedReceiver<News> {
        let (sender, receiver) = unbounded();
        lock(&self.0.subscribers).push(sender);
        receiver
    }

    /// Whether events of this BMC are known to arrive, so that looking for changes may become rare.
    pub fn hears(&self, bmc: &str) -> bool {
        self.0.settings.url.is_some() && self.0.ears.hears(bmc, self.0.settings.resync)
    }

    /// Whether it is time to have the BMC send something.
    pub fn wants_proof(&self, bmc: &str) -> bool {
        self.0.ears.wants_proof(bmc, self.0.settings.resync)
    }

    /// The interval between two looks at something of this BMC that is at rest: `resync` as long as nobody is sure to be told.
    pub fn resync(&self, bmc: &str, resync: Duration) -> Duration {
        if self.hears(bmc) {
            resync.max(self.0.settings.resync)
        } else {
            resync
        }
    }

    /// The BMC is gone.
    pub fn forget(&self, bmc: &str) {
        self.0.ears.forget(bmc);
        self.0.metrics.redfish().forget(bmc);
    }

    fn serving(&self) -> bool {
        self.0.serving.load(Ordering::Acquire)
    }

    /// Whether the BMC of this name may tell us something with this token.
    fn admits(&self, bmc: &str, token: Option<&str>) -> bool {
        // The lookup is cloned out, so that it never runs under our lock.
        let lookup = lock(&self.0.lookup).clone();
        let Some(uid) = lookup.and_then(|lookup| lookup(bmc)) else {
            return false;
        };
        match token {
            Some(token) => self.0.tokens.verify_event(&uid, token),
            None => self.0.settings.allow_unauthenticated,
        }
    }

    fn told(&self, bmc: &str, alerts: &[message::Alert]) {
        self.0.ears.heard(bmc);
        for alert in alerts {
            self.0.metrics.redfish().alert(bmc, alert.sample());
        }
        let concern = alerts.iter().map(relevance::concern).max().unwrap_or(Concern::Nobody);
        if concern == Concern::Nobody {
            return;
        }
        // A BMC gone mad must not keep its controllers busy: what is dropped here, polling finds.
        if !self.0.ears.may_wake(bmc) {
            self.0.metrics.redfish().dropped();
            return;
        }
        let news = News {
            bmc: bmc.to_owned(),
            concern,
        };
        lock(&self.0.subscribers).retain(|subscriber| subscriber.unbounded_send(news.clone()).is_ok());
    }

    fn measured(&self, bmc: &str, readings: Vec<crate::metrics::Reading>) {
        self.0.ears.heard(bmc);
        self.0.metrics.redfish().readings(bmc, readings);
    }
}

/// As the Go operator calls them.
fn path_segment(format: EventFormat) -> &'static str {
    match format {
        EventFormat::Event => "alerts",
        EventFormat::MetricReport => "metricsreport",
    }
}

/// Every critical section here leaves its data consistent, so a poisoned lock is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
