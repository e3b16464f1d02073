//! What a decision is made from, without I/O, and what it asks for.

use crds::BMCSettings;
use crds::kinds::bmc_settings::BMCSettingsStatus;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::bmc::ReportedPower;
use crate::bmc::manager_attributes::ManagerAttributes;
use crate::conditions::Wish;
use crate::controllers::firmware::Limits;
use crate::controllers::firmware::maintenance::Permit;
use crate::controllers::firmware::pass;
use crate::controllers::firmware::restart::Restart;

/// Whether the BMC takes its settings from this object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// There is no such BMC (yet).
    NoBmc,
    /// From none, from one that is gone, or from one for an earlier version that is not at work.
    Free,
    Own,
    /// From another one.
    Other(String),
}

/// The BMC as read in this pass.
#[derive(Clone, Debug)]
pub struct Reading {
    pub version: Option<String>,
    pub power: ReportedPower,
    /// `None` where the vendor has no attributes.
    pub attributes: Option<ManagerAttributes>,
}

/// One look.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub settings: &'a BMCSettings,
    pub now: Timestamp,
    pub limits: &'a Limits,
    pub binding: Binding,
    pub permit: Permit,
    /// The restart before the settings are written.
    pub restart: Restart,
    /// The restart after it.
    pub reset: Restart,
    /// The settings with the values of their variables, or why there are none. Values may be secrets.
    pub wanted: Result<BTreeMap<String, String>, String>,
    pub reading: Option<Reading>,
}

/// What a decision asks for, besides the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Effect {
    #[default]
    Nothing,
    /// The BMC takes its settings from this object.
    Bind,
    RequestMaintenance,
    /// Ask the BMC to restart, then note it.
    RestartBmc(Wish),
    /// Write these attributes, then note it.
    Apply {
        changes: Map<String, Value>,
        notes: Vec<Wish>,
    },
    /// Give the maintenances back.
    Release,
    /// Remove the request that was honoured.
    ClearRequest,
}

/// What is decided.
pub type Decision = pass::Decision<BMCSettingsStatus, Effect>;
