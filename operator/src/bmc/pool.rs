//! One client per BMC, kept between reconcile passes.

use std::time::Duration;

use super::{BmcAccess, BmcClient, BmcError};
use crate::edges::{Clock, HttpService};
use crate::metrics::Metrics;
use crate::options::BmcOptions;

/// Limits of the pool and its clients.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Deadline of one request, waiting for its turn included.
    pub request_timeout: Duration,
    /// Requests in flight to one BMC.
    pub max_concurrent_requests: usize,
    /// A session unused for this long is closed.
    pub session_idle_timeout: Duration,
    /// Pause after the first refused login; doubles.
    pub auth_backoff: Duration,
    /// Longest pause.
    pub auth_backoff_max: Duration,
}

impl From<&BmcOptions> for PoolSettings {
    fn from(options: &BmcOptions) -> Self {
        Self {
            request_timeout: options.bmc_request_timeout.get(),
            max_concurrent_requests: usize::from(options.bmc_max_concurrent_requests),
            session_idle_timeout: options.bmc_session_idle_timeout.get(),
            auth_backoff: options.bmc_auth_backoff.get(),
            auth_backoff_max: options.bmc_auth_backoff_max.get(),
        }
    }
}

/// All BMC clients of the operator. Cheap to clone.
#[derive(Clone)]
pub struct BmcPool {
    _http: HttpService,
}

impl BmcPool {
    /// An empty pool over `http`.
    pub fn new(http: HttpService, _clock: Clock, _metrics: Metrics, _settings: PoolSettings) -> Self {
        Self { _http: http }
    }

    /// The client for a BMC. Reads the service root when the BMC is new to the pool; logs in on first use only.
    ///
    /// # Errors
    /// [`BmcError`].
    #[expect(clippy::unused_async, reason = "signature first")]
    pub async fn client(&self, _access: &BmcAccess) -> Result<BmcClient, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Closes the session of this BMC and forgets it.
    #[expect(clippy::unused_async, reason = "signature first")]
    pub async fn forget(&self, _access: &BmcAccess) {}

    /// Closes every session.
    #[expect(clippy::unused_async, reason = "signature first")]
    pub async fn close_all(&self) {}

    /// Closes sessions that were not used for the idle timeout. One task calls this now and then.
    #[expect(clippy::unused_async, reason = "signature first")]
    pub async fn sweep(&self) {}
}
