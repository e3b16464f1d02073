//! What a decision is made from, without I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::firmware::SettingsState;
use crds::kinds::bios_settings::{BIOSSettingsStatus, SettingsFlowItem};
use crds::{BIOSSettings, Power};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::bmc::{AttributeRegistry, Bios, ReportedPower};
use crate::conditions::Wish;
use crate::controllers::firmware::Limits;
use crate::controllers::firmware::maintenance::Permit;
use crate::controllers::firmware::pass;
use crate::controllers::firmware::restart::Restart;

/// Whether the server takes its settings from this object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// There is no such server (yet).
    NoServer,
    /// From none, from one that is gone, or from one for an earlier version that is not at work.
    Free,
    Own,
    /// From another one.
    Other(String),
}

/// The machine as read in this pass.
#[derive(Clone, Debug)]
pub struct Reading {
    pub power: ReportedPower,
    pub version: Option<String>,
    /// `None` where the system has no BIOS settings.
    pub bios: Option<Bios>,
    pub registry: Arc<AttributeRegistry>,
}

/// One look.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub settings: &'a BIOSSettings,
    pub now: Timestamp,
    pub limits: &'a Limits,
    pub binding: Binding,
    pub permit: Permit,
    pub restart: Restart,
    /// `None` where nothing had to be read, or the BMC could not be asked.
    pub reading: Option<Reading>,
}

impl Observed<'_> {
    pub fn status(&self) -> BIOSSettingsStatus {
        self.settings.status.clone().unwrap_or_default()
    }

    pub fn state(&self) -> SettingsState {
        let state = self.settings.status.as_ref().and_then(|status| status.state.clone());
        state.unwrap_or(SettingsState::Pending)
    }

    /// The flow, in the order in which it is applied.
    pub fn flow(&self) -> Vec<&SettingsFlowItem> {
        let mut items: Vec<_> = self.settings.spec.template.settings_flow.iter().collect();
        items.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        items
    }

    /// All attributes of the flow.
    pub fn wanted(&self) -> BTreeMap<String, String> {
        let items = self.settings.spec.template.settings_flow.iter();
        items.flat_map(|item| item.settings.clone()).collect()
    }
}

/// What a decision asks for, besides the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Effect {
    #[default]
    Nothing,
    /// The server takes its settings from this object.
    Bind,
    RequestMaintenance,
    /// The maintenances say which power the machine has to have.
    SetPower(Power),
    /// Ask the BMC to restart, then note it.
    RestartBmc(Wish),
    Stage {
        /// Of which item.
        item: String,
        changes: Map<String, Value>,
    },
    /// Give the maintenances back.
    Release,
    /// Remove the request that was honoured.
    ClearRequest,
}

/// What is decided.
pub type Decision = pass::Decision<BIOSSettingsStatus, Effect>;
