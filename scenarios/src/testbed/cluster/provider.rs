//! Who has a cluster for a scenario, and takes it away again.

use crate::script::Scenario;
use crate::testbed::TestbedError;
use async_trait::async_trait;
use std::any::Any;

/// How a cluster is reached that has the kinds and the roles of this repository.
#[derive(Clone)]
pub struct Access {
    /// May do everything.
    pub user: kube::Config,
    /// The operator's service account.
    pub operator: kube::Config,
    /// What `kubectl` needs, for people.
    pub kubeconfig: String,
}

/// A cluster that is lent to one world. Whatever it needs ends when it is dropped.
pub struct Lent {
    pub access: Access,
    /// Is kept as long as the cluster is used.
    pub keep: Box<dyn Any + Send>,
}

/// Has clusters.
#[async_trait]
pub trait Provider: Send + Sync {
    /// As it is called on the command line.
    fn name(&self) -> &'static str;
    /// How many scenarios can have a cluster at the same time.
    fn at_most(&self) -> Option<usize>;
    /// A cluster for this scenario, in which nothing is left of others; `None` for one that is embedded into the world.
    async fn lend(&self, scenario: &Scenario) -> Result<Option<Lent>, TestbedError>;
    /// Takes it back, after the world on it has ended.
    async fn take_back(&self, lent: Lent) -> Result<(), TestbedError>;
    /// Something has not passed: what is known is put where it can be read.
    fn failed(&self) -> Result<(), TestbedError> {
        Ok(())
    }
}

/// The embedded cluster: every world makes its own.
#[derive(Clone, Copy, Debug)]
pub struct Embedded;

#[async_trait]
impl Provider for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn at_most(&self) -> Option<usize> {
        None
    }

    async fn lend(&self, _: &Scenario) -> Result<Option<Lent>, TestbedError> {
        Ok(None)
    }

    async fn take_back(&self, _: Lent) -> Result<(), TestbedError> {
        Ok(())
    }
}
