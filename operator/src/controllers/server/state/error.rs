//! Error: a cleanup failed. The machine stays off and unclaimable until somebody says `retry`.

use crds::ServerState;
use crds::keys;

use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::reservation::{Change, Tenancy, requested};
use crate::sabotage::{self, Bug};

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    let retry = requested(observed.server) == Some(keys::operation::RETRY);
    match Tenancy::of(observed.server) {
        Tenancy::Held | Tenancy::Unfenced => return Step::Enter(ServerState::Reserved).into(),
        Tenancy::Free if retry => return Step::Change(Change::ClearRequest).into(),
        // Nothing to wipe: an administrator decided that, or an older operator left the state behind.
        Tenancy::Free => return Step::Enter(ServerState::Initial).into(),
        // A new epoch: whatever the failed run's agent still says does not count. Off first: what runs may be the last tenant (S3).
        Tenancy::Residue { .. } if retry => {
            return power::off(observed, Force::AtOnce).unwrap_or_else(|| Step::Change(Change::BeginCleanup).into());
        }
        // Incident 90.
        Tenancy::Residue { .. } if sabotage::active(Bug::FailedCleanupForgiven) => {
            return Step::Change(Change::Vacate { at: observed.now }).into();
        }
        Tenancy::Residue { .. } => {}
    }
    let failed_in = observed.status().cleanup.as_ref().map(|cleanup| cleanup.epoch);
    if failed_in.is_some_and(|failed_in| failed_in < observed.epoch()) {
        return Step::Enter(ServerState::Cleanup).into();
    }
    // The old operating system must not come back to life on a machine that is not clean (bugs.md #90).
    // Incident 90.
    if !sabotage::active(Bug::FailedCleanupLeftRunning)
        && let Some(decision) = power::off(observed, Force::AtOnce)
    {
        return decision;
    }
    match observed.boot {
        BootView::Missing => Step::Rest.into(),
        _ => Step::DiscardBoot.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::{ReportedPower, ResetType};
    use crate::ownership::operation::Operation;
    use crds::kinds::server_cleanup::CleanupState;

    fn world() -> World {
        World::releasing()
            .in_state(ServerState::Error)
            .power(ReportedPower::Off)
            .cleanup(|cleanup| cleanup.state = CleanupState::Failed)
    }

    #[test]
    fn stays_off_until_asked() {
        assert_eq!(world().decide().step, Step::Rest);
        assert_eq!(
            world().power(ReportedPower::On).decide().step,
            World::first(Operation::Reset(ResetType::ForceOff))
        );
        assert_eq!(world().boot(BootView::Ready).decide().step, Step::DiscardBoot);
    }

    #[test]
    fn retry_takes_a_new_epoch_first() {
        let world = world().request(keys::operation::RETRY);
        assert_eq!(world.decide().step, Step::Change(Change::BeginCleanup));
        let running = world.power(ReportedPower::On);
        assert_eq!(
            running.decide().step,
            World::first(Operation::Reset(ResetType::ForceOff))
        );
        let mut world = self::world();
        world.server.spec.tenancy_epoch = Some(world.server.tenancy_epoch() + 1);
        assert_eq!(world.decide().step, Step::Enter(ServerState::Cleanup));
    }

    #[test]
    fn without_residue_it_is_discovered_anew() {
        let world = World::free().in_state(ServerState::Error).power(ReportedPower::Off);
        assert_eq!(world.decide().step, Step::Enter(ServerState::Initial));
        let asked = world.request(keys::operation::RETRY);
        assert_eq!(asked.decide().step, Step::Change(Change::ClearRequest));
    }
}
