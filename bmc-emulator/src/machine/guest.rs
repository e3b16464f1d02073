//! The operating system of a machine, as the machine knows it: running or not, and what it says it is.

use std::time::Duration;

use serde::Serialize;

use super::truth::Execution;
use super::{Machine, Moment, Out};
use crate::event::MachineEventKind;

/// What a guest says it is. The words are those of whoever provides the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestIdentity {
    pub kind: String,
    pub label: String,
}

impl Machine {
    /// A guest runs from now on. Returns after how long it dies by itself, if it does.
    pub(crate) fn guest_started(&mut self, source: &str, moment: Moment) -> Option<Duration> {
        self.guest = None;
        self.execution = Execution::Guest {
            source: source.to_owned(),
        };
        self.event(
            moment.wall,
            MachineEventKind::GuestStarted {
                source: source.to_owned(),
            },
        );
        let life = self.faults.life_of_guest()?;
        Some(self.scaled(life))
    }

    pub(crate) fn guest_identified(&mut self, identity: GuestIdentity, moment: Moment) {
        let Execution::Guest { source } = &self.execution else {
            return;
        };
        let event = MachineEventKind::GuestIdentified {
            source: source.clone(),
            kind: identity.kind.clone(),
            label: identity.label.clone(),
        };
        self.guest = Some(identity);
        self.event(moment.wall, event);
    }

    /// The guest has ended, and the power stays on.
    pub(crate) fn guest_halted(&mut self, reason: String, moment: Moment) {
        self.event(moment.wall, MachineEventKind::GuestStopped { reason: reason.clone() });
        self.execution = Execution::Halted { reason };
    }

    /// The guest is cut off in the middle of what it does, and the power stays on.
    pub(crate) fn guest_dies(&mut self, moment: Moment) {
        self.generation += 1;
        let stop = std::mem::take(&mut self.stop);
        self.queue([Out::Stop(stop)]);
        self.guest_halted("the operating system died".to_owned(), moment);
    }
}
