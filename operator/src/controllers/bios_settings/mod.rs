//! The BIOSSettings controller: contract section 4.4.
//!
//! | module | subject |
//! |---|---|
//! | [`state`] | what is decided in each state. Pure |
//! | [`flow`] | one item of the flow. Pure |
//! | [`observed`] | what decisions are made from, and what they ask for |
//! | `binding` | from which BIOSSettings a server takes its settings |

mod binding;
pub mod flow;
pub mod observed;
pub mod state;

use std::sync::Arc;

use crds::kinds::bios_settings::BIOSSettingsStatus;
use crds::kinds::server_maintenance::MaintenancePolicy;
use crds::{BIOSSettings, ObjectReference, Server, keys};
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::Error;
use super::firmware::maintenance::{self, Maintenances};
use super::firmware::object::{self, Maintained};
use super::firmware::pass::{self, Look, Worked};
use super::firmware::{Limits, restart};
use crate::bmc::BmcError;
use crate::bmc::attributes::{AttributeRegistry, differences};
use crate::conditions::{self, Wish};
use crate::context::Context;
use crate::controllers::bmc::access;
use crate::controllers::server::find_system;
use observed::{Binding, Effect, Observed, Reading};

impl Maintained for BIOSSettings {
    const PREFIX: &'static str = "biossettings";
    const FINALIZER: &'static str = keys::finalizer::BIOS_SETTINGS;

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

/// One pass over one BIOSSettings.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, cached: Arc<BIOSSettings>) -> Result<Action, Error> {
    pass::run(&context, &cached).await
}

impl Worked for BIOSSettings {
    type Status = BIOSSettingsStatus;
    type Effect = Effect;

    fn written(&self) -> BIOSSettingsStatus {
        self.status.clone().unwrap_or_default()
    }

    async fn is_at_work(&self, context: &Context) -> Result<bool, Error> {
        is_at_work(context, self).await
    }

    async fn look(&self, context: &Context, limits: &Limits) -> Result<Look<BIOSSettingsStatus, Effect>, Error> {
        look(context, self, limits).await
    }

    async fn perform(&mut self, context: &Context, maintenances: &Maintenances, effect: Effect) -> Result<bool, Error> {
        perform(context, self, maintenances, effect).await
    }

    async fn give_back(&self, context: &Context) -> Result<Option<Self>, Error> {
        let server = self.spec.server_ref.as_ref().map(|server| server.name.clone());
        let (settings, gone) = maintenance::release(context, self, server.as_slice(), false).await?;
        if !gone {
            return Ok(None);
        }
        if let Some(server) = &server {
            binding::unbind(context, &settings, server).await?;
        }
        Ok(Some(settings))
    }
}

async fn look(
    context: &Context,
    settings: &BIOSSettings,
    limits: &Limits,
) -> Result<Look<BIOSSettingsStatus, Effect>, Error> {
    let name = settings.spec.server_ref.as_ref().map(|server| server.name.clone());
    let server = name.as_ref().and_then(|name| context.caches.servers.get(name));
    let servers: Vec<String> = name.into_iter().collect();
    let maintenances = Maintenances::look(context, settings, &servers, false);
    let bmc = server.as_ref().and_then(|server| server.spec.bmc_ref.clone());
    let bmc = bmc.and_then(|bmc| context.caches.bmcs.get(&bmc.name));
    let none = Vec::new();
    let known = settings.status.as_ref().map_or(&none, |status| &status.conditions);
    let mut observed = Observed {
        settings,
        now: context.now(),
        limits,
        binding: match &server {
            Some(server) => binding::of(context, settings, server).await?,
            None => Binding::NoServer,
        },
        permit: maintenances.permit(),
        restart: restart::decide(
            state::RESET_ISSUED,
            known,
            bmc.as_deref(),
            context.now(),
            limits.restart,
        ),
        reading: None,
    };
    let mut asked = false;
    if let Some(server) = &server
        && state::needs_reading(&observed)
    {
        asked = true;
        match read(context, settings, server).await {
            Ok(reading) => observed.reading = Some(reading),
            Err(error @ (Error::Bmc(_) | Error::Access(_) | Error::SystemMissing { .. })) => {
                tracing::warn!(biossettings = %settings.name_any(), %error, "the BMC cannot be asked now");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Look {
        decision: state::decide(&observed),
        maintenances,
        asked,
    })
}

async fn read(context: &Context, settings: &BIOSSettings, server: &Server) -> Result<Reading, Error> {
    let client = context.bmcs.client(&access::of_server(context, server)?).await?;
    let system = find_system(&client, server).await?;
    let bios = client.bios(&system.uri).await?;
    // The registry is long, and only needed where something may have to be written.
    let items = settings.spec.template.settings_flow.iter();
    let wanted = items.flat_map(|item| item.settings.clone()).collect();
    let differs = bios.as_ref().is_some_and(|bios| {
        let by_type = AttributeRegistry::default();
        !bios.pending.is_empty() || !differences(&by_type, &wanted, &bios.attributes).is_empty()
    });
    let registry = match differs {
        true => {
            let version = system.bios_version.clone().unwrap_or_default();
            let key = (server.spec.system_uuid.clone(), version);
            match context.attribute_registries.get(&key) {
                Some(registry) => registry,
                None => {
                    let registry = Arc::new(client.bios_registry(&system.uri).await?);
                    context.attribute_registries.put(key, registry.clone());
                    registry
                }
            }
        }
        false => Arc::default(),
    };
    Ok(Reading {
        power: system.power_state,
        version: system.bios_version,
        bios,
        registry,
    })
}

async fn perform(
    context: &Context,
    settings: &mut BIOSSettings,
    maintenances: &Maintenances,
    effect: Effect,
) -> Result<bool, Error> {
    let server = settings.spec.server_ref.clone().unwrap_or_default().name;
    match effect {
        Effect::Nothing => Ok(true),
        Effect::Bind => {
            binding::bind(context, settings, &server).await?;
            // The cache shows it in a moment.
            Ok(false)
        }
        Effect::RequestMaintenance => {
            *settings = maintenances.request(context, settings).await?;
            Ok(false)
        }
        Effect::SetPower(power) => maintenances.set_power(context, &power).await.map(|()| true),
        Effect::RestartBmc(wish) => {
            let bmc = context
                .caches
                .servers
                .get(&server)
                .and_then(|server| server.spec.bmc_ref.clone());
            if let Some(bmc) = bmc.and_then(|bmc| context.caches.bmcs.get(&bmc.name)) {
                restart::request(context, &bmc).await?;
            }
            note(context, settings, &wish).await?;
            Ok(false)
        }
        Effect::Stage { item, changes } => stage(context, settings, maintenances, &server, &item, &changes).await,
        Effect::Release => {
            let (released, gone) = maintenance::release(context, settings, &[server], false).await?;
            *settings = released;
            if gone {
                note(context, settings, &maintenance::released()).await?;
            }
            // The cache may still show the maintenance.
            Ok(false)
        }
        Effect::ClearRequest => {
            *settings = object::clear_request(context, settings).await?;
            Ok(true)
        }
    }
}

async fn note(context: &Context, settings: &mut BIOSSettings, wish: &Wish) -> Result<(), Error> {
    let old = settings.written();
    let mut new = old.clone();
    conditions::set(&mut new.conditions, wish, context.now());
    *settings = object::write_status(context, settings, &old, &new).await?;
    Ok(())
}

async fn stage(
    context: &Context,
    settings: &mut BIOSSettings,
    maintenances: &Maintenances,
    server: &str,
    item: &str,
    changes: &serde_json::Map<String, Value>,
) -> Result<bool, Error> {
    let Some(server) = context.caches.servers.get(server) else {
        return Ok(false);
    };
    let client = context.bmcs.client(&access::of_server(context, &server)?).await?;
    let system = find_system(&client, &server).await?;
    if !maintenances.confirm(context).await? {
        return Ok(false);
    }
    tracing::info!(biossettings = %settings.name_any(), server = %server.name_any(), attributes = changes.len(), "staging BIOS attributes");
    let Err(error) = client.set_bios_attributes(&system.uri, changes).await else {
        return Ok(true);
    };
    tracing::warn!(biossettings = %settings.name_any(), %error, "the BMC has not taken BIOS attributes");
    // What it shows at the next look counts. What it said is for people.
    let message = match &error {
        BmcError::Unauthorized { .. } => error.condition_message(),
        error => error.to_string(),
    };
    let old = settings.written();
    let mut new = old.clone();
    for state in new.flow_state.iter_mut().filter(|state| state.name == item) {
        flow::refused(&mut state.conditions, message.clone(), context.now());
    }
    *settings = object::write_status(context, settings, &old, &new).await?;
    Ok(false)
}

/// A machine whose Server is gone, nobody works on.
async fn is_at_work(context: &Context, settings: &BIOSSettings) -> Result<bool, Error> {
    let status = settings.status.as_ref();
    let in_progress =
        status.and_then(|status| status.state.as_ref()) == Some(&crds::firmware::SettingsState::InProgress);
    let Some(server) = settings.spec.server_ref.as_ref().filter(|_| in_progress) else {
        return Ok(false);
    };
    if object::request(settings) == Some(keys::operation::ALLOW_IN_PROGRESS_DELETE) {
        return Ok(false);
    }
    let api: Api<Server> = context.api();
    if api.get_opt(&server.name).await?.is_none() {
        return Ok(false);
    }
    let maintenances = Maintenances::look(context, settings, std::slice::from_ref(&server.name), false);
    Ok(matches!(maintenances.permit(), maintenance::Permit::Granted(_)))
}
