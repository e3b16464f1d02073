//! On the way to Parked, and back (contract section 5, "Parking").

use crds::ServerState;

use crate::conditions::Wish;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{Holder, Observed};
use crate::controllers::server::parked::PARKED;
use crate::controllers::server::power::{self, Force};
use crate::ownership::parking;
use crate::ownership::reservation::{Change, Tenancy};

use super::{available, by_tenancy, reserved};

/// Decides for a server that is to be parked; `None` when it is not.
pub(super) fn approach(observed: &Observed<'_>) -> Option<Decision> {
    if !parking::is_to_be_parked(observed.server) {
        return None;
    }
    match observed.status().state {
        // First everything that this state has to do: discovery is put away, the machine is off.
        Some(ServerState::Available) => Some(match available::decide(observed) {
            Decision { step: Step::Rest, .. } => Step::Change(Change::Park).into(),
            other => other,
        }),
        Some(ServerState::Reserved) => match (Tenancy::of(observed.server), &observed.holder) {
            // The machine of a tenant is asked, and never forced.
            (Tenancy::Held, Holder::Claim { .. }) => reserved::started(observed)
                .or_else(|| power::off(observed, Force::Never))
                .or_else(|| Some(Step::Change(Change::Park).into())),
            // A tenant that is leaving, or was not found yet: first that.
            _ => None,
        },
        _ => None,
    }
}

/// Decides for a server that was parked: what others may have changed is looked at, and it goes where its spec wants it.
pub(super) fn resume(observed: &Observed<'_>) -> Decision {
    if observed.inventory_is_outdated() {
        return match observed.system {
            Some(_) => Step::RecordInventory.into(),
            None => Step::Wait(observed.settings.resync).into(),
        };
    }
    let state = by_tenancy(observed).unwrap_or_else(|| observed.state_when_free());
    Decision::from(Step::Enter(state)).because(Wish::no(PARKED, "Resumed", "The operator has the machine again"))
}

#[cfg(test)]
mod tests {
    use crds::keys;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use kube::ResourceExt;

    use super::super::testing::World;
    use super::*;
    use crate::bmc::{ReportedPower, ResetType};
    use crate::controllers::server::observed::BootView;
    use crate::ownership::operation::Operation;
    use crate::ownership::provisioning::Provisioning;

    const ASK: Operation = Operation::Reset(ResetType::GracefulShutdown);

    fn to_be_parked(mut world: World) -> World {
        let annotations = world.server.annotations_mut();
        annotations.insert(keys::OPERATION_ANNOTATION.into(), keys::operation::PARK.into());
        world
    }

    #[test]
    fn a_free_server_first_ends_what_it_has_begun() {
        let free = to_be_parked(World::free().in_state(ServerState::Available).power(ReportedPower::Off));
        assert_eq!(free.decide().step, Step::Change(Change::Park));
        assert_eq!(free.clone().power(ReportedPower::On).decide().step, World::first(ASK));
        assert_eq!(free.boot(BootView::Ready).decide().step, Step::DiscardBoot);
    }

    #[test]
    fn a_tenants_machine_is_asked_and_never_forced() {
        let running = to_be_parked(
            World::held()
                .in_state(ServerState::Reserved)
                .provisioning(Provisioning::Booted)
                .power(ReportedPower::On),
        );
        assert_eq!(running.decide().step, World::first(ASK));
        let ignored = running.clone().sent(&ASK, 1).later(600).enforcing();
        let again = Step::Send {
            operation: ASK,
            attempt: 2,
        };
        assert_eq!(ignored.decide().step, again);
        let unreadable = running.clone().unreadable();
        assert!(matches!(unreadable.decide().step, Step::Wait(_)));
        let off = running.clone().power(ReportedPower::Off);
        assert_eq!(off.decide().step, Step::Change(Change::Park));
        // Before it is off: what it runs was imaged, which must not happen again.
        let starting = running.provisioning(Provisioning::Requested);
        let booted = Step::Change(Change::Provisioning(Provisioning::Booted));
        assert_eq!(starting.decide().step, booted);
    }

    #[test]
    fn who_is_leaving_leaves_first() {
        let leaving = to_be_parked(World::held().in_state(ServerState::Reserved).gone()).power(ReportedPower::Off);
        assert_eq!(leaving.decide().step, Step::Change(Change::Release));
    }

    #[test]
    fn the_machine_is_looked_over_before_it_is_used_again() {
        for (mut world, state) in [
            (World::held(), ServerState::Reserved),
            (World::free(), ServerState::Available),
            (World::residue(), ServerState::Cleanup),
        ] {
            world = world.in_state(ServerState::Parked);
            let since = world.server.status.as_ref().unwrap().state_since.clone().unwrap();
            let before = Time(since.0 - jiff::SignedDuration::from_secs(1));
            world.status().inventory_time = Some(before);
            assert_eq!(world.decide().step, Step::RecordInventory);
            assert!(matches!(world.clone().unreadable().decide().step, Step::Wait(_)));
            world.status().inventory_time = Some(since);
            assert_eq!(world.decide().step, Step::Enter(state));
        }
    }
}
