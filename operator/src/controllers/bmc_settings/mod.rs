//! The BMCSettings controller: contract section 4.6.
//!
//! | module | subject |
//! |---|---|
//! | [`state`] | what is decided in each state. Pure |
//! | [`observed`] | what decisions are made from, and what they ask for |
//! | [`expansion`] | `$(NAME)` in texts. Pure |
//! | `variables` | where the values of variables come from |
//! | `binding` | from which BMCSettings a BMC takes its settings |

mod binding;
pub mod expansion;
pub mod observed;
pub mod state;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::firmware::SettingsState;
use crds::kinds::bmc_settings::{BMCSettingsStatus, ServerMaintenanceRefItem};
use crds::kinds::server_maintenance::MaintenancePolicy;
use crds::{BMC, BMCSettings, ObjectReference, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::Action;
use serde_json::{Map, Value, json};

use super::Error;
use super::firmware::maintenance::{self, Maintenances, Permit};
use super::firmware::object::{self, Maintained};
use super::firmware::pass::{self, Look, Worked};
use super::firmware::{Limits, restart};
use crate::bmc::{BmcClient, BmcError, Manager};
use crate::conditions::{self, Wish};
use crate::context::Context;
use crate::controllers::bmc::{access, choose};
use observed::{Binding, Effect, Observed, Reading};

impl Maintained for BMCSettings {
    const PREFIX: &'static str = "bmcsettings";
    const FINALIZER: &'static str = keys::finalizer::BMC_SETTINGS;

    fn references(&self) -> Vec<ObjectReference> {
        let items = self.spec.server_maintenance_refs.iter();
        items.filter_map(|item| item.server_maintenance_ref.clone()).collect()
    }

    fn references_patch(references: &[ObjectReference]) -> Value {
        let items = references.iter().map(|reference| ServerMaintenanceRefItem {
            server_maintenance_ref: Some(reference.clone()),
        });
        let items: Vec<_> = items.collect();
        json!({ "serverMaintenanceRefs": (!items.is_empty()).then_some(items) })
    }

    fn policy(&self) -> Option<MaintenancePolicy> {
        self.spec.template.server_maintenance_policy.clone()
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }
}

/// One pass over one BMCSettings.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, cached: Arc<BMCSettings>) -> Result<Action, Error> {
    pass::run(&context, &cached).await
}

impl Worked for BMCSettings {
    type Status = BMCSettingsStatus;
    type Effect = Effect;

    fn written(&self) -> BMCSettingsStatus {
        self.status.clone().unwrap_or_default()
    }

    async fn is_at_work(&self, context: &Context) -> Result<bool, Error> {
        is_at_work(context, self).await
    }

    async fn look(&self, context: &Context, limits: &Limits) -> Result<Look<BMCSettingsStatus, Effect>, Error> {
        look(context, self, limits).await
    }

    async fn perform(&mut self, context: &Context, maintenances: &Maintenances, effect: Effect) -> Result<bool, Error> {
        perform(context, self, maintenances, effect).await
    }

    async fn give_back(&self, context: &Context) -> Result<Option<Self>, Error> {
        let (settings, gone) = maintenance::release(context, self, &servers(context, self), true).await?;
        if !gone {
            return Ok(None);
        }
        binding::unbind(context, &settings).await?;
        Ok(Some(settings))
    }
}

fn servers(context: &Context, settings: &BMCSettings) -> Vec<String> {
    context.board.servers_of(&settings.spec.bmc_ref.name)
}

async fn look(
    context: &Context,
    settings: &BMCSettings,
    limits: &Limits,
) -> Result<Look<BMCSettingsStatus, Effect>, Error> {
    let bmc = context.caches.bmcs.get(&settings.spec.bmc_ref.name);
    let maintenances = Maintenances::look(context, settings, &servers(context, settings), true);
    let none = Vec::new();
    let known = settings.status.as_ref().map_or(&none, |status| &status.conditions);
    let restart =
        |type_, known: &[Condition]| restart::decide(type_, known, bmc.as_deref(), context.now(), limits.restart);
    // That it has to be restarted does not mean that anybody was asked to.
    let asked_for: Vec<_> = known
        .iter()
        .filter(|condition| condition.reason != state::RESET_REQUIRED)
        .cloned()
        .collect();
    let mut observed = Observed {
        settings,
        now: context.now(),
        limits,
        binding: match &bmc {
            Some(bmc) => binding::of(context, settings, bmc).await?,
            None => Binding::NoBmc,
        },
        permit: maintenances.permit(),
        restart: restart(state::RESET_ISSUED, known),
        reset: restart(state::RESET_AFTER, &asked_for),
        wanted: Ok(BTreeMap::new()),
        reading: None,
    };
    let needed = state::needs_reading(&observed);
    if let Some(bmc) = bmc.as_ref().filter(|_| needed) {
        observed.wanted = variables::resolve(context, settings).await?;
        match read(context, bmc, observed.wanted.as_ref().ok()).await {
            Ok(reading) => observed.reading = Some(reading),
            Err(error @ (Error::Bmc(_) | Error::Access(_) | Error::Invalid(_))) => {
                tracing::warn!(bmcsettings = %settings.name_any(), %error, "the BMC cannot be asked now");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Look {
        decision: state::decide(&observed),
        maintenances,
        asked: needed,
    })
}

async fn manager(context: &Context, bmc: &BMC) -> Result<(BmcClient, Manager), Error> {
    let client = context.bmcs.client(&access::of_bmc(context, bmc)?).await?;
    let manager = choose(bmc, client.managers().await?)?;
    Ok((client, manager))
}

async fn read(context: &Context, bmc: &BMC, wanted: Option<&BTreeMap<String, String>>) -> Result<Reading, Error> {
    let (client, manager) = manager(context, bmc).await?;
    let attributes = match wanted {
        None => None,
        Some(wanted) => match client.manager_attributes(&manager.uri, wanted).await {
            Ok(attributes) => Some(attributes),
            Err(BmcError::Unsupported { .. }) => None,
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Reading {
        version: manager.firmware_version,
        power: manager.power_state,
        attributes,
    })
}

async fn perform(
    context: &Context,
    settings: &mut BMCSettings,
    maintenances: &Maintenances,
    effect: Effect,
) -> Result<bool, Error> {
    match effect {
        Effect::Nothing => Ok(true),
        Effect::Bind => {
            binding::bind(context, settings).await?;
            // The cache shows it in a moment.
            Ok(false)
        }
        Effect::RequestMaintenance => {
            *settings = maintenances.request(context, settings).await?;
            Ok(false)
        }
        Effect::RestartBmc(wish) => {
            if let Some(bmc) = context.caches.bmcs.get(&settings.spec.bmc_ref.name) {
                restart::request(context, &bmc).await?;
            }
            note(context, settings, &[wish]).await?;
            Ok(false)
        }
        Effect::Apply { changes, notes } => apply(context, settings, maintenances, &changes, notes).await,
        Effect::Release => {
            let servers = servers(context, settings);
            let (released, gone) = maintenance::release(context, settings, &servers, true).await?;
            *settings = released;
            if gone {
                note(context, settings, &[maintenance::released()]).await?;
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

async fn note(context: &Context, settings: &mut BMCSettings, wishes: &[Wish]) -> Result<(), Error> {
    let old = settings.written();
    let mut new = old.clone();
    for wish in wishes {
        conditions::set(&mut new.conditions, wish, context.now());
    }
    *settings = object::write_status(context, settings, &old, &new).await?;
    Ok(())
}

/// Written again after a crash, the settings are what they were.
async fn apply(
    context: &Context,
    settings: &mut BMCSettings,
    maintenances: &Maintenances,
    changes: &Map<String, Value>,
    notes: Vec<Wish>,
) -> Result<bool, Error> {
    let Some(bmc) = context.caches.bmcs.get(&settings.spec.bmc_ref.name) else {
        return Ok(false);
    };
    let (client, manager) = manager(context, &bmc).await?;
    if !maintenances.confirm(context).await? {
        return Ok(false);
    }
    tracing::info!(bmcsettings = %settings.name_any(), settings = changes.len(), "writing settings of a BMC");
    match client.set_manager_attributes(&manager.uri, changes).await {
        Ok(()) => note(context, settings, &notes).await.map(|()| true),
        Err(error) => {
            // A BMC may repeat a value in what it says, and a value may be a secret.
            let refused = match &error {
                BmcError::Http { status, sent: true, .. } if *status < 500 => Some(*status),
                _ => None,
            };
            tracing::warn!(bmcsettings = %settings.name_any(), class = error.result_label(), "the BMC has not taken settings");
            if let Some(status) = refused {
                let message = format!("The BMC has refused the settings with HTTP {status}");
                let old = settings.written();
                let mut new = old.clone();
                let wish = Wish::no("ChangesIssued", "ChangesRefused", message);
                conditions::set(&mut new.conditions, &wish, context.now());
                new.state = Some(SettingsState::Failed);
                *settings = object::write_status(context, settings, &old, &new).await?;
            }
            Ok(false)
        }
    }
}

/// What is gone, nobody works on.
async fn is_at_work(context: &Context, settings: &BMCSettings) -> Result<bool, Error> {
    let state = settings.status.as_ref().and_then(|status| status.state.as_ref());
    if state != Some(&SettingsState::InProgress)
        || object::request(settings) == Some(keys::operation::ALLOW_IN_PROGRESS_DELETE)
    {
        return Ok(false);
    }
    let api: Api<BMC> = context.api();
    if api.get_opt(&settings.spec.bmc_ref.name).await?.is_none() {
        return Ok(false);
    }
    let maintenances = Maintenances::look(context, settings, &servers(context, settings), true);
    Ok(matches!(maintenances.permit(), Permit::Granted(_)))
}
