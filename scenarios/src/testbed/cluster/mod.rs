//! The cluster of a world: one that is embedded, or a real one.
//!
//! | module | subject |
//! |---|---|
//! | [`provider`] | who has a real cluster for a scenario, and takes it away again |
//! | [`existing`] | a cluster that exists, and stays as it was |
//! | `watches` | everything that happens in a real cluster, as events of the world |
//! | `gate` | nobody knows of a change before those who watch over the world do |
//! | `sight` | how far they have seen |

pub mod existing;
mod gate;
pub mod provider;
mod sight;
mod watches;

use super::TestbedError;
use super::hub::Hub;
use crate::script::kinds;
use kube_emulator::KubeEmulator;
use provider::Access;
use sight::Sight;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a world is to stand on.
pub(crate) enum Ground {
    /// A cluster of its own, made with it, or the one that was kept in this folder.
    Embedded { state: Option<PathBuf> },
    /// Kinds and roles are there already.
    Real(Box<Access>),
}

/// What a world stands on.
pub(crate) enum Cluster {
    Embedded(KubeEmulator),
    Real(Arc<RealCluster>),
}

impl Cluster {
    /// The embedded one, for whoever looks inside.
    pub(crate) fn emulator(&self) -> Result<&KubeEmulator, TestbedError> {
        match self {
            Self::Embedded(emulator) => Ok(emulator),
            Self::Real(_) => Err(TestbedError::Unsupported {
                what: "looking into the cluster".to_owned(),
                why: "it is a real one".to_owned(),
            }),
        }
    }
}

/// A real cluster under observation.
pub(crate) struct RealCluster {
    access: Box<Access>,
    sight: Arc<Sight>,
}

impl RealCluster {
    /// From now on everything that happens there is told to `hub`.
    pub(super) async fn observe(
        access: Box<Access>,
        hub: &Arc<Hub>,
        until: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, TestbedError> {
        let client = connect(&access.user)?;
        let sight = Arc::new(Sight::default());
        for kind in kinds::ALL {
            let mut watch = watches::Watch::open(client.clone(), kind, hub.clone(), sight.clone()).await?;
            let until = until.clone();
            tasks.spawn(async move {
                tokio::select! {
                    biased;
                    () = until.cancelled() => {}
                    () = watch.follow() => {}
                }
            });
        }
        Ok(Self { access, sight })
    }

    /// For people, and whatever acts for them.
    pub(super) fn user(&self) -> Result<kube::Client, TestbedError> {
        Ok(gate::client(&self.sight, connect(&self.access.user)?))
    }

    /// For the operator, with its own account.
    pub(super) fn operator(&self) -> Result<kube::Client, TestbedError> {
        Ok(gate::client(&self.sight, connect(&self.access.operator)?))
    }

    /// What `kubectl` needs.
    pub(super) fn kubeconfig(&self) -> &str {
        &self.access.kubeconfig
    }
}

fn connect(config: &kube::Config) -> Result<kube::Client, TestbedError> {
    kube::Client::try_from(config.clone())
        .map_err(|error| TestbedError::failed("there is no client for the cluster", error))
}
