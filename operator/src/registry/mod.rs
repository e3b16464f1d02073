//! The registry: what probes and wipe agents report, kept in memory of the leader. Contract section 6.1, with what W13, W14
//! and bugs.md group L ask for: reports count only with the token of the server's current epoch, are bounded, and are judged
//! by this process's clock.

mod boot_state;
mod hardware;
mod http;
mod reports;
mod tokens;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::Server;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use serde_json::Value;

pub use hardware::{HardwareData, LldpNeighbor, NetworkInterface};
pub use reports::{CleanupDrive, CleanupDriveState, CleanupReport, CleanupState, Registration};
pub use tokens::{Purpose, TokenError, TokenIssuer};

use crate::edges::Clock;
use crate::identity::SystemUuid;
use crate::metrics::Metrics;
use crate::sabotage::{self, Bug};

/// A tenancy epoch of one Server object. A Server that is made anew for a machine counts from the beginning, so the number alone would let
/// the agents of its predecessor speak for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// `metadata.uid`.
    pub server_uid: String,
    /// `spec.tenancyEpoch`.
    pub epoch: i64,
}

impl Term {
    /// The current one of `server`.
    pub fn of(server: &Server) -> Self {
        Self {
            server_uid: server.metadata.uid.clone().unwrap_or_default(),
            epoch: server.tenancy_epoch(),
        }
    }
}

/// What the Server store knows about a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownServer {
    /// The term of the Server.
    pub term: Term,
    /// Namespace and name of `spec.bootConfigurationRef`.
    pub boot_configuration: Option<(String, String)>,
}

/// Finds the one Server with this system UUID; `None` when there is none, or more than one.
pub type ServerLookup = Arc<dyn Fn(&SystemUuid) -> Option<KnownServer> + Send + Sync>;

/// The registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    kube: kube::Client,
    clock: Clock,
    metrics: Metrics,
    allow_unauthenticated: bool,
    serving: AtomicBool,
    tokens: TokenIssuer,
    lookup: Mutex<Option<ServerLookup>>,
    systems: Mutex<BTreeMap<SystemUuid, Entry>>,
    subscribers: Mutex<Vec<UnboundedSender<SystemUuid>>>,
}

/// What is known about one machine. Each report says for which term it counts.
#[derive(Clone, Default)]
struct Entry {
    registration: Option<Registration>,
    cleanup: Option<(Term, CleanupReport)>,
}

impl Registry {
    /// An empty registry that does not serve yet.
    pub fn new(kube: kube::Client, clock: Clock, metrics: Metrics, allow_unauthenticated: bool) -> Self {
        Self(Arc::new(Inner {
            kube,
            clock,
            metrics,
            allow_unauthenticated,
            serving: AtomicBool::new(false),
            tokens: TokenIssuer::default(),
            lookup: Mutex::default(),
            systems: Mutex::default(),
            subscribers: Mutex::default(),
        }))
    }

    /// The HTTP face. Answers 503 while not serving, so that a load balancer and the agents' retries find the leader.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Whether this process leads.
    pub fn set_serving(&self, serving: bool) {
        self.0.serving.store(serving, Ordering::Release);
    }

    /// Where current epochs come from. Without it every machine is unknown.
    pub fn set_server_lookup(&self, lookup: ServerLookup) {
        *lock(&self.0.lookup) = Some(lookup);
    }

    /// Signs and checks tokens.
    pub fn tokens(&self) -> &TokenIssuer {
        &self.0.tokens
    }

    /// The last registration of a machine for exactly this term.
    pub fn registration(&self, uuid: &SystemUuid, term: &Term) -> Option<Registration> {
        lock(&self.0.systems)
            .get(uuid)?
            .registration
            .clone()
            // Incident 142.
            .filter(|registration| registration.term == *term || sabotage::active(Bug::StaleRegistrationAccepted))
    }

    /// The last report of the wipe agent for exactly this term.
    pub fn cleanup_report(&self, uuid: &SystemUuid, term: &Term) -> Option<CleanupReport> {
        lock(&self.0.systems)
            .get(uuid)?
            .cleanup
            .clone()
            // Incidents 91 and 142.
            .filter(|(of, _)| of == term || sabotage::active(Bug::StaleWipeReportAccepted))
            .map(|(_, report)| report)
    }

    /// Drops everything known about a machine.
    pub fn forget(&self, uuid: &SystemUuid) {
        lock(&self.0.systems).remove(uuid);
    }

    /// Names every machine that reported something from now on.
    pub fn subscribe(&self) -> UnboundedReceiver<SystemUuid> {
        let (sender, receiver) = unbounded();
        lock(&self.0.subscribers).push(sender);
        receiver
    }

    fn serving(&self) -> bool {
        self.0.serving.load(Ordering::Acquire)
    }

    fn known_server(&self, uuid: &SystemUuid) -> Option<KnownServer> {
        // The lookup is cloned out, so that it never runs under our lock.
        let lookup = lock(&self.0.lookup).clone()?;
        lookup(uuid)
    }

    fn store_registration(&self, uuid: SystemUuid, term: Term, data: Value) {
        let registration = Registration {
            term,
            received_at: (self.0.clock)(),
            data: Arc::new(data),
        };
        lock(&self.0.systems).entry(uuid.clone()).or_default().registration = Some(registration);
        self.notify(&uuid);
    }

    fn store_cleanup(&self, uuid: SystemUuid, term: Term, mut report: CleanupReport) {
        report.received_at = (self.0.clock)();
        lock(&self.0.systems).entry(uuid.clone()).or_default().cleanup = Some((term, report));
        self.notify(&uuid);
    }

    fn stored_data(&self, uuid: &SystemUuid) -> Option<Arc<Value>> {
        Some(lock(&self.0.systems).get(uuid)?.registration.as_ref()?.data.clone())
    }

    fn remove(&self, uuid: &SystemUuid) -> bool {
        lock(&self.0.systems).remove(uuid).is_some()
    }

    fn notify(&self, uuid: &SystemUuid) {
        lock(&self.0.subscribers).retain(|subscriber| subscriber.unbounded_send(uuid.clone()).is_ok());
    }
}

/// Every critical section here leaves its data consistent, so a poisoned lock is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
