//! What a BIOSVersion and a BMCVersion work on: a server, or a BMC with all servers behind it.

use std::sync::Arc;

use crds::kinds::server_maintenance::MaintenancePolicy;
use crds::{BIOSVersion, BMC, BMCVersion, ObjectReference, Server, VersionStatus, VersionTemplate, keys};
use kube::api::Api;
use serde_json::{Value, json};

use crate::bmc::{BmcClient, Component, ReportedPower};
use crate::context::Context;
use crate::controllers::Error;
use crate::controllers::bmc::{access, choose};
use crate::controllers::firmware::object::Maintained;
use crate::controllers::server::find_system;

/// The machine as read just now.
pub(super) struct Machine {
    pub client: BmcClient,
    pub version: Option<String>,
    pub power: ReportedPower,
}

/// An object that wants a version.
pub(super) trait Versioned: Maintained {
    const COMPONENT: Component;
    /// Whether it can have several servers.
    const MANY: bool;

    fn template(&self) -> &VersionTemplate;
    fn status(&self) -> VersionStatus;
    /// The servers that are down meanwhile.
    fn servers(&self, context: &Context) -> Vec<String>;
    /// The BMC object, where there is one.
    fn bmc(&self, context: &Context) -> Option<Arc<BMC>>;
    fn has_target(&self, context: &Context) -> bool;
    /// Whether a live read shows that there is nothing to work on any more.
    async fn is_target_gone(&self, context: &Context) -> Result<bool, Error>;
    async fn read(&self, context: &Context) -> Result<Machine, Error>;
}

impl Maintained for BIOSVersion {
    const PREFIX: &'static str = "biosversion";
    const FINALIZER: &'static str = keys::finalizer::BIOS_VERSION;

    fn references(&self) -> Vec<ObjectReference> {
        self.spec.server_maintenance_ref.iter().cloned().collect()
    }

    fn references_patch(references: &[ObjectReference]) -> Value {
        json!({ "serverMaintenanceRef": references.first() })
    }

    fn policy(&self) -> Option<MaintenancePolicy> {
        self.spec.template.server_maintenance_policy.clone()
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }
}

fn server_of(version: &BIOSVersion, context: &Context) -> Option<Arc<Server>> {
    // `serverRef` is optional (W25).
    let reference = version.spec.server_ref.as_ref()?;
    context.caches.servers.get(&reference.name)
}

impl Versioned for BIOSVersion {
    const COMPONENT: Component = Component::Bios;
    const MANY: bool = false;

    fn template(&self) -> &VersionTemplate {
        &self.spec.template
    }

    fn status(&self) -> VersionStatus {
        self.status.clone().unwrap_or_default()
    }

    fn servers(&self, _context: &Context) -> Vec<String> {
        self.spec.server_ref.iter().map(|server| server.name.clone()).collect()
    }

    fn bmc(&self, context: &Context) -> Option<Arc<BMC>> {
        let reference = server_of(self, context)?.spec.bmc_ref.clone()?;
        context.caches.bmcs.get(&reference.name)
    }

    fn has_target(&self, context: &Context) -> bool {
        server_of(self, context).is_some()
    }

    async fn is_target_gone(&self, context: &Context) -> Result<bool, Error> {
        let Some(reference) = &self.spec.server_ref else {
            return Ok(true);
        };
        Ok(Api::<Server>::get_opt(&context.api(), &reference.name).await?.is_none())
    }

    async fn read(&self, context: &Context) -> Result<Machine, Error> {
        let server = server_of(self, context).ok_or_else(|| Error::Invalid("the Server is not there".to_owned()))?;
        let client = context.bmcs.client(&access::of_server(context, &server)?).await?;
        let system = find_system(&client, &server).await?;
        Ok(Machine {
            client,
            version: system.bios_version,
            power: system.power_state,
        })
    }
}

impl Maintained for BMCVersion {
    const PREFIX: &'static str = "bmcversion";
    const FINALIZER: &'static str = keys::finalizer::BMC_VERSION;

    fn references(&self) -> Vec<ObjectReference> {
        self.spec.server_maintenance_refs.clone()
    }

    fn references_patch(references: &[ObjectReference]) -> Value {
        json!({ "serverMaintenanceRefs": (!references.is_empty()).then_some(references) })
    }

    fn policy(&self) -> Option<MaintenancePolicy> {
        self.spec.template.server_maintenance_policy.clone()
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }
}

impl Versioned for BMCVersion {
    const COMPONENT: Component = Component::Bmc;
    const MANY: bool = true;

    fn template(&self) -> &VersionTemplate {
        &self.spec.template
    }

    fn status(&self) -> VersionStatus {
        self.status.clone().unwrap_or_default()
    }

    fn servers(&self, context: &Context) -> Vec<String> {
        let bmc = self.spec.bmc_ref.as_ref();
        bmc.map(|bmc| context.board.servers_of(&bmc.name)).unwrap_or_default()
    }

    fn bmc(&self, context: &Context) -> Option<Arc<BMC>> {
        context.caches.bmcs.get(&self.spec.bmc_ref.as_ref()?.name)
    }

    fn has_target(&self, context: &Context) -> bool {
        self.bmc(context).is_some()
    }

    async fn is_target_gone(&self, context: &Context) -> Result<bool, Error> {
        let Some(reference) = &self.spec.bmc_ref else {
            return Ok(true);
        };
        Ok(Api::<BMC>::get_opt(&context.api(), &reference.name).await?.is_none())
    }

    async fn read(&self, context: &Context) -> Result<Machine, Error> {
        let bmc = self
            .bmc(context)
            .ok_or_else(|| Error::Invalid("the BMC is not there".to_owned()))?;
        let client = context.bmcs.client(&access::of_bmc(context, &bmc)?).await?;
        let manager = choose(&bmc, client.managers().await?)?;
        Ok(Machine {
            client,
            version: manager.firmware_version,
            power: manager.power_state,
        })
    }
}
