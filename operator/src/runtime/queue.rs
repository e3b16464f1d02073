//! Work queues: which objects of a kind are to be looked at, by bounded workers, never two at the same object.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::Resource;
use kube::runtime::controller::{Action, Config, ReconcileRequest};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{applier, controller};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Cache;
use crate::metrics::Metrics;
use crate::sabotage::{self, Bug};

/// Passes that incident 139 spends on an object.
const RETRY_BUDGET: u32 = 5;

/// The entry of a queue. Cheap to clone.
pub struct Queue<K: Resource<DynamicType = ()>>(UnboundedSender<ObjectRef<K>>);

impl<K: Resource<DynamicType = ()>> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The other end of a queue.
pub struct Work<K: Resource<DynamicType = ()>>(UnboundedReceiver<ObjectRef<K>>);

impl<K: Resource<DynamicType = ()> + Clone + 'static> Queue<K> {
    pub fn new() -> (Self, Work<K>) {
        let (sender, receiver) = unbounded();
        (Self(sender), Work(receiver))
    }

    /// Asks for a look at a cluster-scoped object.
    pub fn wake(&self, name: &str) {
        self.send(ObjectRef::new(name));
    }

    /// Asks for a look at a namespaced object.
    pub fn wake_in(&self, namespace: &str, name: &str) {
        self.send(ObjectRef::new(name).within(namespace));
    }

    /// Asks for a look at this object.
    pub fn wake_object(&self, object: &K) {
        self.send(ObjectRef::from_obj(object));
    }

    fn send(&self, object: ObjectRef<K>) {
        // Nobody listens any more only while the operator stops.
        let _ = self.0.unbounded_send(object);
    }
}

/// How a controller works through its queue.
#[derive(Clone)]
pub struct Pacing {
    /// Objects at the same time.
    pub concurrency: u16,
    /// Pause after the first error on an object; doubles.
    pub first_pause: Duration,
    /// Longest such pause.
    pub longest_pause: Duration,
}

/// Consecutive errors by object. Reset by the first success, so that a healed object is prompt again (bugs.md #153).
#[derive(Default)]
struct Failures(Mutex<BTreeMap<String, u32>>);

impl Failures {
    fn count(&self, object: String) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(object).or_insert(0);
        *count = count.saturating_add(1);
        *count
    }

    fn forget(&self, object: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// Reconciles what the queue names until stopped; passes that have begun are finished.
pub async fn run<K, F, Fut, E>(
    name: &'static str,
    cache: Cache<K>,
    work: Work<K>,
    pacing: Pacing,
    metrics: Metrics,
    stop: CancellationToken,
    reconcile: F,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Fn(Arc<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Action, E>> + Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let failures = Arc::new(Failures::default());
    let counted = failures.clone();
    let measured = metrics.clone();
    let reconciler = move |object: Arc<K>, _: Arc<()>| {
        let key = ObjectRef::from_obj(&*object).to_string();
        let pass = reconcile(object);
        let failures = counted.clone();
        let metrics = measured.clone();
        // A task of its own, as in kube's Controller: a wake-up polls one pass instead of all. It ends with this stream.
        let task = tokio::runtime::Handle::current().spawn(async move {
            let started = tokio::time::Instant::now();
            let result = pass.await;
            metrics.reconciled(name, result.is_ok(), started.elapsed());
            // Incident 153.
            if result.is_ok() && !sabotage::active(Bug::BackoffNeverResets) {
                failures.forget(&key);
            }
            result
        });
        let task = AbortOnDropHandle::new(task);
        Box::pin(async move {
            match task.await {
                Ok(result) => result.map_err(Failure::Reconcile),
                // Incident 129.
                Err(error) if error.is_panic() && sabotage::active(Bug::ConnectFailurePanics) => {
                    std::panic::resume_unwind(error.into_panic())
                }
                Err(error) => Err(Failure::Panicked(error)),
            }
        })
    };
    let error_policy = move |object: Arc<K>, error: &Failure<E>, _: Arc<()>| {
        let object = ObjectRef::from_obj(&*object).to_string();
        let count = failures.count(object.clone());
        let doublings = (count - 1).min(16);
        let pause = pacing
            .first_pause
            .saturating_mul(1 << doublings)
            .min(pacing.longest_pause);
        tracing::warn!(controller = name, object, %error, failures = count, ?pause, "reconcile failed");
        // Incident 139.
        if sabotage::active(Bug::RetryBudgetEnds) && count > RETRY_BUDGET {
            return Action::await_change();
        }
        Action::requeue(pause)
    };
    let requests = work
        .0
        .take_until(stop.cancelled_owned())
        .map(|object| Ok::<_, std::convert::Infallible>(ReconcileRequest::from(object)));
    applier(
        reconciler,
        error_policy,
        Arc::new(()),
        cache.store(),
        requests,
        Config::default().concurrency(pacing.concurrency),
    )
    .for_each(|result| {
        match result {
            // The error policy has said the rest; an object that is gone needs no look.
            Ok(_) | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::warn!(controller = name, %error, "work queue failed"),
        }
        std::future::ready(())
    })
    .await;
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum Failure<E: std::error::Error + 'static> {
    #[error(transparent)]
    Reconcile(E),
    /// One broken object must not end the work on all others (bugs.md #129).
    #[error("the pass panicked or was cancelled: {0}")]
    Panicked(tokio::task::JoinError),
}
