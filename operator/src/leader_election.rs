//! Leader election by a Lease, as client-go does it, on tokio time.
//!
//! Times of the *other* holder are judged by when this process saw the lease change, never by the timestamps in it: clocks
//! of two machines differ (bugs.md S14).

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::edges::Clock;
use crate::options::LeaderElectionOptions;

/// Which lease, and its times.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Namespace of the lease.
    pub namespace: String,
    /// Name of the lease.
    pub name: String,
    /// How long the lease lives without renewal.
    pub lease_duration: Duration,
    /// How long a leader tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// Interval between two tries.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// The operator's lease in `namespace`.
    pub fn new(namespace: &str, options: &LeaderElectionOptions) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: crds::keys::LEADER_ELECTION_LEASE.to_owned(),
            lease_duration: options.leader_elect_lease_duration.get(),
            renew_deadline: options.leader_elect_renew_deadline.get(),
            retry_period: options.leader_elect_retry_period.get(),
        }
    }
}

/// Whether this process may act, and for how long at least. Cheap to clone.
#[derive(Clone)]
pub struct Leadership(Term);

#[derive(Clone)]
enum Term {
    /// Without leader election.
    Unlimited,
    /// Until the instant at which another process may take over; `None` after it was lost or given up.
    Until(Arc<Mutex<Option<Instant>>>),
}

impl Leadership {
    /// Leadership of a process that does not share its work.
    pub fn always() -> Self {
        Self(Term::Unlimited)
    }

    /// Whether the lease certainly outlives a request with this timeout. Nobody else may lead as long as that holds, so a
    /// disruptive operation that is sent now cannot meet one of a new leader.
    pub fn valid_for(&self, timeout: Duration) -> bool {
        match &self.0 {
            Term::Unlimited => true,
            Term::Until(until) => until
                .lock()
                .is_ok_and(|until| until.is_some_and(|until| Instant::now() + timeout < until)),
        }
    }

    fn set(&self, instant: Option<Instant>) {
        if let Term::Until(until) = &self.0
            && let Ok(mut until) = until.lock()
        {
            *until = instant;
        }
    }
}

/// Why an elected process stopped.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// Somebody else leads, or the API server could not be reached for too long. The process must end: what it knows is
    /// out of date.
    #[error("leadership was lost: {0}")]
    Lost(String),
}

/// Waits for the lease, runs `lead` while it is held, and gives it up in the end. `lead` gets a token that is cancelled when
/// leadership is lost or `stop` is, and must then return soon.
///
/// # Errors
/// [`ElectionError::Lost`] when the lease could not be renewed; `lead` has ended by then.
pub async fn run<F, Fut>(
    client: kube::Client,
    config: LeaseConfig,
    identity: String,
    clock: Clock,
    stop: CancellationToken,
    lead: F,
) -> Result<(), ElectionError>
where
    F: FnOnce(Leadership, CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut elector = Elector::new(client, config, identity, clock);
    if !elector.acquire(&stop).await {
        return Ok(());
    }
    let leading = stop.child_token();
    let leadership = elector.leadership.clone();
    let mut work = std::pin::pin!(lead(leadership.clone(), leading.clone()));
    let lost = tokio::select! {
        biased;
        reason = elector.renew_until_lost(&stop) => reason,
        () = &mut work => {
            elector.release().await;
            return Ok(());
        }
    };
    leading.cancel();
    if let Some(reason) = lost {
        leadership.set(None);
        tracing::error!(%reason, "leadership was lost");
        work.await;
        return Err(ElectionError::Lost(reason));
    }
    // An orderly stop: the lease stays ours until the work has ended, then the successor need not wait for it to expire.
    let never = CancellationToken::new();
    tokio::select! {
        biased;
        () = &mut work => {}
        reason = elector.renew_until_lost(&never) => {
            leadership.set(None);
            tracing::warn!(?reason, "leadership was lost while stopping");
            work.await;
            return Ok(());
        }
    }
    elector.release().await;
    Ok(())
}

struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    identity: String,
    clock: Clock,
    leadership: Leadership,
    /// The lease as last seen, and when it was seen to change.
    observed: Option<(Lease, Instant)>,
}

enum Attempt {
    Held,
    HeldByOther(String),
    Failed(String),
}

impl Elector {
    fn new(client: kube::Client, config: LeaseConfig, identity: String, clock: Clock) -> Self {
        let api = Api::namespaced(client, &config.namespace);
        let leadership = Leadership(Term::Until(Arc::default()));
        Self {
            api,
            config,
            identity,
            clock,
            leadership,
            observed: None,
        }
    }

    /// Tries until the lease is held; false when stopped before.
    async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        let mut last_holder = None;
        loop {
            let attempt = tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                attempt = self.attempt() => attempt,
            };
            match attempt {
                Attempt::Held => {
                    tracing::info!(identity = %self.identity, lease = %self.config.name, "became leader");
                    return true;
                }
                Attempt::HeldByOther(holder) => {
                    if last_holder.as_ref() != Some(&holder) {
                        tracing::info!(%holder, lease = %self.config.name, "another process leads");
                        last_holder = Some(holder);
                    }
                }
                Attempt::Failed(error) => {
                    tracing::warn!(%error, lease = %self.config.name, "the lease could not be acquired")
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(self.config.retry_period) => {}
            }
        }
    }

    /// Renews; returns the reason when leadership is lost, `None` when stopped.
    async fn renew_until_lost(&mut self, stop: &CancellationToken) -> Option<String> {
        let mut deadline = Instant::now() + self.config.renew_deadline;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(self.config.retry_period) => {}
            }
            let attempt = tokio::time::timeout_at(deadline, self.attempt()).await;
            match attempt {
                Ok(Attempt::Held) => deadline = Instant::now() + self.config.renew_deadline,
                Ok(Attempt::HeldByOther(holder)) => return Some(format!("{holder} holds the lease")),
                Ok(Attempt::Failed(error)) if Instant::now() < deadline => {
                    tracing::warn!(%error, lease = %self.config.name, "the lease could not be renewed, trying again");
                }
                Ok(Attempt::Failed(error)) => return Some(error),
                Err(_) => return Some(format!("no renewal within {:?}", self.config.renew_deadline)),
            }
        }
    }

    /// One try to acquire or renew.
    async fn attempt(&mut self) -> Attempt {
        // The term counts from before the request: the API server may have stored it at any time after this.
        let started = Instant::now();
        let current = match self.api.get_opt(&self.config.name).await {
            Ok(current) => current,
            Err(error) => return Attempt::Failed(error.to_string()),
        };
        let now = MicroTime((self.clock)());
        let Some(mut lease) = current else {
            let lease = Lease {
                metadata: kube::api::ObjectMeta {
                    name: Some(self.config.name.clone()),
                    ..Default::default()
                },
                spec: Some(LeaseSpec {
                    acquire_time: Some(now.clone()),
                    lease_transitions: Some(0),
                    ..self.spec(now)
                }),
            };
            let created = self.api.create(&PostParams::default(), &lease).await;
            return self.written(created, started);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder != self.identity && !holder.is_empty() && !self.expired(&lease, started) {
            return Attempt::HeldByOther(holder);
        }
        let renewed = holder == self.identity;
        lease.spec = Some(LeaseSpec {
            acquire_time: if renewed { spec.acquire_time } else { Some(now.clone()) },
            lease_transitions: Some(spec.lease_transitions.unwrap_or(0) + i32::from(!renewed)),
            ..self.spec(now)
        });
        // `lease` carries the resourceVersion that was read, so a concurrent writer makes this a conflict.
        let replaced = self
            .api
            .replace(&self.config.name, &PostParams::default(), &lease)
            .await;
        self.written(replaced, started)
    }

    fn spec(&self, now: MicroTime) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(
                i32::try_from(self.config.lease_duration.as_secs())
                    .unwrap_or(i32::MAX)
                    .max(1),
            ),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    fn written(&mut self, result: Result<Lease, kube::Error>, started: Instant) -> Attempt {
        match result {
            Ok(lease) => {
                self.observed = Some((lease, started));
                self.leadership.set(Some(started + self.config.lease_duration));
                Attempt::Held
            }
            Err(error) => Attempt::Failed(error.to_string()),
        }
    }

    /// Whether the other holder's lease has not changed for as long as it says it lives.
    fn expired(&mut self, lease: &Lease, now: Instant) -> bool {
        match &self.observed {
            Some((seen, since)) if seen.spec == lease.spec => {
                let seconds = lease
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.lease_duration_seconds)
                    .unwrap_or(0);
                let lives = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(self.config.lease_duration);
                now >= *since + lives
            }
            _ => {
                self.observed = Some((lease.clone(), now));
                false
            }
        }
    }

    /// Gives the lease up, so that a successor need not wait.
    async fn release(&mut self) {
        self.leadership.set(None);
        let Some((mut lease, _)) = self.observed.take() else {
            return;
        };
        let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
        lease.spec = Some(LeaseSpec {
            // Left out, not empty: API servers refuse an empty holder.
            holder_identity: None,
            lease_duration_seconds: Some(1),
            lease_transitions: transitions,
            renew_time: Some(MicroTime((self.clock)())),
            ..LeaseSpec::default()
        });
        let parameters = PostParams::default();
        let replace = self.api.replace(&self.config.name, &parameters, &lease);
        match tokio::time::timeout(self.config.renew_deadline, replace).await {
            Ok(Ok(_)) => tracing::info!(lease = %self.config.name, "gave leadership up"),
            Ok(Err(error)) => {
                tracing::warn!(%error, lease = %self.config.name, "the lease could not be given up and will expire")
            }
            Err(_) => {
                tracing::warn!(lease = %self.config.name, "the lease could not be given up in time and will expire")
            }
        }
    }
}
