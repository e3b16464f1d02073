//! What is written and done while nothing should be.

use crate::testbed::WorldEvent;
use bmc_emulator::MachineEventKind;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts since the last [`Ledger::open`].
#[derive(Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    /// Writes by object and field manager.
    pub writes: BTreeMap<String, u64>,
    /// What disrupted machines, by machine.
    pub disruptions: BTreeMap<String, Vec<String>>,
    /// Requests that reached BMCs, by machine.
    pub requests: BTreeMap<String, u64>,
}

impl Ledger {
    /// A fresh page.
    pub(super) fn open(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Pages::default();
    }

    pub(super) fn read(&self) -> Pages {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn event(&self, event: &WorldEvent) {
        match event {
            // Leases are renewed for ever, and Events tell of other writes.
            WorldEvent::Kube(commit) if !matches!(commit.kind.as_str(), "Lease" | "Event") => {
                let by = commit.field_manager.as_deref().unwrap_or("nobody");
                let what = format!("{} {} by {by}", commit.kind, commit.name);
                let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *pages.writes.entry(what).or_default() += 1;
            }
            WorldEvent::Machine(event) if matches!(event.kind, MachineEventKind::RequestServed { .. }) => {
                let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *pages.requests.entry(event.machine.clone()).or_default() += 1;
            }
            WorldEvent::Machine(event) => {
                let what = match &event.kind {
                    MachineEventKind::ResetRequested { reset_type } => format!("reset {reset_type}"),
                    MachineEventKind::DriveEraseStarted { drive, .. } => format!("erasure of {drive}"),
                    MachineEventKind::BmcReset => "BMC reset".to_owned(),
                    _ => return,
                };
                let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                pages.disruptions.entry(event.machine.clone()).or_default().push(what);
            }
            _ => {}
        }
    }
}
