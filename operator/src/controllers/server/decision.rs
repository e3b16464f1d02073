//! What a state decides. One step at a time: whatever the step changes wakes the next pass.

use std::time::Duration;

use crds::ServerState;
use crds::kinds::server_cleanup::CleanupStatus;

use crate::conditions::Wish;
use crate::ownership::operation::Operation;
use crate::ownership::reservation::Change;
use crate::registry::Purpose;

/// A step and the conditions that explain it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub step: Step,
    pub conditions: Vec<Wish>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Everything is as it should be; look again at the resync interval.
    Rest,
    /// Something is under way; look again after this time at the latest.
    Wait(Duration),
    /// Write `status.state`.
    Enter(ServerState),
    /// Discovery ended: network interfaces to status, `Available`.
    AcceptRegistration,
    /// Discovery did not end in time: counted, `Initial`.
    RestartDiscovery,
    /// Inventory and baseline boot order to status.
    RecordInventory,
    /// Write a change of holder (or of another part of spec).
    Change(Change),
    /// Record and send a disruptive BMC operation.
    Send { operation: Operation, attempt: i32 },
    /// Make the operator's own boot configuration and its secrets for this epoch.
    PrepareBoot(Purpose),
    /// Delete the operator's own boot configuration.
    DiscardBoot,
    /// Write evidence of a cleanup.
    RecordCleanup(Box<CleanupStatus>),
    /// Write evidence of a cleanup that failed, `Error`, and say so in an event.
    FailCleanup {
        cleanup: Box<CleanupStatus>,
        reason: String,
    },
}

impl From<Step> for Decision {
    fn from(step: Step) -> Self {
        Self {
            step,
            conditions: Vec::new(),
        }
    }
}

impl Decision {
    /// Adds a condition.
    pub fn because(mut self, wish: Wish) -> Self {
        self.conditions.push(wish);
        self
    }
}
