//! S15: a password goes over the network to log in, and never again: BMCs have sessions for that.

use super::{Breach, Invariant, Scene};
use bmc_emulator::{MachineEvent, MachineEventKind};

/// Every BMC of a scenario has a SessionService.
#[derive(Default)]
pub struct LoginOnly;

impl Invariant for LoginOnly {
    fn name(&self) -> &'static str {
        "passwords are sent to log in only"
    }

    fn machine(&mut self, event: &MachineEvent, _: &Scene<'_>) -> Vec<Breach> {
        let MachineEventKind::BasicAuthenticated { user } = &event.kind else {
            return Vec::new();
        };
        let message = format!(
            "a request to the BMC of {} carried the password of {user}",
            event.machine
        );
        vec![Breach::new(message, [format!("machine {}", event.machine)])]
    }
}
