//! The world of a campaign, with handles on everything that can be made to go wrong.

use crate::engine::cluster::Cluster;
use crate::net::Network;
use crate::script::kinds;
use crate::testbed::wire::memory::MemoryWire;
use crate::testbed::world::World;
use crate::testbed::{MachineInfo, OperatorAction, Testbed as _, TestbedError};
use bmc_emulator::{AdminAction, Fault, FaultId};
use kube_emulator::{FrontEnd, KubeEmulator};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a suspended operator works on after it woke up, until it is stopped.
pub(super) const AWAKE: Duration = Duration::from_secs(120);
/// A process that ended because it lost its lease is back after this at the latest.
const RESTARTED: Duration = Duration::from_secs(15);

/// Handles on a running world.
pub(crate) struct Arena {
    pub world: Arc<World<MemoryWire>>,
    pub network: Network,
    pub cluster: KubeEmulator,
    pub front_ends: Vec<FrontEnd>,
    /// Writes as the people of the campaign.
    pub user: Cluster,
    pub machines: Vec<MachineInfo>,
    /// Passwords of BMCs by machine, where people have changed them.
    pub passwords: Mutex<std::collections::BTreeMap<String, String>>,
}

impl Arena {
    pub(crate) fn new(
        world: Arc<World<MemoryWire>>,
        network: Network,
        front_ends: Vec<FrontEnd>,
    ) -> Result<Self, TestbedError> {
        Ok(Self {
            network,
            front_ends,
            cluster: world.cluster.emulator()?.clone(),
            user: Cluster::new(world.kube()),
            machines: world.machines(),
            passwords: Mutex::default(),
            world,
        })
    }

    pub(super) fn front_ends(&self) -> impl Iterator<Item = &FrontEnd> {
        self.front_ends.iter()
    }

    pub(super) fn machine(&self, name: &str) -> Option<&MachineInfo> {
        self.machines.iter().find(|machine| machine.name == name)
    }

    /// `None` where the machine has no such drive.
    pub(super) fn inject(&self, machine: &str, fault: Fault) -> Result<Option<FaultId>, TestbedError> {
        let bmc = self.world.bmc(machine)?;
        Ok(bmc.inject(fault).ok())
    }

    pub(super) fn remove_fault(&self, machine: &str, fault: FaultId) {
        if let Ok(bmc) = self.world.bmc(machine) {
            bmc.remove_fault(fault);
        }
    }

    pub(super) fn hands(&self, machine: &str, action: AdminAction) -> Result<(), TestbedError> {
        let done = self.world.bmc(machine)?.apply(action);
        done.map_err(|error| TestbedError::failed(format!("the action is not possible on {machine}"), error))
    }

    /// Every front end but the first lags the most; the first one half as much.
    pub(super) fn lag(&self, resource: Option<&str>, lag: Option<Duration>) {
        for (index, front_end) in self.front_ends.iter().enumerate() {
            let lag = lag.map(|lag| if index == 0 { lag / 2 } else { lag });
            match resource {
                Some(resource) => front_end.set_lag_for(resource, lag),
                None => front_end.set_lag(lag.unwrap_or_default()),
            }
        }
    }

    /// As a restore from a backup without status does.
    pub(super) fn lose_status(&self, kind: &str) {
        if let Some(kind) = kinds::find(kind) {
            // A kind nobody has installed has no status either.
            let _ = self.cluster.erase_status(kind.group, kind.plural, |_| true);
        }
    }

    /// Whether it was possible: what crashed already cannot crash again.
    pub(super) async fn operator(&self, action: OperatorAction) -> bool {
        self.world.operator(action).await.is_ok()
    }

    /// Stops the oldest operator, unless it is the only one.
    pub(super) async fn retire_oldest(&self) {
        if self.world.operators().await > 1 {
            self.operator(OperatorAction::Stop).await;
        }
    }

    /// Exactly one operator.
    pub(super) async fn one_operator(&self) {
        while self.world.operators().await > 1 {
            self.operator(OperatorAction::Stop).await;
        }
        if self.world.operators().await == 0 {
            self.operator(OperatorAction::Start).await;
        }
        tokio::time::sleep(RESTARTED).await;
    }

    pub(super) fn password(&self, machine: &MachineInfo) -> String {
        let changed = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed.get(&machine.name).cloned();
        changed.unwrap_or_else(|| machine.password.0.clone())
    }
}
