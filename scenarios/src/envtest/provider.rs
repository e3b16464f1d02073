//! A control plane for every scenario: kinds like Server are not namespaced, and nothing is as clean as what is new. It takes three
//! seconds of one processor.

use super::assets::Assets;
use super::{ControlPlane, config, install};
use crate::script::Scenario;
use crate::testbed::cluster::provider::{Access, Lent, Provider};
use crate::testbed::{MANAGER_NAMESPACE, TestbedError};
use async_trait::async_trait;
use std::path::PathBuf;

/// Every control plane has a quarter of a gigabyte, and an etcd that writes.
const AT_MOST: usize = 4;

/// etcd, kube-apiserver and kube-controller-manager on this machine.
#[derive(Clone, Debug)]
pub struct Envtest {
    pub assets: Assets,
    /// `operator/deploy`: kinds, roles and policy come from there.
    pub deploy: PathBuf,
    /// Where logs are kept, in a folder per scenario.
    pub logs: Option<PathBuf>,
}

#[async_trait]
impl Provider for Envtest {
    fn name(&self) -> &'static str {
        "envtest"
    }

    fn at_most(&self) -> Option<usize> {
        Some(AT_MOST)
    }

    async fn lend(&self, scenario: &Scenario) -> Result<Option<Lent>, TestbedError> {
        let logs = self.logs.as_ref().map(|folder| folder.join(&scenario.name));
        let plane = ControlPlane::start(&self.assets, logs.as_deref()).await?;
        let wanted = install::needed_by(scenario, install::everything(&self.deploy)?);
        install::all(&plane.admin()?, wanted).await?;
        let account = plane
            .service_account_kubeconfig(MANAGER_NAMESPACE, install::SERVICE_ACCOUNT)
            .await?;
        let access = Access {
            user: plane.admin_config().clone(),
            operator: config(&account).await?,
            kubeconfig: plane.admin_kubeconfig(),
        };
        let keep = Box::new(plane);
        Ok(Some(Lent { access, keep }))
    }

    async fn take_back(&self, lent: Lent) -> Result<(), TestbedError> {
        if let Ok(plane) = lent.keep.downcast::<ControlPlane>() {
            plane.end().await;
        }
        Ok(())
    }
}
