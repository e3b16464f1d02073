//! Available: off, nothing on the drives, anybody may claim it.

use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::reservation::Change;
use crate::sabotage::{self, Bug};

use super::by_tenancy;

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    if let Some(state) = by_tenancy(observed) {
        return Step::Enter(state).into();
    }
    if observed.system.is_none() {
        return Step::Wait(observed.settings.resync).into();
    }
    if let Some(decision) = power::off(observed, Force::AfterAsking) {
        return decision;
    }
    // What discovery booted from goes, its secrets with it; then discovery is no longer the holder.
    if observed.has_own_boot_reference() {
        return match observed.boot {
            BootView::Missing => Step::Change(Change::EndDiscovery).into(),
            // Incidents 74 and 165.
            _ if sabotage::active(Bug::DiscoveryConfigKept) => Step::Change(Change::EndDiscovery).into(),
            _ => Step::DiscardBoot.into(),
        };
    }
    Step::Rest.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::World;
    use super::*;
    use crate::bmc::{ReportedPower, ResetType};
    use crate::ownership::operation::Operation;
    use crds::ServerState;

    fn world() -> World {
        World::free().in_state(ServerState::Available).power(ReportedPower::Off)
    }

    #[test]
    fn discovery_is_put_away_and_then_nothing_happens() {
        let probing = world().boot(BootView::Ready).power(ReportedPower::On);
        assert_eq!(
            probing.decide().step,
            World::first(Operation::Reset(ResetType::GracefulShutdown))
        );
        let off = probing.power(ReportedPower::Off);
        assert_eq!(off.decide().step, Step::DiscardBoot);
        assert_eq!(
            off.boot(BootView::Missing).decide().step,
            Step::Change(Change::EndDiscovery)
        );
        assert_eq!(world().decide().step, Step::Rest);
    }

    #[test]
    fn a_boot_configuration_that_came_too_late_goes_when_nothing_else_is_to_be_done() {
        let mut stray = world();
        stray.own_boot_exists = true;
        assert_eq!(stray.decide().step, Step::DiscardBoot);
        let running = stray.power(ReportedPower::On);
        assert_eq!(
            running.decide().step,
            World::first(Operation::Reset(ResetType::GracefulShutdown))
        );
    }

    #[test]
    fn a_claim_or_residue_moves_it_on_before_anything_is_powered() {
        for (world, state) in [
            (World::held(), ServerState::Reserved),
            (World::residue(), ServerState::Cleanup),
        ] {
            let step = world
                .in_state(ServerState::Available)
                .power(ReportedPower::On)
                .decide()
                .step;
            assert_eq!(step, Step::Enter(state));
        }
    }

    #[test]
    fn one_answer_is_no_proof_of_off() {
        let world = world().boot(BootView::Ready);
        assert_eq!(
            world.clone().power_since(2).decide().step,
            Step::Wait(Duration::from_secs(5))
        );
        assert_eq!(
            world.clone().power_since(14).decide().step,
            Step::Wait(Duration::from_secs(1))
        );
        assert_eq!(world.power_since(15).decide().step, Step::DiscardBoot);
    }

    #[test]
    fn off_is_no_proof_while_a_start_is_on_its_way() {
        let on = Operation::Reset(ResetType::On);
        let world = world().boot(BootView::Ready).sent(&on, 1);
        assert!(matches!(world.decide().step, Step::Wait(_)));
        assert_eq!(world.later(121).decide().step, Step::DiscardBoot);
    }
}
