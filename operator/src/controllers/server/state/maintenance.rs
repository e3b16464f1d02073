//! Into Maintenance, in it, and back (contract section 4.1). A maintenance interrupts what the server is for and does not end it. While it
//! lasts, only its own demands count (S10), and no system of a tenant is started (S9): the machine boots what the maintenance brings, or
//! stays in the setup of its firmware, however often something restarts it.

use std::time::Duration;

use crds::kinds::server_status::OperationState;
use crds::{Power, ServerState};

use crate::bmc::{BootTarget, ReportedPower};
use crate::conditions::Wish;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Holder, Maintenance, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::maintenance::{start_mark, started_for};
use crate::ownership::operation::{Operation, always_boots_from, has_boot_override, starts_a_machine};
use crate::ownership::pacing;
use crate::ownership::reservation::{Change, Tenancy};

use super::{available, by_tenancy, error, released, reserved};

/// Condition on a Server: whether a maintenance has the machine.
const MAINTENANCE: &str = "Maintenance";

/// Decides for a server that a maintenance is to have; `None` when there is none, or first something else has to end.
pub(super) fn approach(observed: &Observed<'_>) -> Option<Decision> {
    let state = observed.status().state.as_ref();
    let with_system = match &observed.maintenance {
        Maintenance::Active { boot, .. } => boot.is_some(),
        Maintenance::Gone if state != Some(&ServerState::Maintenance) => {
            return Some(Step::Change(Change::EndMaintenance).into());
        }
        Maintenance::None | Maintenance::Gone => return None,
    };
    match state {
        // The status was lost: nothing may be done to the machine that the maintenance does not want.
        None => Some(enter()),
        Some(ServerState::Initial | ServerState::Discovery) => Some(interrupt_discovery(observed)),
        Some(ServerState::Available) => Some(settled(available::decide(observed))),
        Some(ServerState::Released) => Some(settled(released::decide(observed))),
        Some(ServerState::Error) => Some(settled(error::decide(observed))),
        Some(ServerState::Reserved) => match (Tenancy::of(observed.server), &observed.holder) {
            (Tenancy::Held, Holder::Claim { .. }) => Some(interrupt_tenant(observed, with_system)),
            // A tenant that is leaving, or was not found yet: first that.
            _ => None,
        },
        _ => None,
    }
}

fn enter() -> Decision {
    Decision::from(Step::Enter(ServerState::Maintenance)).because(in_maintenance())
}

fn in_maintenance() -> Wish {
    let message = "The ServerMaintenance of spec.serverMaintenanceRef has the machine";
    Wish::yes(MAINTENANCE, "InMaintenance", message)
}

/// The state ends what it has to, and when nothing is left the maintenance begins.
fn settled(decision: Decision) -> Decision {
    match decision.step {
        Step::Rest => enter(),
        _ => decision,
    }
}

/// Its token and its boot configuration go; it is begun anew afterwards.
fn interrupt_discovery(observed: &Observed<'_>) -> Decision {
    match observed.boot {
        BootView::Missing if observed.has_own_boot_reference() => Step::Change(Change::EndDiscovery).into(),
        BootView::Missing => enter(),
        _ => Step::DiscardBoot.into(),
    }
}

/// The tenant has agreed, or was not asked. A system of ours needs the machine off; otherwise the tenant's may go on running until the
/// maintenance wants something else.
fn interrupt_tenant(observed: &Observed<'_>, with_system: bool) -> Decision {
    if observed.system.is_none() {
        return Step::Wait(observed.settings.resync).into();
    }
    if let Some(decision) = reserved::settle_provisioning(observed) {
        return decision;
    }
    if starts(observed) {
        return Step::Wait(observed.settings.power.interval).into();
    }
    let off = with_system.then(|| power::off(observed, force(observed))).flatten();
    off.unwrap_or_else(enter)
}

/// Whether the machine was told to start a moment ago, for its tenant: it must not come to that while the maintenance has it.
fn starts(observed: &Observed<'_>) -> bool {
    let record = observed.status().operation.as_ref();
    let age = record
        .filter(|record| record.state != OperationState::Failed && starts_a_machine(&record.operation))
        .map(|record| observed.now.duration_since(record.issued_at.0))
        .and_then(|age| Duration::try_from(age).ok());
    age.is_some_and(|age| age < observed.settings.power.patience)
}

/// How hard what runs there is turned off: a tenant's system as everywhere, what belongs to nobody after it was asked.
fn force(observed: &Observed<'_>) -> Force {
    let tenants = observed.server.spec.server_claim_ref.is_some() && started_for(observed.server).is_none();
    match tenants && !observed.settings.enforce_power_off {
        true => Force::Never,
        false => Force::AfterAsking,
    }
}

/// Decides for a server in Maintenance.
pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    let (wanted, boot) = match &observed.maintenance {
        Maintenance::Active { power, boot } => (power, boot),
        Maintenance::Gone => return Step::Change(Change::EndMaintenance).into(),
        // The next one is about to begin; the tenant's system is not started in between (bugs.md #70).
        Maintenance::None if observed.maintenance_queued => return Step::Wait(observed.settings.resync).into(),
        Maintenance::None => return leave(observed),
    };
    if observed.system.is_none() {
        return Step::Wait(observed.settings.resync).into();
    }
    match boot {
        None | Some(BootView::Ready) => {}
        Some(BootView::Missing | BootView::Pending) => {
            return Decision::from(Step::Wait(observed.settings.resync)).because(Wish::yes(
                MAINTENANCE,
                "WaitingForBootConfiguration",
                "The boot server has not accepted the boot configuration of the maintenance yet",
            ));
        }
        Some(BootView::Refused { message }) => {
            return Decision::from(Step::Wait(observed.settings.resync)).because(Wish::yes(
                MAINTENANCE,
                "BootConfigurationError",
                message.clone(),
            ));
        }
    }
    let decision = match wanted {
        Some(Power::On) => start(observed, boot.is_some()),
        Some(Power::Off) => power::off(observed, force(observed)).unwrap_or_else(|| Step::Rest.into()),
        _ => Step::Rest.into(),
    };
    decision.because(in_maintenance())
}

fn start(observed: &Observed<'_>, with_system: bool) -> Decision {
    let (Some(system), Some(reference)) = (observed.system, &observed.server.spec.server_maintenance_ref) else {
        return Step::Wait(observed.settings.resync).into();
    };
    let target = if with_system {
        BootTarget::Pxe
    } else {
        BootTarget::BiosSetup
    };
    let armed = || match always_boots_from(system, target) {
        true => None,
        false => Some(power::send(
            observed,
            Operation::LastingBoot(target),
            &observed.settings.resource,
        )),
    };
    let mark = start_mark(reference);
    let ours = started_for(observed.server) == Some(mark.as_str());
    match observed.power() {
        // Some BMCs keep a lasting override for one start only.
        ReportedPower::On if ours => armed().unwrap_or_else(|| Step::Rest.into()),
        // What an earlier maintenance has booted, or somebody else.
        ReportedPower::On if with_system || started_for(observed.server).is_some() => {
            power::off(observed, force(observed)).unwrap_or_else(|| Step::Rest.into())
        }
        // The tenant's system, or whatever runs on a free machine: it was not started for this, and nothing demands a restart.
        ReportedPower::On => Step::Rest.into(),
        ReportedPower::Off => {
            let record = observed.status().operation.as_ref();
            if pacing::start_in_flight(record, observed.now, observed.settings.power.patience) {
                return Step::Wait(observed.settings.power.interval).into();
            }
            if !ours {
                return Step::Change(Change::StartedForMaintenance(Some(mark))).into();
            }
            armed()
                .or_else(|| power::on(observed))
                .unwrap_or_else(|| Step::Rest.into())
        }
        _ => Step::Wait(observed.settings.power.interval).into(),
    }
}

/// What was started for the maintenance goes, the override with it; the machine is looked over, and goes where its spec wants it.
fn leave(observed: &Observed<'_>) -> Decision {
    let Some(system) = observed.system else {
        return Step::Wait(observed.settings.resync).into();
    };
    if started_for(observed.server).is_some() {
        if let Some(decision) = power::off(observed, Force::AfterAsking) {
            return decision;
        }
        if has_boot_override(system) {
            return power::send(observed, Operation::ClearBootOverride, &observed.settings.resource);
        }
        return Step::Change(Change::StartedForMaintenance(None)).into();
    }
    if observed.inventory_is_outdated() {
        return Step::RecordInventory.into();
    }
    let cleanup = observed.status().cleanup.as_ref();
    let failed = cleanup.is_some_and(|cleanup| cleanup.epoch == observed.epoch());
    let state = match Tenancy::of(observed.server) {
        // It was in Error before, and nobody has said `retry`.
        Tenancy::Residue { .. } if failed => ServerState::Error,
        _ => by_tenancy(observed).unwrap_or_else(|| observed.state_when_free()),
    };
    Decision::from(Step::Enter(state)).because(Wish::no(MAINTENANCE, "Ended", "No maintenance has the machine"))
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::MaintenanceReference;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use kube::ResourceExt;

    use super::super::testing::World;
    use super::*;
    use crate::bmc::ResetType;
    use crate::ownership::maintenance::STARTED_ANNOTATION;
    use crate::ownership::provisioning::Provisioning;

    const ASK: Operation = Operation::Reset(ResetType::GracefulShutdown);
    const PULL: Operation = Operation::Reset(ResetType::ForceOff);
    const ON: Operation = Operation::Reset(ResetType::On);
    const SETUP: Operation = Operation::LastingBoot(BootTarget::BiosSetup);
    const NETWORK: Operation = Operation::LastingBoot(BootTarget::Pxe);

    fn wanted(mut world: World, power: Option<Power>, boot: Option<BootView>) -> World {
        world.server.spec.server_maintenance_ref = Some(MaintenanceReference {
            namespace: "ns".into(),
            name: "m".into(),
            uid: Some("m-1".into()),
        });
        world.maintenance = Maintenance::Active { power, boot };
        world
    }

    fn within(world: World, power: Power, boot: Option<BootView>) -> World {
        wanted(world.in_state(ServerState::Maintenance), Some(power), boot)
    }

    fn started(mut world: World, mark: &str) -> World {
        let annotations = world.server.annotations_mut();
        annotations.insert(STARTED_ANNOTATION.into(), mark.into());
        world
    }

    fn overridden(mut world: World, enabled: &str, target: &str) -> World {
        world.system.boot.override_enabled = Some(enabled.into());
        world.system.boot.override_target = Some(target.into());
        world
    }

    fn enters(world: &World, state: &ServerState) -> bool {
        world.decide().step == Step::Enter(state.clone())
    }

    #[test]
    fn a_free_server_first_ends_what_it_has_begun() {
        let free = wanted(
            World::free().in_state(ServerState::Available).power(ReportedPower::Off),
            None,
            None,
        );
        assert!(enters(&free, &ServerState::Maintenance));
        assert_eq!(free.clone().power(ReportedPower::On).decide().step, World::first(ASK));
        assert_eq!(free.boot(BootView::Ready).decide().step, Step::DiscardBoot);
    }

    #[test]
    fn discovery_is_interrupted_and_its_epoch_ends() {
        for state in [ServerState::Initial, ServerState::Discovery] {
            let probing = wanted(World::free().in_state(state).power(ReportedPower::On), None, None);
            assert!(enters(&probing, &ServerState::Maintenance));
            let probing = probing.boot(BootView::Ready);
            assert_eq!(probing.decide().step, Step::DiscardBoot);
            let put_away = probing.boot(BootView::Missing);
            assert_eq!(put_away.decide().step, Step::Change(Change::EndDiscovery));
        }
    }

    #[test]
    fn a_tenants_system_is_turned_off_only_for_another_one() {
        let running = World::held()
            .in_state(ServerState::Reserved)
            .provisioning(Provisioning::Booted)
            .power(ReportedPower::On);
        assert!(enters(
            &wanted(running.clone(), Some(Power::On), None),
            &ServerState::Maintenance
        ));
        let with_system = wanted(running.clone(), Some(Power::On), Some(BootView::Pending));
        assert_eq!(with_system.decide().step, World::first(ASK));
        let ignored = with_system.sent(&ASK, 1).later(600);
        let again = Step::Send {
            operation: ASK,
            attempt: 2,
        };
        assert_eq!(ignored.decide().step, again);
        let pulled = Step::Send {
            operation: PULL,
            attempt: 1,
        };
        assert_eq!(ignored.enforcing().decide().step, pulled);
        assert!(matches!(
            wanted(running.unreadable(), None, None).decide().step,
            Step::Wait(_)
        ));
    }

    #[test]
    fn a_start_for_the_tenant_comes_to_its_end_first() {
        let starting = World::held()
            .in_state(ServerState::Reserved)
            .provisioning(Provisioning::Booted)
            .power(ReportedPower::On);
        let starting = wanted(starting.observed(&ON, 1), Some(Power::On), None);
        assert!(matches!(starting.decide().step, Step::Wait(_)));
        assert!(enters(&starting.later(120), &ServerState::Maintenance));
    }

    #[test]
    fn a_tenant_is_never_imaged_because_it_was_interrupted() {
        let requested = World::held()
            .in_state(ServerState::Reserved)
            .provisioning(Provisioning::Requested);
        let requested = wanted(requested, None, None);
        let booted = Step::Change(Change::Provisioning(Provisioning::Booted));
        let not_begun = Step::Change(Change::Provisioning(Provisioning::NotBegun));
        assert_eq!(requested.clone().power(ReportedPower::On).decide().step, booted);
        let off = requested.power(ReportedPower::Off);
        // Not armed any more: something has consumed it.
        assert_eq!(off.decide().step, booted);
        assert_eq!(off.clone().armed().decide().step, not_begun);
        assert!(matches!(off.armed().sent(&ON, 1).decide().step, Step::Wait(_)));
    }

    #[test]
    fn who_is_leaving_leaves_first() {
        let leaving = wanted(
            World::held().in_state(ServerState::Reserved).gone(),
            Some(Power::On),
            None,
        );
        assert_eq!(
            leaving.power(ReportedPower::Off).decide().step,
            Step::Change(Change::Release)
        );
        let cleaning = wanted(World::residue().in_state(ServerState::Cleanup), None, None);
        assert!(!enters(&cleaning, &ServerState::Maintenance));
    }

    #[test]
    fn a_lost_status_changes_no_power() {
        for world in [World::free(), World::held(), World::residue()] {
            let mut lost = wanted(world.power(ReportedPower::On), Some(Power::On), None);
            lost.status().state = None;
            assert!(enters(&lost, &ServerState::Maintenance));
        }
    }

    #[test]
    fn no_system_is_started_but_that_of_the_maintenance() {
        for (boot, operation, target) in [(None, SETUP, "BiosSetup"), (Some(BootView::Ready), NETWORK, "Pxe")] {
            let off = within(World::held().power(ReportedPower::Off), Power::On, boot.clone());
            let mark = Step::Change(Change::StartedForMaintenance(Some("m-1".into())));
            assert_eq!(off.decide().step, mark);
            let marked = started(off, "m-1");
            assert_eq!(marked.decide().step, World::first(operation.clone()));
            // Once is not enough: firmware restarts machines by itself (bugs.md #66).
            let once = overridden(marked.clone(), "Once", target);
            assert_eq!(once.decide().step, World::first(operation.clone()));
            let armed = overridden(marked.clone(), "Continuous", target);
            assert_eq!(armed.decide().step, World::first(ON));
            let running = armed.power(ReportedPower::On);
            assert_eq!(running.decide().step, Step::Rest);
            // Kept for one start only.
            let consumed = overridden(running, "Disabled", "None");
            assert_eq!(consumed.decide().step, World::first(operation));
        }
    }

    #[test]
    fn what_runs_already_is_replaced_only_by_another_system() {
        let running = within(World::held().power(ReportedPower::On), Power::On, None);
        assert_eq!(running.decide().step, Step::Rest);
        let of_an_earlier_one = started(running, "m-0");
        assert_eq!(of_an_earlier_one.decide().step, World::first(ASK));
        let with_system = within(World::held().power(ReportedPower::On), Power::On, Some(BootView::Ready));
        assert_eq!(with_system.decide().step, World::first(ASK));
        let unready = within(
            World::free().power(ReportedPower::Off),
            Power::On,
            Some(BootView::Pending),
        );
        assert!(matches!(unready.decide().step, Step::Wait(_)));
    }

    #[test]
    fn the_machine_is_put_back_before_it_is_used_again() {
        for (world, state) in [
            (World::held(), ServerState::Reserved),
            (World::free().inventoried(), ServerState::Available),
            (World::residue(), ServerState::Cleanup),
        ] {
            let mut ended = started(world.in_state(ServerState::Maintenance), "m-1").power(ReportedPower::On);
            assert_eq!(ended.decide().step, World::first(ASK));
            ended = overridden(ended.power(ReportedPower::Off), "Continuous", "BiosSetup");
            assert_eq!(ended.decide().step, World::first(Operation::ClearBootOverride));
            ended = overridden(ended, "Disabled", "None");
            assert_eq!(ended.decide().step, Step::Change(Change::StartedForMaintenance(None)));
            ended.server.annotations_mut().remove(STARTED_ANNOTATION);
            assert_eq!(ended.decide().step, Step::RecordInventory);
            let since = ended.server.status.as_ref().unwrap().state_since.clone().unwrap();
            ended.status().inventory_time = Some(Time(since.0));
            assert_eq!(ended.decide().step, Step::Enter(state));
            let mut queued = ended.clone();
            queued.maintenance_queued = true;
            assert!(matches!(queued.decide().step, Step::Wait(_)));
        }
    }

    #[test]
    fn a_tenants_system_that_was_never_touched_goes_on() {
        let mut ended = World::held()
            .in_state(ServerState::Maintenance)
            .power(ReportedPower::On);
        assert_eq!(ended.decide().step, Step::RecordInventory);
        let since = ended.server.status.as_ref().unwrap().state_since.clone().unwrap();
        ended.status().inventory_time = Some(Time(since.0));
        assert!(enters(&ended, &ServerState::Reserved));
    }

    #[test]
    fn a_reference_to_nothing_is_taken_away() {
        for state in [ServerState::Maintenance, ServerState::Available, ServerState::Reserved] {
            let mut dangling = wanted(World::free().in_state(state), None, None);
            dangling.maintenance = Maintenance::Gone;
            assert_eq!(dangling.decide().step, Step::Change(Change::EndMaintenance));
        }
    }
}
