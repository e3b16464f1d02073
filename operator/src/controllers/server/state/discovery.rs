//! Discovery: the probe boots and registers.

use crate::conditions::Wish;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::Observed;
use crate::registry::{Purpose, Registration};
use crate::sabotage::{self, Bug};

use super::{by_tenancy, network_boot};

/// Condition on a Server: what discovery waits for.
pub(super) const DISCOVERED: &str = "Discovered";

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    if let Some(state) = by_tenancy(observed) {
        return Step::Enter(state).into();
    }
    let overdue = observed.time_in_state() >= observed.settings.discovery_timeout;
    // Before the deadline is looked at: a registration at the last moment counts (bugs.md #83).
    if observed.registration.as_ref().is_some_and(|found| {
        // Incidents 83, 143 and 144.
        !(sabotage::active(Bug::DeadlineBeatsRegistration) && overdue
            || sabotage::active(Bug::FreshnessByMachineClock) && !fresh_by_machine_clock(observed, found)
            || sabotage::active(Bug::LldpRequired) && !has_neighbor(found))
    }) {
        return Decision::from(Step::AcceptRegistration).because(Wish::yes(
            DISCOVERED,
            "ProbeRegistered",
            "The probe of this discovery run registered",
        ));
    }
    // Also while the boot configuration is refused or the BMC does not answer (W9).
    // Incident 71.
    if overdue && !sabotage::active(Bug::DiscoveryDeadlineNever) {
        return Decision::from(Step::RestartDiscovery).because(Wish::no(
            DISCOVERED,
            "DiscoveryTimeout",
            format!(
                "No probe registered within {}s",
                observed.settings.discovery_timeout.as_secs()
            ),
        ));
    }
    if !observed.has_own_boot_reference() {
        return Step::RestartDiscovery.into();
    }
    let decision = network_boot::towards(observed, Purpose::Discovery, DISCOVERED);
    let left = observed
        .settings
        .discovery_timeout
        .saturating_sub(observed.time_in_state());
    match decision.step {
        Step::Wait(time) => Decision {
            step: Step::Wait(time.min(left)),
            ..decision
        },
        _ => decision,
    }
}

/// Incident 143.
fn fresh_by_machine_clock(observed: &Observed<'_>, found: &Registration) -> bool {
    let stamped = found.hardware().timestamp;
    stamped.is_some_and(|stamped| observed.now.duration_since(stamped).unsigned_abs() <= observed.settings.resync)
}

/// Incident 144.
fn has_neighbor(found: &Registration) -> bool {
    let interfaces = found.hardware().network_interfaces;
    interfaces.iter().any(|interface| !interface.neighbors.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::{ReportedPower, ResetType};
    use crate::controllers::server::observed::BootView;
    use crate::ownership::operation::Operation;
    use crds::ServerState;

    fn world() -> World {
        World::free()
            .in_state(ServerState::Discovery)
            .boot(BootView::Ready)
            .power(ReportedPower::Off)
    }

    #[test]
    fn override_read_back_then_on_then_wait() {
        let on = Operation::Reset(ResetType::On);
        assert_eq!(world().decide().step, World::first(Operation::NetworkBoot));
        assert!(matches!(
            world().sent(&Operation::NetworkBoot, 1).decide().step,
            Step::Wait(_)
        ));
        assert_eq!(world().armed().decide().step, World::first(on.clone()));
        // Sent, the override may be consumed at any moment: neither armed nor sent again.
        assert!(matches!(world().sent(&on, 1).decide().step, Step::Wait(_)));
        assert!(matches!(
            world().observed(&on, 1).power(ReportedPower::On).decide().step,
            Step::Wait(_)
        ));
        // The BMC accepted and did nothing.
        assert_eq!(
            world().armed().sent(&on, 1).later(121).decide().step,
            Step::Send {
                operation: on,
                attempt: 2
            }
        );
    }

    #[test]
    fn a_machine_that_runs_something_else_is_stopped_first() {
        let step = world().power(ReportedPower::On).decide().step;
        assert_eq!(step, World::first(Operation::Reset(ResetType::GracefulShutdown)));
    }

    #[test]
    fn only_the_boot_server_can_make_it_boot() {
        for (boot, reason) in [
            (BootView::Pending, "WaitingForBootConfiguration"),
            (BootView::Refused { message: "no".into() }, "BootConfigurationError"),
        ] {
            let decision = world().boot(boot).armed().decide();
            assert!(matches!(decision.step, Step::Wait(_)));
            assert_eq!(decision.conditions[0].reason, reason);
        }
        assert_eq!(
            world().boot(BootView::Missing).decide().step,
            Step::PrepareBoot(Purpose::Discovery)
        );
    }

    #[test]
    fn the_deadline_counts_in_every_situation_but_a_registration_wins() {
        let late = world().later(1800);
        assert_eq!(late.decide().step, Step::RestartDiscovery);
        assert_eq!(late.clone().unreadable().decide().step, Step::RestartDiscovery);
        let refused = late.clone().boot(BootView::Refused { message: "no".into() });
        assert_eq!(refused.decide().step, Step::RestartDiscovery);
        assert_eq!(late.registered().decide().step, Step::AcceptRegistration);
    }

    #[test]
    fn waiting_never_sleeps_past_the_deadline() {
        let on = Operation::Reset(ResetType::On);
        let world = world().observed(&on, 1).power(ReportedPower::On).later(1790);
        assert_eq!(world.decide().step, Step::Wait(std::time::Duration::from_secs(10)));
    }
}
