//! BMCs have few session slots, and keep a forgotten session for half an hour: whoever ends in an orderly way closes them all.
//! A crash leaves sessions behind that the next instance cannot know; those that were open at a crash do not count.

use super::{Breach, Invariant, Scene};
use crate::testbed::OperatorAction;
use bmc_emulator::{MachineEvent, MachineEventKind, MachineTruth};
use std::collections::{BTreeMap, BTreeSet};

/// Open sessions by machine, and those a crash has orphaned.
#[derive(Default)]
pub struct SessionsClosed {
    open: BTreeSet<(String, String)>,
    orphaned: BTreeSet<(String, String)>,
}

impl Invariant for SessionsClosed {
    fn name(&self) -> &'static str {
        "every BMC session is closed at the end"
    }

    fn machine(&mut self, event: &MachineEvent, _: &Scene<'_>) -> Vec<Breach> {
        match &event.kind {
            MachineEventKind::SessionOpened { session, .. } => {
                self.open.insert((event.machine.clone(), session.clone()));
            }
            MachineEventKind::SessionClosed { session, .. } => {
                self.open.remove(&(event.machine.clone(), session.clone()));
            }
            _ => {}
        }
        Vec::new()
    }

    fn operator(&mut self, action: OperatorAction) {
        if action == OperatorAction::Crash {
            self.orphaned.extend(self.open.iter().cloned());
        }
    }

    fn at_end(&mut self, _: &Scene<'_>, machines: &BTreeMap<String, MachineTruth>, _: &[&str]) -> Vec<Breach> {
        machines
            .iter()
            .filter_map(|(name, truth)| {
                let left: Vec<&str> = truth
                    .sessions
                    .iter()
                    .filter(|session| !self.orphaned.contains(&(name.clone(), (*session).clone())))
                    .map(String::as_str)
                    .collect();
                (!left.is_empty()).then(|| {
                    Breach::new(
                        format!(
                            "{} sessions are still open on the BMC of {name}: {}",
                            left.len(),
                            left.join(", ")
                        ),
                        [format!("machine {name}")],
                    )
                })
            })
            .collect()
    }
}
