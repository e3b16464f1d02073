//! Reserved: a claim holds the machine. It is provisioned once per tenancy, then only its power follows the claim; when the claim
//! is gone the machine is turned off and handed to cleanup.

use crds::kinds::server::{CleanupPolicy, ReclaimPolicy};
use crds::kinds::server_status::OperationState;
use crds::{Power, ServerState};

use crate::bmc::ReportedPower;
use crate::conditions::{self, Wish};
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Holder, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::operation::{Operation, boots_from_network_once, starts_a_machine};
use crate::ownership::origin;
use crate::ownership::pacing;
use crate::ownership::provisioning::Provisioning;
use crate::ownership::reservation::{Change, Tenancy};
use crate::sabotage::{self, Bug};

/// Condition on a Server that is being released (contract section 1.11).
pub(super) const WAITING_FOR_POWER_OFF: &str = "WaitingForPowerOff";

/// Condition on a Server that was restored from a backup: whether the claim that it names is there.
pub(in crate::controllers::server) const HOLDER_FOUND: &str = "HolderFound";

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    match (Tenancy::of(observed.server), &observed.holder) {
        (Tenancy::Free, _) => Step::Enter(observed.state_when_free()).into(),
        (Tenancy::Residue { .. }, _) if observed.server.spec.server_claim_ref.is_none() => {
            Step::Enter(ServerState::Cleanup).into()
        }
        // The release is on record; only the state has not followed.
        (Tenancy::Residue { .. }, _) => match observed.server.spec.reclaim_policy {
            ReclaimPolicy::Retain => Step::Enter(ServerState::Released).into(),
            ReclaimPolicy::Recycle => Step::Enter(ServerState::Cleanup).into(),
        },
        (Tenancy::Unfenced, Holder::Adoptable { uid }) => Step::Change(Change::Adopt { uid: uid.clone() }).into(),
        (Tenancy::Held, Holder::Adoptable { uid }) => readopt(uid),
        (_, Holder::Missing) => missing(observed),
        (Tenancy::Held, Holder::Claim { .. }) if origin::is_restored(observed.server) => {
            let reference = observed.server.spec.server_claim_ref.as_ref();
            let uid = reference.and_then(|reference| reference.uid.as_deref());
            readopt(uid.unwrap_or_default())
        }
        (_, Holder::Claim { power }) => serve(observed, power),
        (_, Holder::Gone) => release(observed),
        (_, Holder::None) => Step::Rest.into(),
    }
}

fn readopt(uid: &str) -> Decision {
    Step::Change(Change::Readopt { uid: uid.to_owned() }).into()
}

/// Nobody can tell a tenant whose claim is not restored yet from one who is gone: the machine is left as it is (S6, S7).
fn missing(observed: &Observed<'_>) -> Decision {
    let claim = observed.server.spec.server_claim_ref.as_ref();
    let claim = claim.map_or_else(String::new, |claim| format!("{}/{}", claim.namespace, claim.name));
    Decision::from(Step::Rest).because(Wish::no(
        HOLDER_FOUND,
        "ClaimMissing",
        format!(
            "This Server was restored from a backup, and no ServerClaim {claim} names it. Restore the claim; or set \
             spec.serverClaimRef to null to have the machine released"
        ),
    ))
}

fn release(observed: &Observed<'_>) -> Decision {
    let generation = observed.server.metadata.generation;
    if observed.system.is_none() {
        // Incident 94.
        if sabotage::active(Bug::FreedWithoutBmc) {
            return Step::Change(Change::Vacate { at: observed.now }).into();
        }
        return Step::Wait(observed.settings.resync).into();
    }
    // Incident 48.
    let asked = conditions::is_true(&observed.status().conditions, WAITING_FOR_POWER_OFF);
    if !(sabotage::active(Bug::ReleaseOnDesiredPower) && asked)
        && let Some(decision) = power::off(observed, Force::AfterAsking)
    {
        return decision.because(
            Wish::yes(
                WAITING_FOR_POWER_OFF,
                WAITING_FOR_POWER_OFF,
                format!(
                    "Waiting for BMC to confirm power off (current: \"{}\")",
                    observed.power().as_str()
                ),
            )
            .observing(generation),
        );
    }
    let recycle = observed.server.spec.reclaim_policy == ReclaimPolicy::Recycle;
    // Incident 89.
    let skip = observed.cleanup_policy() == CleanupPolicy::Skip || sabotage::active(Bug::NoSanitisation);
    let change = if recycle && skip {
        Change::Vacate { at: observed.now }
    } else {
        Change::Release
    };
    let decision = Decision::from(Step::Change(change));
    if conditions::find(&observed.status().conditions, WAITING_FOR_POWER_OFF).is_none() {
        return decision;
    }
    decision.because(
        Wish::no(
            WAITING_FOR_POWER_OFF,
            "PowerOffConfirmed",
            "BMC confirmed PowerState=Off",
        )
        .observing(generation),
    )
}

fn serve(observed: &Observed<'_>, wanted: &Power) -> Decision {
    let Some(system) = observed.system else {
        return Step::Wait(observed.settings.resync).into();
    };
    let mut provisioning = Provisioning::of(observed.server);
    // Incident 59.
    if sabotage::active(Bug::BoundPowerIgnored) && provisioning == Provisioning::Booted {
        return Step::Rest.into();
    }
    // Incident 62.
    let booted_and_off = provisioning == Provisioning::Booted && observed.power() == ReportedPower::Off;
    if sabotage::active(Bug::ProvisionedMachineImagedAgain) && booted_and_off {
        provisioning = Provisioning::NotBegun;
    }
    if let Some(decision) = started(observed) {
        return decision;
    }
    match wanted {
        Power::Off => {
            let force = if observed.settings.enforce_power_off {
                Force::AfterAsking
            } else {
                Force::Never
            };
            power::off(observed, force).unwrap_or_else(|| Step::Rest.into())
        }
        Power::On => match provisioning {
            Provisioning::NotBegun => begin(observed),
            Provisioning::Requested => boot(observed),
            // A network boot now would image the machine again.
            Provisioning::Booted
                if observed.power() == ReportedPower::Off
                    && boots_from_network_once(system)
                    // Incident 63.
                    && !sabotage::active(Bug::ArmedOverrideKept) =>
            {
                power::send(observed, Operation::ClearBootOverride, &observed.settings.resource)
            }
            Provisioning::Booted => power::on(observed).unwrap_or_else(|| Step::Rest.into()),
        },
        _ => Step::Rest.into(),
    }
}

/// Whatever is wanted now: a machine that runs after its provisioning boot was sent has been provisioned.
pub(super) fn started(observed: &Observed<'_>) -> Option<Decision> {
    let requested = Provisioning::of(observed.server) == Provisioning::Requested;
    (requested && observed.power() == ReportedPower::On)
        .then(|| Step::Change(Change::Provisioning(Provisioning::Booted)).into())
}

/// No provisioning boot was sent in this tenancy: off, boot configuration ready, override read back; then it is on record that
/// one will be sent.
fn begin(observed: &Observed<'_>) -> Decision {
    if let Some(decision) = power::off(observed, Force::AfterAsking) {
        return decision;
    }
    // Incident 61.
    if observed.boot != BootView::Ready && !sabotage::active(Bug::PowerOnBeforeBootReady) {
        return Step::Wait(observed.settings.resync).into();
    }
    power::network_boot_armed(observed)
        .unwrap_or_else(|| Step::Change(Change::Provisioning(Provisioning::Requested)).into())
}

/// The override was armed when the request was recorded. Still armed: the machine has not started since. No longer armed: a boot has
/// consumed it, unless this process knows better.
fn boot(observed: &Observed<'_>) -> Decision {
    let Some(system) = observed.system else {
        return Step::Wait(observed.settings.resync).into();
    };
    let record = observed.status().operation.as_ref();
    if pacing::start_in_flight(record, observed.now, observed.settings.power.patience)
        || observed.power() != ReportedPower::Off
    {
        return Step::Wait(observed.settings.power.interval).into();
    }
    // Incident 81.
    if boots_from_network_once(system) || sabotage::active(Bug::OverrideNotReadBack) {
        return power::on(observed).unwrap_or_else(|| Step::Rest.into());
    }
    if !never_started(observed) {
        return Step::Change(Change::Provisioning(Provisioning::Booted)).into();
    }
    if observed.boot != BootView::Ready {
        return Step::Wait(observed.settings.resync).into();
    }
    power::network_boot_armed(observed).unwrap_or_else(|| Step::Rest.into())
}

/// The start of a provisioning boot that was requested was not sent, as far as the record tells.
fn never_started(observed: &Observed<'_>) -> bool {
    let record = observed.status().operation.as_ref();
    let record = record.filter(|record| record.epoch == observed.epoch());
    record.is_some_and(|record| {
        !starts_a_machine(&record.operation) || record.state == OperationState::Failed && record.attempts == 1
    })
}

/// Finds out how far the provisioning is, which is interrupted; `None` when it is known. One that has not started the machine begins anew.
pub(super) fn settle_provisioning(observed: &Observed<'_>) -> Option<Decision> {
    if Provisioning::of(observed.server) != Provisioning::Requested {
        return None;
    }
    if let Some(decision) = started(observed) {
        return Some(decision);
    }
    let record = observed.status().operation.as_ref();
    let in_flight = pacing::start_in_flight(record, observed.now, observed.settings.power.patience);
    if in_flight || observed.power() != ReportedPower::Off {
        return Some(Step::Wait(observed.settings.power.interval).into());
    }
    let waiting = observed.system.is_some_and(boots_from_network_once) || never_started(observed);
    let provisioning = if waiting {
        Provisioning::NotBegun
    } else {
        Provisioning::Booted
    };
    Some(Step::Change(Change::Provisioning(provisioning)).into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::ResetType;

    const ON: Operation = Operation::Reset(ResetType::On);
    const ASK: Operation = Operation::Reset(ResetType::GracefulShutdown);
    const PULL: Operation = Operation::Reset(ResetType::ForceOff);

    fn world() -> World {
        World::held()
            .in_state(ServerState::Reserved)
            .power(ReportedPower::Off)
            .boot(BootView::Ready)
    }

    #[test]
    fn provisioning_happens_in_this_order() {
        for boot in [
            BootView::Missing,
            BootView::Pending,
            BootView::Refused { message: "no".into() },
        ] {
            assert!(matches!(world().armed().boot(boot).decide().step, Step::Wait(_)));
        }
        assert_eq!(world().decide().step, World::first(Operation::NetworkBoot));
        assert_eq!(
            world().armed().decide().step,
            Step::Change(Change::Provisioning(Provisioning::Requested))
        );
        let requested = world().provisioning(Provisioning::Requested);
        assert_eq!(requested.clone().armed().decide().step, World::first(ON));
        assert!(matches!(requested.clone().sent(&ON, 1).decide().step, Step::Wait(_)));
        assert_eq!(
            requested.observed(&ON, 1).power(ReportedPower::On).decide().step,
            Step::Change(Change::Provisioning(Provisioning::Booted))
        );
    }

    #[test]
    fn a_provisioned_machine_is_never_imaged_again() {
        let booted = world().provisioning(Provisioning::Booted);
        assert_eq!(booted.decide().step, World::first(ON));
        assert_eq!(
            booted.clone().armed().decide().step,
            World::first(Operation::ClearBootOverride)
        );
        assert_eq!(booted.power(ReportedPower::On).decide().step, Step::Rest);
        // It ran and stopped while nobody looked: the override is gone.
        let requested = world().provisioning(Provisioning::Requested);
        let consumed = Step::Change(Change::Provisioning(Provisioning::Booted));
        assert_eq!(requested.clone().sent(&ON, 1).later(300).decide().step, consumed);
        // The status was lost on top of it.
        assert_eq!(requested.clone().without_record().decide().step, consumed);
    }

    #[test]
    fn a_start_that_was_never_sent_is_armed_again() {
        let requested = world().provisioning(Provisioning::Requested);
        let armed_only = requested.clone().observed(&Operation::NetworkBoot, 1);
        assert_eq!(armed_only.decide().step, World::first(Operation::NetworkBoot));
        assert_eq!(
            requested.clone().refused(&ON, 1).decide().step,
            World::first(Operation::NetworkBoot)
        );
        // Accepted without effect: still armed, so it is sent again.
        let sent = requested.armed().sent(&ON, 1).later(121);
        assert_eq!(
            sent.decide().step,
            Step::Send {
                operation: ON,
                attempt: 2
            }
        );
    }

    #[test]
    fn a_machine_that_started_by_itself_before_provisioning_is_stopped() {
        assert_eq!(world().power(ReportedPower::On).decide().step, World::first(ASK));
    }

    #[test]
    fn power_follows_the_claim() {
        let running = world().provisioning(Provisioning::Booted).power(ReportedPower::On);
        let off = running.clone().claim_wants(Power::Off);
        assert_eq!(off.decide().step, World::first(ASK));
        // Not forced, unless the administrator said so.
        let ignored = off.sent(&ASK, 1).later(130);
        assert_eq!(
            ignored.decide().step,
            Step::Send {
                operation: ASK,
                attempt: 2
            }
        );
        assert_eq!(ignored.enforcing().decide().step, World::first(PULL));
        // Off wanted from the beginning: neither override nor power (W12).
        assert_eq!(world().claim_wants(Power::Off).decide().step, Step::Rest);
    }

    #[test]
    fn what_was_tried_often_is_explained() {
        let running = world().gone().power(ReportedPower::On);
        let explained = |world: World| {
            let conditions = world.decide().conditions;
            conditions.into_iter().find(|wish| wish.type_ == power::BMC_OPERATION)
        };
        assert_eq!(explained(running.clone().sent(&PULL, 2).later(600)), None);
        assert_eq!(
            explained(running.clone().sent(&ON, 3).later(600)),
            None,
            "another operation"
        );
        let mut of_another_epoch = running.clone().sent(&PULL, 3).later(600);
        of_another_epoch.status().operation.as_mut().unwrap().epoch -= 1;
        assert_eq!(explained(of_another_epoch), None);
        let wish = explained(running.sent(&PULL, 3).later(600)).unwrap();
        assert_eq!(
            wish.message,
            "ForceOff was tried 3 times: the BMC accepted it, without effect"
        );
    }

    #[test]
    fn release_needs_a_live_answer_and_proven_off() {
        let gone = world().gone();
        assert_eq!(gone.decide().step, Step::Change(Change::Release));
        assert!(matches!(gone.clone().unreadable().decide().step, Step::Wait(_)));
        let unknown = gone.clone().power(ReportedPower::Unknown);
        assert!(matches!(unknown.decide().step, Step::Wait(_)));
        assert!(matches!(gone.clone().sent(&ON, 1).decide().step, Step::Wait(_)));

        let running = gone.clone().power(ReportedPower::On);
        let decision = running.decide();
        assert_eq!(decision.step, World::first(ASK));
        assert_eq!(
            decision.conditions[0].message,
            "Waiting for BMC to confirm power off (current: \"On\")"
        );
        assert_eq!(running.clone().refused(&ASK, 1).decide().step, World::first(PULL));
        assert_eq!(running.sent(&ASK, 1).later(130).decide().step, World::first(PULL));
    }

    #[test]
    fn policies_of_release() {
        let mut retain = world().gone();
        retain.server.spec.reclaim_policy = ReclaimPolicy::Retain;
        retain.server.spec.cleanup_policy = Some(CleanupPolicy::Skip);
        assert_eq!(retain.decide().step, Step::Change(Change::Release));
        let mut skip = world().gone();
        skip.server.spec.cleanup_policy = Some(CleanupPolicy::Skip);
        assert!(matches!(skip.decide().step, Step::Change(Change::Vacate { .. })));
        let released = World::releasing().in_state(ServerState::Reserved);
        assert_eq!(released.decide().step, Step::Enter(ServerState::Cleanup));
        let mut retained = released;
        retained.server.spec.reclaim_policy = ReclaimPolicy::Retain;
        assert_eq!(retained.decide().step, Step::Enter(ServerState::Released));
    }

    #[test]
    fn a_tenant_that_came_back_from_a_backup_is_left_alone() {
        let mut restored = world().provisioning(Provisioning::Booted).power(ReportedPower::On);
        restored.server.metadata.uid = Some("new".into());
        let bound_as = "metal.ironcore.dev/bound-as".to_owned();
        let annotations = restored.server.metadata.annotations.get_or_insert_default();
        annotations.insert(bound_as, "old".into());
        let readopted = |uid: &str| Step::Change(Change::Readopt { uid: uid.into() });
        assert_eq!(
            restored.decide().step,
            readopted("uid-1"),
            "only the Server was restored"
        );
        restored.holder = Holder::Adoptable { uid: "uid-2".into() };
        assert_eq!(restored.decide().step, readopted("uid-2"));
        restored.holder = Holder::Missing;
        let decision = restored.decide();
        assert_eq!(decision.step, Step::Rest);
        assert_eq!(decision.conditions[0].reason, "ClaimMissing");
    }

    #[test]
    fn a_reference_without_uid_is_adopted() {
        let mut old = world();
        old.server.spec.server_claim_ref.as_mut().unwrap().uid = None;
        old.holder = Holder::Adoptable { uid: "u".into() };
        assert_eq!(old.decide().step, Step::Change(Change::Adopt { uid: "u".into() }));
    }
}
