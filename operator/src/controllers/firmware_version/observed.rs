//! What a decision is made from, without I/O, and what it asks for.

use crds::{Power, VersionStatus, VersionTemplate};
use jiff::Timestamp;

use crate::bmc::{Component, ReportedPower, TaskReport, TaskState};
use crate::conditions::Wish;
use crate::controllers::firmware::Limits;
use crate::controllers::firmware::maintenance::Permit;
use crate::controllers::firmware::pass;
use crate::controllers::firmware::restart::Restart;
use crate::identity::TaskUri;

/// The task of the update, as seen in this pass.
#[derive(Clone, Debug)]
pub enum TaskLook {
    Seen(TaskReport),
    /// The BMC knows no such task: neither success nor failure (bugs.md #105).
    Gone,
}

/// The machine as read in this pass.
#[derive(Clone, Debug)]
pub struct Reading {
    pub version: Option<String>,
    /// Of the host.
    pub power: ReportedPower,
    /// Whether an update waits for a restart already.
    pub staged: bool,
    /// What the BMC lists; `None` if it has no list.
    pub tasks: Option<Vec<(TaskUri, TaskState)>>,
    /// `None` while there is no task to look at, or it could not be read.
    pub task: Option<TaskLook>,
}

/// One look.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub component: Component,
    pub template: &'a VersionTemplate,
    pub status: VersionStatus,
    pub generation: Option<i64>,
    /// Whether somebody has changed what is wanted.
    pub changed: bool,
    pub request: Option<&'a str>,
    pub now: Timestamp,
    pub limits: &'a Limits,
    /// Whether the server or BMC is there.
    pub has_target: bool,
    /// Whether the object says that it has asked for maintenances.
    pub has_references: bool,
    pub permit: Permit,
    /// The restart of the BMC before the update.
    pub restart: Restart,
    /// The restart of the BMC after its own update.
    pub reboot: Restart,
    pub reading: Option<Reading>,
}

/// What a decision asks for, besides the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Effect {
    #[default]
    Nothing,
    RequestMaintenance,
    /// The maintenances say which power the machine has to have.
    SetPower(Power),
    /// Ask the BMC to restart, then note it.
    RestartBmc(Wish),
    /// Record the update, then send it.
    Send {
        /// Tasks that the BMC has already.
        known: Vec<String>,
    },
    /// Give the maintenances back.
    Release,
    /// Remove the request that was honoured.
    ClearRequest,
}

/// What is decided.
pub type Decision = pass::Decision<VersionStatus, Effect>;
