//! One client per BMC, kept between reconcile passes: sessions are few and logins slow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use sha2::{Digest, Sha256};

use super::redfish::{Endpoint, LoginGate, Shared};
use super::{BmcAccess, BmcClient, BmcError, Credentials};
use crate::edges::HttpService;
use crate::metrics::Metrics;
use crate::options::BmcOptions;
use crate::sabotage::{self, Bug};

/// Sessions that are closed at the same time.
const CONCURRENT_CLOSES: usize = 64;

/// Limits of the pool and its clients.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Deadline of one operation that changes a machine, all its requests and waiting for its turn included.
    pub request_timeout: Duration,
    /// Deadline of one request that only reads.
    pub read_timeout: Duration,
    /// Requests in flight to one BMC.
    pub max_concurrent_requests: usize,
    /// A session unused for this long is closed.
    pub session_idle_timeout: Duration,
    /// Pause after the first refused login; doubles.
    pub auth_backoff: Duration,
    /// Longest pause.
    pub auth_backoff_max: Duration,
    /// Pause before a BMC that does not answer is tried again; doubles.
    pub outage_backoff: Duration,
    /// Longest such pause.
    pub outage_backoff_max: Duration,
}

impl From<&BmcOptions> for PoolSettings {
    fn from(options: &BmcOptions) -> Self {
        Self {
            request_timeout: options.bmc_request_timeout.get(),
            read_timeout: options.bmc_read_timeout.get(),
            max_concurrent_requests: usize::from(options.bmc_max_concurrent_requests),
            session_idle_timeout: options.bmc_session_idle_timeout.get(),
            auth_backoff: options.bmc_auth_backoff.get(),
            auth_backoff_max: options.bmc_auth_backoff_max.get(),
            outage_backoff: options.bmc_outage_backoff.get(),
            outage_backoff_max: options.bmc_outage_backoff_max.get(),
        }
    }
}

/// All BMC clients of the operator. Cheap to clone.
#[derive(Clone)]
pub struct BmcPool(Arc<Inner>);

struct Inner {
    http: HttpService,
    metrics: Metrics,
    settings: PoolSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clients: BTreeMap<Endpoint, Arc<Shared>>,
    /// Back-off outlives the client: forgetting a BMC must not buy another failed login.
    gates: BTreeMap<(Endpoint, [u8; 32]), Arc<LoginGate>>,
}

impl BmcPool {
    /// An empty pool over `http`.
    pub fn new(http: HttpService, metrics: Metrics, settings: PoolSettings) -> Self {
        Self(Arc::new(Inner {
            http,
            metrics,
            settings,
            state: Mutex::default(),
        }))
    }

    /// The client for a BMC; reads the service root of one that is new, and logs in at its first operation. A client with other
    /// credentials or other trust for the same address is closed first: a session must not outlive its password (bugs.md #123).
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn client(&self, access: &BmcAccess) -> Result<BmcClient, BmcError> {
        let (shared, replaced) = self.entry(access);
        if let Some(replaced) = replaced {
            replaced.retire().await;
        }
        let client = BmcClient::new(shared);
        client.reading().connect().await?;
        Ok(client)
    }

    /// Closes the session of this BMC and forgets it.
    pub async fn forget(&self, access: &BmcAccess) {
        let removed = self.state().clients.remove(&Endpoint::of(access));
        if let Some(shared) = removed {
            shared.retire().await;
        }
    }

    /// Closes every session; clients that are still held answer `Closed`.
    pub async fn close_all(&self) {
        let clients = std::mem::take(&mut self.state().clients);
        stream::iter(clients.into_values())
            .for_each_concurrent(CONCURRENT_CLOSES, async |shared| shared.retire().await)
            .await;
    }

    /// Closes sessions that were not used for the idle timeout. One task calls this now and then: a timer per BMC would cost
    /// ten thousand of them.
    pub async fn sweep(&self) {
        let idle = self.0.settings.session_idle_timeout;
        let idle: Vec<_> = self
            .state()
            .clients
            .values()
            .filter(|shared| shared.is_idle(idle))
            .cloned()
            .collect();
        stream::iter(idle)
            .for_each_concurrent(CONCURRENT_CLOSES, async |shared| shared.close_session().await)
            .await;
    }

    /// The entry for `access`, and the one it replaced.
    fn entry(&self, access: &BmcAccess) -> (Arc<Shared>, Option<Arc<Shared>>) {
        let endpoint = Endpoint::of(access);
        let mut state = self.state();
        // Incidents 123 and 124.
        if let Some(shared) = state.clients.get(&endpoint)
            && (shared.is_for(access) || sabotage::active(Bug::SessionOutlivesPassword))
            && !sabotage::active(Bug::SessionPerPass)
        {
            return (shared.clone(), None);
        }
        let settings = &self.0.settings;
        let gate = state
            .gates
            .entry((endpoint.clone(), fingerprint(&access.credentials)))
            .or_insert_with(|| Arc::new(LoginGate::new(settings.auth_backoff, settings.auth_backoff_max)))
            .clone();
        let shared = Arc::new(Shared::new(
            access,
            gate,
            self.0.http.clone(),
            self.0.metrics.clone(),
            settings.clone(),
        ));
        // Incident 162.
        if sabotage::active(Bug::CredentialsLogged) {
            let Credentials { username, password } = &access.credentials;
            tracing::info!(username, password = password.as_str(), "new client of a BMC");
        }
        let replaced = state.clients.insert(endpoint, shared.clone());
        // Incident 124.
        (shared, replaced.filter(|_| !sabotage::active(Bug::SessionPerPass)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells credentials apart without keeping them.
fn fingerprint(credentials: &Credentials) -> [u8; 32] {
    // The length keeps ("ab", "c") apart from ("a", "bc").
    Sha256::new()
        .chain_update(credentials.username.len().to_le_bytes())
        .chain_update(&credentials.username)
        .chain_update(credentials.password.as_bytes())
        .finalize()
        .into()
}
