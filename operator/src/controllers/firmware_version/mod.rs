//! The controllers of BIOSVersion and BMCVersion: contract section 4.5. What both have in common is here; each kind says what is its own.
//!
//! | module | subject |
//! |---|---|
//! | [`state`], `task` | what is decided in each state, and from the task of the update. Pure |
//! | [`observed`] | what decisions are made from, and what they ask for |
//! | `send` | the update itself: recorded, sent once |
//! | `machine` | what a BIOSVersion or a BMCVersion works on |

mod machine;
pub mod observed;
mod send;
pub mod state;
mod task;

use std::sync::Arc;

use crds::firmware::VersionState;
use crds::{BIOSVersion, BMCVersion, ServerMaintenance, VersionStatus, keys};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::Error;
use super::firmware::maintenance::{self, Maintenances, Permit};
use super::firmware::object;
use super::firmware::pass::{self, Look, Worked};
use super::firmware::{Limits, restart};
use crate::conditions;
use crate::context::Context;
use machine::Versioned;
use observed::{Effect, Observed, Reading, TaskLook};

/// One pass over one BIOSVersion.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bios(context: Arc<Context>, cached: Arc<BIOSVersion>) -> Result<Action, Error> {
    pass::run(&context, &cached).await
}

/// One pass over one BMCVersion.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bmc(context: Arc<Context>, cached: Arc<BMCVersion>) -> Result<Action, Error> {
    pass::run(&context, &cached).await
}

impl<K: Versioned> Worked for K {
    type Status = VersionStatus;
    type Effect = Effect;

    fn written(&self) -> VersionStatus {
        self.status()
    }

    async fn is_at_work(&self, context: &Context) -> Result<bool, Error> {
        is_at_work(context, self).await
    }

    async fn look(&self, context: &Context, limits: &Limits) -> Result<Look<VersionStatus, Effect>, Error> {
        look(context, self, limits).await
    }

    async fn perform(&mut self, context: &Context, maintenances: &Maintenances, effect: Effect) -> Result<bool, Error> {
        perform(context, self, maintenances, effect).await
    }

    async fn give_back(&self, context: &Context) -> Result<Option<Self>, Error> {
        let (version, gone) = maintenance::release(context, self, &self.servers(context), K::MANY).await?;
        Ok(gone.then_some(version))
    }
}

async fn look<K: Versioned>(
    context: &Context,
    version: &K,
    limits: &Limits,
) -> Result<Look<VersionStatus, Effect>, Error> {
    let servers = version.servers(context);
    let maintenances = Maintenances::look(context, version, &servers, K::MANY);
    let bmc = version.bmc(context);
    let status = version.status();
    let restart = |type_| restart::decide(type_, &status.conditions, bmc.as_deref(), context.now(), limits.restart);
    let mut observed = Observed {
        component: K::COMPONENT,
        template: version.template(),
        generation: version.meta().generation,
        changed: object::is_changed(version),
        request: object::request(version),
        now: context.now(),
        limits,
        has_target: version.has_target(context),
        has_references: !version.references().is_empty(),
        permit: maintenances.permit(),
        restart: restart(state::RESET_ISSUED),
        reboot: restart(state::REBOOTED),
        reading: None,
        status: status.clone(),
    };
    let needed = state::needs_reading(&observed);
    if needed {
        match read(context, version, &status).await {
            Ok(reading) => observed.reading = Some(reading),
            Err(error @ (Error::Bmc(_) | Error::Access(_) | Error::SystemMissing { .. } | Error::Invalid(_))) => {
                tracing::warn!(object = object::key(version), %error, "the BMC cannot be asked now");
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

async fn read<K: Versioned>(context: &Context, version: &K, status: &VersionStatus) -> Result<Reading, Error> {
    let machine = version.read(context).await?;
    let mut reading = Reading {
        version: machine.version,
        power: machine.power,
        staged: false,
        tasks: None,
        task: None,
    };
    if status.state != Some(VersionState::InProgress) {
        return Ok(reading);
    }
    let task = status.upgrade_task.as_ref().and_then(|task| task.uri.clone());
    match &task {
        None => {
            reading.staged = machine.client.has_staged_firmware(K::COMPONENT).await?;
            reading.tasks = machine.client.tasks().await?;
        }
        Some(uri) => match machine.client.task(&crate::identity::TaskUri::new(uri.as_str())).await {
            Ok(report) => reading.task = Some(TaskLook::Seen(report)),
            Err(error) if error.is_not_found() => {
                reading.task = Some(TaskLook::Gone);
                reading.tasks = machine.client.tasks().await?;
            }
            Err(error) => tracing::warn!(object = object::key(version), %error, "the task cannot be read now"),
        },
    }
    Ok(reading)
}

async fn perform<K: Versioned>(
    context: &Context,
    version: &mut K,
    maintenances: &Maintenances,
    effect: Effect,
) -> Result<bool, Error> {
    match effect {
        Effect::Nothing => Ok(true),
        Effect::RequestMaintenance => {
            *version = maintenances.request(context, version).await?;
            Ok(false)
        }
        Effect::SetPower(power) => maintenances.set_power(context, &power).await.map(|()| true),
        Effect::RestartBmc(wish) => {
            if let Some(bmc) = version.bmc(context) {
                restart::request(context, &bmc).await?;
            }
            note(context, version, &wish).await?;
            Ok(false)
        }
        Effect::Send { known } => send::update(context, version, maintenances, known).await,
        Effect::Release => {
            let servers = version.servers(context);
            let (released, gone) = maintenance::release(context, version, &servers, K::MANY).await?;
            *version = released;
            if gone {
                note(context, version, &maintenance::released()).await?;
            }
            // The cache may still show the maintenance.
            Ok(false)
        }
        Effect::ClearRequest => {
            *version = object::clear_request(context, version).await?;
            Ok(true)
        }
    }
}

async fn note<K: Versioned>(context: &Context, version: &mut K, wish: &conditions::Wish) -> Result<(), Error> {
    let old = version.status();
    let mut new = old.clone();
    conditions::set(&mut new.conditions, wish, context.now());
    *version = object::write_status(context, version, &old, &new).await?;
    Ok(())
}

/// The update that this maintenance was asked for, if firmware may be written at this moment, or when the machine starts: it must not be
/// handed back in the midst of it (bugs.md #107). Every step of an update has its time, so it comes to an end.
pub fn update_under_way(context: &Context, maintenance: &ServerMaintenance) -> Option<String> {
    maintenance.owner_references().iter().find_map(|owner| {
        let status = match owner.kind.as_str() {
            "BIOSVersion" => {
                let version = context.caches.bios_versions.get(&owner.name)?;
                (version.uid().as_ref() == Some(&owner.uid)).then(|| version.status())?
            }
            "BMCVersion" => {
                let version = context.caches.bmc_versions.get(&owner.name)?;
                (version.uid().as_ref() == Some(&owner.uid)).then(|| version.status())?
            }
            _ => return None,
        };
        state::may_be_written(&status).then(|| format!("{} {}", owner.kind, owner.name))
    })
}

async fn is_at_work<K: Versioned>(context: &Context, version: &K) -> Result<bool, Error> {
    if version.status().state != Some(VersionState::InProgress)
        || object::request(version) == Some(keys::operation::ALLOW_IN_PROGRESS_DELETE)
        || version.is_target_gone(context).await?
    {
        return Ok(false);
    }
    let servers = version.servers(context);
    let maintenances = Maintenances::look(context, version, &servers, K::MANY);
    Ok(matches!(maintenances.permit(), Permit::Granted(_)))
}
