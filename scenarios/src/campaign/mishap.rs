//! What a fault does to a world when it begins, and how it ends.

use super::arena::Arena;
use super::class::FaultClass;
use super::forger;
use crate::net::disturbance::{Disturbance, Trouble};
use crate::script::kinds;
use crate::testbed::{OperatorAction, TestbedError};
use bmc_emulator::{AdminAction, Fault, FaultId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The particulars of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Mishap {
    /// Something about a connection.
    Link { disturbance: Disturbance },
    /// A fault of a machine or its BMC.
    Machine { machine: String, fault: Fault },
    /// Something is done to a machine, and undone in the end.
    Hands {
        machine: String,
        action: AdminAction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<AdminAction>,
    },
    /// Somebody in the network of machines speaks in the name of one.
    Forge { machine: String },
    /// The watch cache of API front ends falls behind: of all kinds, or of one.
    WatchLag {
        milliseconds: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
    },
    /// All watches end.
    CutWatches,
    /// The API server forgets what was before.
    ForgetHistory,
    /// Watches deliver nothing, and expire at this age.
    SilenceWatches { milliseconds: u64 },
    /// API front ends restart.
    RestartApi,
    /// The status of all objects of these kinds is gone, in this order.
    LoseStatus { kinds: Vec<String> },
    /// Everything is lost. Servers are back at once, these kinds one after the other, so long apart.
    RestoreCluster { kinds: Vec<String>, milliseconds: u64 },
    /// The clock of the API server is so much ahead of all others, or behind.
    SkewApi { seconds: i64 },
    /// The operator crashes and starts again in the end.
    CrashOperator,
    /// The operator stops in an orderly way and starts again in the end.
    RestartOperator,
    /// A second operator starts; the first one stops in the end.
    UpgradeOperator,
    /// The oldest operator is suspended, a second one starts; the first one wakes up in the end, and stops a while later.
    SuspendOperator,
}

/// A fault that goes on.
pub(super) enum Ongoing {
    Nothing,
    Link(u64),
    Machine(String, FaultId),
    Undo(String, AdminAction),
    Forged(JoinSet<()>),
    Lag(Option<String>),
    Silence,
    Skew,
    Restarted(u64),
    StartOperator,
    StopOldest,
    Woken(u64),
}

impl Mishap {
    /// The machine it happens to.
    pub(super) fn machine(&self) -> Option<&str> {
        let machine = match self {
            Self::Machine { machine, .. } | Self::Hands { machine, .. } | Self::Forge { machine } => machine.as_str(),
            Self::Link { disturbance } => disturbance.to.0.strip_prefix("bmc/")?,
            _ => return None,
        };
        (!machine.ends_with('*')).then_some(machine)
    }

    /// Whether it is over as soon as it has begun.
    pub(super) fn is_instant(&self) -> bool {
        matches!(
            self,
            Self::CutWatches
                | Self::ForgetHistory
                | Self::LoseStatus { .. }
                | Self::RestoreCluster { .. }
                | Self::Hands { undo: None, .. }
        )
    }

    /// Begins it. What was to be disturbed and is not there any more (an operator that crashed already, say) makes it nothing.
    pub(super) async fn begin(&self, arena: &Arena, id: u64, lasts: Duration) -> Result<Ongoing, TestbedError> {
        let ends = Instant::now() + lasts;
        Ok(match self {
            Self::Link { disturbance } => {
                arena.network.disturb(id, disturbance.clone(), ends);
                Ongoing::Link(id)
            }
            Self::Machine { machine, fault } => match arena.inject(machine, fault.clone())? {
                Some(fault) => Ongoing::Machine(machine.clone(), fault),
                None => Ongoing::Nothing,
            },
            Self::Hands { machine, action, undo } => {
                arena.hands(machine, action.clone())?;
                undo.as_ref()
                    .map_or(Ongoing::Nothing, |undo| Ongoing::Undo(machine.clone(), undo.clone()))
            }
            Self::Forge { machine } => match forger::begin(arena, machine) {
                Some(forger) => Ongoing::Forged(forger),
                None => Ongoing::Nothing,
            },
            Self::WatchLag { milliseconds, resource } => {
                let lag = Duration::from_millis(*milliseconds);
                arena.lag(resource.as_deref(), Some(lag));
                Ongoing::Lag(resource.clone())
            }
            Self::CutWatches => {
                arena.front_ends().for_each(kube_emulator::FrontEnd::disconnect_watches);
                Ongoing::Nothing
            }
            Self::ForgetHistory => {
                arena.front_ends().for_each(kube_emulator::FrontEnd::forget_history);
                Ongoing::Nothing
            }
            Self::SilenceWatches { milliseconds } => {
                let patience = Duration::from_millis(*milliseconds);
                arena
                    .front_ends()
                    .for_each(|front_end| front_end.set_silence(Some(patience)));
                Ongoing::Silence
            }
            Self::RestartApi => {
                let disturbance = Disturbance {
                    from: "*".into(),
                    to: "api".into(),
                    trouble: Trouble::Refuse,
                    percent: 100,
                };
                arena.network.disturb(id, disturbance, ends);
                for front_end in arena.front_ends() {
                    front_end.forget_history();
                    front_end.disconnect_watches();
                }
                Ongoing::Restarted(id)
            }
            Self::LoseStatus { kinds } => {
                for kind in kinds {
                    arena.lose_status(kind);
                }
                Ongoing::Nothing
            }
            Self::RestoreCluster { kinds, milliseconds } => {
                restore(arena, kinds, Duration::from_millis(*milliseconds)).await?;
                Ongoing::Nothing
            }
            Self::SkewApi { seconds } => {
                arena.world.skew_api(*seconds);
                Ongoing::Skew
            }
            Self::CrashOperator => match arena.operator(OperatorAction::Crash).await {
                true => Ongoing::StartOperator,
                false => Ongoing::Nothing,
            },
            Self::RestartOperator => match arena.operator(OperatorAction::Stop).await {
                true => Ongoing::StartOperator,
                false => Ongoing::Nothing,
            },
            Self::UpgradeOperator => match arena.operator(OperatorAction::StartAnother).await {
                true => Ongoing::StopOldest,
                false => Ongoing::Nothing,
            },
            Self::SuspendOperator => {
                let Some(oldest) = arena.world.oldest_operator().await else {
                    return Ok(Ongoing::Nothing);
                };
                let disturbance = Disturbance {
                    from: format!("operator-{oldest}").as_str().into(),
                    to: "*".into(),
                    trouble: Trouble::Hold,
                    percent: 100,
                };
                arena.network.disturb(id, disturbance, ends);
                arena.operator(OperatorAction::StartAnother).await;
                Ongoing::Woken(id)
            }
        })
    }
}

/// Loses and restores everything that the operator works with. What is deleted between is not there to be deleted again.
async fn restore(arena: &Arena, kinds: &[String], pause: Duration) -> Result<(), TestbedError> {
    let backup = arena.cluster.revision();
    let failed = |error| TestbedError::failed("the cluster cannot be restored", error);
    let known =
        |kind: &str| kinds::find(kind).ok_or_else(|| TestbedError::failed("a plan names an unknown kind", kind));
    let server = known("Server")?;
    arena.cluster.lose(server.group, server.plural).map_err(failed)?;
    for kind in kinds {
        let kind = known(kind)?;
        arena.cluster.lose(kind.group, kind.plural).map_err(failed)?;
    }
    arena
        .cluster
        .restore(server.group, server.plural, backup)
        .map_err(failed)?;
    for kind in kinds {
        tokio::time::sleep(pause).await;
        let kind = known(kind)?;
        arena.cluster.restore(kind.group, kind.plural, backup).map_err(failed)?;
    }
    Ok(())
}

impl Ongoing {
    /// Ends it.
    pub(super) async fn end(self, arena: &Arena) -> Result<(), TestbedError> {
        match self {
            Self::Nothing => {}
            Self::Link(id) | Self::Restarted(id) => {
                arena.network.calm(id);
            }
            Self::Machine(machine, fault) => arena.remove_fault(&machine, fault),
            Self::Forged(forger) => drop(forger),
            Self::Undo(machine, undo) => arena.hands(&machine, undo)?,
            Self::Lag(resource) => arena.lag(resource.as_deref(), None),
            Self::Skew => arena.world.skew_api(0),
            Self::Silence => arena.front_ends().for_each(|front_end| front_end.set_silence(None)),
            Self::StartOperator => {
                arena.operator(OperatorAction::Start).await;
            }
            Self::StopOldest => {
                arena.retire_oldest().await;
            }
            Self::Woken(id) => {
                arena.network.calm(id);
                // It goes on as if nothing had happened, until it notices.
                tokio::time::sleep(super::arena::AWAKE).await;
                arena.retire_oldest().await;
            }
        }
        Ok(())
    }
}

/// What a report calls a fault.
pub(super) fn title(class: FaultClass, mishap: &Mishap) -> String {
    match mishap {
        Mishap::Link { disturbance } => format!("{class}: {} → {}", disturbance.from.0, disturbance.to.0),
        Mishap::WatchLag { milliseconds, resource } => format!(
            "{class}: {} by {milliseconds} ms",
            resource.as_deref().unwrap_or("everything")
        ),
        _ => match mishap.machine() {
            Some(machine) => format!("{class}: {machine}"),
            None => class.to_string(),
        },
    }
}
