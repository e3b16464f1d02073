//! The handle on one BMC. Its operations stand beside the resources they use, in `redfish/`.

use std::sync::Arc;

use tokio::time::Instant;

use super::BmcError;
use super::redfish::{Call, Shared};

/// A handle on one BMC of the pool. Cheap to clone. Operations that change the machine have one deadline for all their requests,
/// `--bmc-request-timeout`; reads have `--bmc-read-timeout` for each request.
#[derive(Clone)]
pub struct BmcClient {
    shared: Arc<Shared>,
}

impl BmcClient {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn reading(&self) -> Arc<Call> {
        Arc::new(Call::reading(self.shared.clone()))
    }

    pub(super) fn modifying(&self) -> Arc<Call> {
        Arc::new(Call::modifying(self.shared.clone()))
    }

    /// Runs an operation and counts it.
    pub(super) async fn measured<T>(
        &self,
        operation: &'static str,
        call: Arc<Call>,
        work: impl AsyncFnOnce(&Arc<Call>) -> Result<T, BmcError>,
    ) -> Result<T, BmcError> {
        let started = Instant::now();
        let result = work(&call).await;
        let label = result.as_ref().map_or_else(BmcError::result_label, |_| "success");
        self.shared.metrics().bmc_requested(operation, label, started.elapsed());
        result
    }
}
