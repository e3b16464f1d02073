//! Initial: nobody holds the machine. It is turned off, looked over, and given to a discovery run.

use crate::conditions::Wish;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::pacing;
use crate::ownership::reservation::Change;
use crate::registry::Purpose;
use crate::sabotage::{self, Bug};
use crds::ServerState;

use super::by_tenancy;
use super::discovery::DISCOVERED;

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    // Incident 17.
    if let Some(state) = by_tenancy(observed)
        && !sabotage::active(Bug::LostStatusRediscovers)
    {
        return Step::Enter(state).into();
    }
    if observed.has_own_boot_reference() && observed.is_inventoried() {
        // The discovery run has its epoch already.
        return match observed.boot {
            BootView::Missing => Step::PrepareBoot(Purpose::Discovery).into(),
            _ => Step::Enter(ServerState::Discovery).into(),
        };
    }
    let Some(system) = observed.system else {
        return Step::Wait(observed.settings.resync).into();
    };
    if let Some(decision) = power::off(observed, Force::AfterAsking) {
        return decision;
    }
    if let Some(decision) = pause(observed) {
        return decision;
    }
    let status = observed.status();
    let up_to_date = status.manufacturer == system.manufacturer
        && status.serial_number == system.serial_number
        && status.bios_version == system.bios_version
        && Some(status.boot_order.as_slice()) == system.boot.boot_order.as_deref().or(Some(&[]));
    if !up_to_date || !observed.is_inventoried() {
        return Step::RecordInventory.into();
    }
    Step::Change(Change::StartDiscovery {
        boot: observed.own_boot_reference(),
    })
    .into()
}

/// Discovery that failed before is repeated ever more rarely, but for ever: what is plugged in tomorrow must be found.
fn pause(observed: &Observed<'_>) -> Option<Decision> {
    let attempts = observed.status().discovery_attempts.unwrap_or(0);
    // Incident 84.
    if attempts == 0 || sabotage::active(Bug::DiscoveryWithoutPause) {
        return None;
    }
    let pace = pacing::Pace {
        interval: observed.settings.resync,
        longest_pause: observed.settings.discovery_timeout,
        ..observed.settings.resource
    };
    let left = pacing::pause(attempts, &pace).checked_sub(observed.time_in_state())?;
    if left.is_zero() {
        return None;
    }
    let minutes = pacing::pause(attempts, &pace).as_secs().div_ceil(60);
    Some(Decision::from(Step::Wait(left)).because(Wish::no(
        DISCOVERED,
        "DiscoveryTimeout",
        format!(
            "No probe registered within {}s of network boot; {attempts} attempts so far, {minutes} min pause before the next",
            observed.settings.discovery_timeout.as_secs()
        ),
    )))
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::{ReportedPower, ResetType};
    use crate::ownership::operation::Operation;

    fn world() -> World {
        World::free().in_state(ServerState::Initial).power(ReportedPower::Off)
    }

    #[test]
    fn a_running_machine_is_asked_to_stop_then_stopped() {
        let running = world().power(ReportedPower::On);
        let ask = Operation::Reset(ResetType::GracefulShutdown);
        let force = Operation::Reset(ResetType::ForceOff);
        assert_eq!(running.decide().step, World::first(ask.clone()));
        assert!(matches!(
            running.clone().sent(&ask, 1).later(60).decide().step,
            Step::Wait(_)
        ));
        assert_eq!(
            running.clone().sent(&ask, 1).later(130).decide().step,
            World::first(force)
        );
    }

    #[test]
    fn an_unreadable_bmc_changes_nothing() {
        assert!(matches!(world().unreadable().decide().step, Step::Wait(_)));
        assert!(matches!(
            world().power(ReportedPower::Unknown).decide().step,
            Step::Wait(_)
        ));
    }

    #[test]
    fn inventory_then_epoch_then_boot_configuration_then_discovery() {
        let world = world();
        assert_eq!(world.decide().step, Step::RecordInventory);
        let world = world.inventoried();
        let Step::Change(Change::StartDiscovery { boot }) = world.decide().step else {
            panic!("{:?}", world.decide());
        };
        assert_eq!((boot.namespace.as_str(), boot.name.as_str()), ("metal", "node-0"));
        let mut lost = world.clone().boot(BootView::Pending);
        lost.server.status.as_mut().unwrap().total_system_memory = None;
        assert_eq!(
            lost.decide().step,
            Step::RecordInventory,
            "the inventory was lost in discovery"
        );
        let world = world.boot(BootView::Missing);
        assert_eq!(world.decide().step, Step::PrepareBoot(Purpose::Discovery));
        let world = world.boot(BootView::Pending);
        assert_eq!(world.decide().step, Step::Enter(ServerState::Discovery));
    }

    #[test]
    fn failed_attempts_are_paused_and_explained() {
        let mut world = world().inventoried();
        world.server.status.as_mut().unwrap().discovery_attempts = Some(2);
        let decision = world.decide();
        assert!(matches!(decision.step, Step::Wait(_)));
        assert_eq!(decision.conditions[0].reason, "DiscoveryTimeout");
        assert!(matches!(
            world.later(241).decide().step,
            Step::Change(Change::StartDiscovery { .. })
        ));
    }

    #[test]
    fn a_held_machine_is_never_discovered() {
        for world in [World::held(), World::releasing()] {
            let step = world
                .in_state(ServerState::Initial)
                .power(ReportedPower::On)
                .decide()
                .step;
            assert_eq!(step, Step::Enter(ServerState::Reserved));
        }
    }
}
