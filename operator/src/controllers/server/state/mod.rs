//! One file per state, each with a pure `decide`. This table is the state machine of contract section 3.4 with Cleanup:
//!
//! | from | to | when |
//! |---|---|---|
//! | (none) | Reserved | a claim holds the server, or left residue behind |
//! | (none) | Cleanup | residue without a reference |
//! | (none) | Initial | otherwise |
//! | Initial | Discovery | machine off, inventory taken, boot configuration made |
//! | Discovery | Available | the probe of this epoch registered |
//! | Discovery | Initial | it did not within the timeout |
//! | Available | Reserved | a claim bound it |
//! | Reserved | Cleanup | claim gone, machine proven off |
//! | Reserved | Released | the same with `reclaimPolicy: Retain` |
//! | Reserved | Available | the same with cleanup policy `Skip` |
//! | Released | Cleanup | an administrator cleared the reference, or the policy |
//! | Cleanup | Available | every drive proven erased |
//! | Reserved, Released, Cleanup | Initial | instead of Available, when the inventory was lost |
//! | Cleanup | Error | a drive, the BIOS or the time ran out |
//! | Error | Cleanup | annotation `retry` |
//! | Available, Reserved | Parked | operation `park`, machine off |
//! | Parked | Reserved, Cleanup, Available | operation `unpark`, inventory taken |
//! | all but Cleanup, Parked | Maintenance | a maintenance got the server |
//! | Maintenance | Reserved, Cleanup, Error, Available, Initial | it is over, the machine was put back, inventory taken |

mod available;
mod cleanup;
mod discovery;
mod error;
mod initial;
mod maintenance;
mod network_boot;
mod parked;
mod released;
mod reserved;
#[cfg(test)]
mod testing;
mod unset;

pub use cleanup::{Needs as CleanupNeeds, needs as cleanup_needs};
pub(super) use reserved::HOLDER_FOUND;

use crds::ServerState;

use super::decision::{Decision, Step};
use super::observed::Observed;
use crate::ownership::reservation::Change;
use crate::sabotage::{self, Bug};

/// Decides for the state the server is in.
pub fn decide(observed: &Observed<'_>) -> Decision {
    if observed.server.spec.power.is_some() {
        return Step::Change(Change::ClearPower).into();
    }
    if let Some(decision) = maintenance::approach(observed) {
        return decision;
    }
    if let Some(decision) = parked::approach(observed) {
        return decision;
    }
    let decision = in_state(observed);
    // Its creation arrived after everybody had given it up. Nobody will boot from it, and its Secrets hold a token. In the other states it is made, or made anew.
    let settled = matches!(
        observed.status().state,
        Some(ServerState::Available | ServerState::Reserved | ServerState::Released)
    );
    // Incidents 74 and 165.
    let kept = sabotage::active(Bug::DiscoveryConfigKept);
    let stray = observed.own_boot_exists && !observed.has_own_boot_reference();
    if settled && stray && decision.step == Step::Rest && !kept {
        return Decision {
            step: Step::DiscardBoot,
            ..decision
        };
    }
    decision
}

fn in_state(observed: &Observed<'_>) -> Decision {
    match observed.status().state.as_ref() {
        None => unset::decide(observed),
        Some(ServerState::Initial) => initial::decide(observed),
        Some(ServerState::Discovery) => discovery::decide(observed),
        Some(ServerState::Available) => available::decide(observed),
        Some(ServerState::Reserved) => reserved::decide(observed),
        Some(ServerState::Cleanup) => cleanup::decide(observed),
        Some(ServerState::Released) => released::decide(observed),
        Some(ServerState::Error) => error::decide(observed),
        Some(ServerState::Maintenance) => maintenance::decide(observed),
        // One that is still parked does not come here.
        Some(ServerState::Parked) => parked::resume(observed),
        // A state of another version of the operator: hands off.
        Some(ServerState::Other(_)) => Step::Rest.into(),
    }
}

/// Where a server goes that is not where its spec says it should be; `None` when nothing but the state itself decides.
fn by_tenancy(observed: &Observed<'_>) -> Option<ServerState> {
    use crate::ownership::reservation::Tenancy;
    match Tenancy::of(observed.server) {
        Tenancy::Free => None,
        Tenancy::Held | Tenancy::Unfenced => Some(ServerState::Reserved),
        // A retained server keeps its reference; which of Cleanup and Released it is, Reserved decides.
        Tenancy::Residue { .. } if observed.server.spec.server_claim_ref.is_some() => Some(ServerState::Reserved),
        Tenancy::Residue { .. } => Some(ServerState::Cleanup),
    }
}
