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
use std::time::Duration;

use crds::firmware::VersionState;
use crds::{BIOSVersion, BMCVersion, ServerMaintenance, keys};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::firmware::maintenance::{self, Maintenances, Permit};
use super::firmware::object::{self, Fresh};
use super::firmware::{Limits, restart};
use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::conditions;
use crate::context::{Context, is_conflict};
use machine::Versioned;
use observed::{Decision, Effect, Next, Observed, Reading, TaskLook};

/// Steps of one pass. A pass goes on as long as its steps only write to the API server; this bounds a mistake.
const STEPS_PER_PASS: usize = 16;

/// One pass over one BIOSVersion.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bios(context: Arc<Context>, cached: Arc<BIOSVersion>) -> Result<Action, Error> {
    reconcile(&context, &cached).await
}

/// One pass over one BMCVersion.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile_bmc(context: Arc<Context>, cached: Arc<BMCVersion>) -> Result<Action, Error> {
    reconcile(&context, &cached).await
}

async fn reconcile<K: Versioned>(context: &Context, cached: &Arc<K>) -> Result<Action, Error> {
    let soon = context.settings.resource.interval;
    let version = match object::fresh(context, cached).await? {
        Fresh::Current(version) => version,
        Fresh::Lagging => return Ok(Action::requeue(soon)),
        Fresh::Gone => return Ok(Action::await_change()),
    };
    let (key, resource_version) = (object::key(&version), version.resource_version());
    if let Some(left) = context.firmware_turns.begin(&key, resource_version.as_deref()) {
        return Ok(Action::requeue(left));
    }
    match pass(context, version).await {
        Ok(pause) => Ok(Action::requeue(pause)),
        Err(Error::Kube(error)) if is_conflict(&error) => {
            context.own_writes.was_stale(&key, resource_version.as_deref());
            Ok(Action::requeue(soon))
        }
        Err(error) => Err(error),
    }
}

async fn pass<K: Versioned>(context: &Context, mut version: K) -> Result<Duration, Error> {
    let limits = Limits::from(&context.options);
    let deleting = version.meta().deletion_timestamp.is_some();
    if deleting && !is_at_work(context, &version).await? {
        return delete(context, &version).await;
    }
    if is_ignored(&version) {
        return Ok(limits.resync);
    }
    if !deleting && let Some(written) = ensure_finalizer(&context.api(), &version, K::FINALIZER).await? {
        object::wrote(context, &written);
        version = written;
    }
    for _ in 0..STEPS_PER_PASS {
        let (decision, maintenances, asked) = decide(context, &version, &limits).await?;
        version = object::write_status(context, &version, &version.status(), &decision.status).await?;
        let done = perform(context, &mut version, &maintenances, decision.effect).await?;
        match decision.next {
            Next::GoOn if done => {}
            Next::GoOn => return Ok(limits.interval),
            Next::Wait(pause) => {
                // Nothing that happens elsewhere is a reason to ask the BMC again before its time.
                if asked && pause > limits.interval {
                    let resource_version = version.resource_version();
                    context
                        .firmware_turns
                        .settle(&object::key(&version), resource_version.as_deref(), pause);
                }
                return Ok(pause);
            }
        }
    }
    Ok(limits.interval)
}

/// Looks at the world as far as the decision needs it. Also tells whether the BMC was asked.
async fn decide<K: Versioned>(
    context: &Context,
    version: &K,
    limits: &Limits,
) -> Result<(Decision, Maintenances, bool), Error> {
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
    Ok((state::decide(&observed), maintenances, needed))
}

async fn read<K: Versioned>(context: &Context, version: &K, status: &crds::VersionStatus) -> Result<Reading, Error> {
    let machine = version.look(context).await?;
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

/// Carries an effect out. `false`: it is not done yet.
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

/// Whether the object works on its machines, so that its deletion has to wait. What is gone, nobody works on.
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

async fn delete<K: Versioned>(context: &Context, version: &K) -> Result<Duration, Error> {
    let servers = version.servers(context);
    let (version, gone) = maintenance::release(context, version, &servers, K::MANY).await?;
    if !gone {
        return Ok(context.settings.resource.interval);
    }
    remove_finalizer(&context.api(), &version, K::FINALIZER).await?;
    context.firmware_turns.forget(&object::key(&version));
    Ok(context.settings.resync)
}
