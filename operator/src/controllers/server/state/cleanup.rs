//! Cleanup: nothing of the last tenant stays, and every drive has evidence of it. In this order:
//!
//! 1. off; drives and BIOS looked over;
//! 2. `Drive.SecureErase` for every drive that offers it, and `Bios.ResetBios` where there is one;
//! 3. the wipe agent, from the network, when a drive has to be erased in band, when the BMC knows no drive at all, or when the
//!    BIOS reset needs a boot to take effect (no other system may run on this machine);
//! 4. off; BIOS verified, boot order as declared or as found at discovery, no boot override;
//! 5. evidence complete, then the reference and the residue go in one patch.
//!
//! `status.cleanup.state` is `Pending` before step 2, `InProgress` until step 5.

use std::time::Duration;

use crds::ServerState;
use crds::kinds::server::CleanupPolicy;
use crds::kinds::server_cleanup::{CleanupState, CleanupStatus, DriveEvidence, DriveState, EraseMethod, StepState};
use crds::kinds::server_status::OperationState;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::bmc::ReportedPower;
use crate::conditions::{Wish, seconds};
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::evidence;
use crate::controllers::server::observed::{BootView, Observed};
use crate::controllers::server::power::{self, Force};
use crate::identity::DriveUri;
use crate::ownership::operation::{Operation, has_boot_override};
use crate::ownership::pacing::EXPLAIN_AFTER;
use crate::ownership::reservation::{self, Change, Tenancy};
use crate::registry::Purpose;
use crate::sabotage::{self, Bug};

use super::network_boot;

/// Condition on a Server: whether the last cleanup left nothing behind.
pub(super) const CLEANUP: &str = "Cleanup";

/// Longest pause between two looks at drives that erase themselves.
const LONGEST_ERASURE_PAUSE: Duration = Duration::from_secs(60);

/// What a decision about this cleanup has to see of the BMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub drives: bool,
    pub bios: bool,
    pub tasks: bool,
}

/// What to read before `decide`. It must not be more than needed: BMCs are weak.
pub fn needs(observed: &Observed<'_>) -> Needs {
    let Some(cleanup) = current(observed) else {
        return Needs::default();
    };
    let off = observed.power() == ReportedPower::Off;
    match cleanup.state {
        CleanupState::Pending => Needs {
            drives: off,
            bios: off,
            tasks: false,
        },
        CleanupState::InProgress => Needs {
            drives: false,
            bios: cleanup.bios_reset == Some(StepState::Pending)
                && observed.cleanup.report.as_ref().is_some_and(evidence::is_final),
            tasks: cleanup
                .drives
                .iter()
                .any(|drive| drive.state == DriveState::Erasing && drive.task_uri.is_some()),
        },
        CleanupState::Succeeded | CleanupState::Failed => Needs::default(),
    }
}

/// The cleanup of this epoch.
fn current<'a>(observed: &'a Observed<'_>) -> Option<&'a CleanupStatus> {
    let cleanup = observed.status().cleanup.as_ref();
    cleanup.filter(|cleanup| cleanup.epoch == observed.epoch())
}

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    match Tenancy::of(observed.server) {
        Tenancy::Free => return Step::Enter(observed.state_when_free()).into(),
        Tenancy::Held | Tenancy::Unfenced => return Step::Enter(ServerState::Reserved).into(),
        // Somebody took the reference away while the tenant was at work: off before the machine is another holder's (S3).
        Tenancy::Residue { released: false } => {
            return power::off(observed, Force::AfterAsking)
                .unwrap_or_else(|| Step::Change(Change::BeginCleanup).into());
        }
        Tenancy::Residue { released: true } => {}
    }
    if observed.cleanup_policy() == CleanupPolicy::Skip {
        if observed.system.is_none() {
            return Step::Wait(observed.settings.resync).into();
        }
        return power::off(observed, Force::AfterAsking)
            .unwrap_or_else(|| Step::Change(Change::Vacate { at: observed.now }).into());
    }
    let Some(cleanup) = current(observed) else {
        return Step::RecordCleanup(Box::new(begin(observed))).into();
    };
    match cleanup.state {
        CleanupState::Succeeded => finish(observed, cleanup),
        CleanupState::Failed => Step::Enter(ServerState::Error).into(),
        CleanupState::Pending | CleanupState::InProgress => {
            if let Some(failed) = out_of_time(observed, cleanup) {
                return failed;
            }
            if observed.system.is_none() {
                return Step::Wait(observed.settings.resync).into();
            }
            match cleanup.state {
                CleanupState::Pending => look_over(observed, cleanup),
                _ => work(observed, cleanup),
            }
        }
    }
}

fn begin(observed: &Observed<'_>) -> CleanupStatus {
    let before = observed.status().cleanup.as_ref();
    let attempts = before
        .filter(|before| before.state == CleanupState::Failed)
        .map_or(0, |before| before.attempts);
    CleanupStatus {
        epoch: observed.epoch(),
        state: CleanupState::Pending,
        started_at: Some(Time(seconds(observed.now))),
        attempts: attempts + 1,
        ..CleanupStatus::default()
    }
}

fn out_of_time(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Option<Decision> {
    let limit = observed.settings.cleanup_timeout;
    (running_for(observed, cleanup) >= limit).then(|| {
        let unfinished: Vec<&str> = cleanup
            .drives
            .iter()
            .filter(|drive| drive.state != DriveState::Erased)
            .map(|drive| drive.name.as_deref().unwrap_or(&drive.id))
            .collect();
        let unfinished = match (unfinished.is_empty(), cleanup.drives.is_empty()) {
            (_, true) => "no drive was seen yet".to_owned(),
            (true, _) => "every drive is erased, the machine is not ready".to_owned(),
            (false, _) => format!("not erased: {}", unfinished.join(", ")),
        };
        let message = format!("cleanup did not finish within {}s; {unfinished}", limit.as_secs());
        fail(observed, cleanup.clone(), "CleanupTimeout", message)
    })
}

fn running_for(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Duration {
    let since = cleanup.started_at.as_ref().map_or(observed.now, |time| time.0);
    Duration::try_from(observed.now.duration_since(since)).unwrap_or_default()
}

fn fail(observed: &Observed<'_>, mut cleanup: CleanupStatus, reason: &str, message: String) -> Decision {
    cleanup.state = CleanupState::Failed;
    cleanup.completed_at = Some(Time(seconds(observed.now)));
    cleanup.message = Some(message.clone());
    Decision::from(Step::FailCleanup {
        cleanup: Box::new(cleanup),
        reason: reason.to_owned(),
    })
    .because(Wish::no(CLEANUP, reason, message).observing(observed.server.metadata.generation))
}

fn record(cleanup: CleanupStatus) -> Decision {
    Step::RecordCleanup(Box::new(cleanup)).into()
}

/// Step 1.
fn look_over(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Decision {
    if let Some(decision) = power::off(observed, Force::AfterAsking) {
        return decision;
    }
    // An answer is needed from both; an error is not an empty list.
    let (Some(drives), Some(bios)) = (&observed.cleanup.drives, &observed.cleanup.bios) else {
        return Step::Wait(observed.settings.resource.interval).into();
    };
    let resettable = bios.as_ref().is_some_and(|bios| bios.supports_reset);
    let mut all = evidence::enumerate(drives);
    let known = observed.server.spec.residue_drives.iter().cloned();
    evidence::add_known(&mut all, drives, known.chain(reservation::drives(observed.server)));
    record(CleanupStatus {
        state: CleanupState::InProgress,
        drives: all,
        bios_reset: (!resettable).then_some(StepState::Unsupported),
        ..cleanup.clone()
    })
    .because(
        Wish::no(CLEANUP, "InProgress", "The drives of the last tenancy are being erased")
            .observing(observed.server.metadata.generation),
    )
}

/// Steps 2 to 4.
fn work(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Decision {
    if let Some(decision) = out_of_band(observed, cleanup) {
        return decision;
    }
    // Incident 88.
    let forgiven = forgive_failures(observed, cleanup.clone());
    if forgiven != *cleanup {
        return record(forgiven);
    }
    if let Some(message) = evidence::failures(&cleanup.drives) {
        return fail(observed, cleanup.clone(), "DriveEraseFailed", message);
    }
    if let Some(decision) = reset_bios(observed, cleanup) {
        return decision;
    }
    if wants_agent(cleanup) {
        return agent(observed, cleanup);
    }
    if let Some(decision) = power::off(observed, Force::AtOnce) {
        return decision;
    }
    if let Some(decision) = restore_boot(observed, cleanup) {
        return decision;
    }
    // Incidents 82 and 86.
    if cleanup.drives.is_empty() && !sabotage::active(Bug::NoDriveIsClean) {
        let message = "neither the BMC nor the wipe agent found a drive, which proves nothing".to_owned();
        return fail(observed, cleanup.clone(), "NoDriveFound", message);
    }
    record(CleanupStatus {
        state: CleanupState::Succeeded,
        completed_at: Some(Time(seconds(observed.now))),
        message: None,
        ..cleanup.clone()
    })
    .because(
        Wish::yes(
            CLEANUP,
            "Erased",
            format!("All {} drives were erased", cleanup.drives.len()),
        )
        .observing(observed.server.metadata.generation),
    )
}

/// `None` when no drive waits for the BMC.
fn out_of_band(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Option<Decision> {
    let mut updated = cleanup.clone();
    for drive in &mut updated.drives {
        let task = observed
            .cleanup
            .tasks
            .iter()
            .find(|(uri, _)| Some(uri.as_str()) == drive.task_uri.as_deref());
        if let Some((_, report)) = task
            && drive.state == DriveState::Erasing
        {
            evidence::apply_task(drive, report, observed.now);
        }
        let overdue = running_for(observed, cleanup) >= observed.settings.drive_timeout;
        if drive.method == EraseMethod::SecureErase && drive.state == DriveState::Erasing && overdue {
            let limit = observed.settings.drive_timeout.as_secs();
            evidence::failed(drive, format!("SecureErase did not end within {limit}s"), observed.now);
        }
    }
    // Incident 91.
    if sabotage::active(Bug::EraseAssumedDone) {
        updated = all_erased(observed, &updated, |drive| {
            drive.state == DriveState::Erasing && drive.task_uri.is_none()
        });
    }
    if updated != *cleanup {
        return Some(record(updated));
    }
    // One request at a time, so that each is on record; the erasures themselves run side by side.
    for drive in &cleanup.drives {
        let waits = drive.method == EraseMethod::SecureErase
            && (drive.state == DriveState::Pending || drive.state == DriveState::Erasing && drive.task_uri.is_none());
        if !waits {
            continue;
        }
        let operation = Operation::SecureErase(DriveUri::new(drive.id.as_str()));
        let name = operation.to_string();
        let last = observed
            .status()
            .operation
            .as_ref()
            .filter(|last| last.operation == name && last.epoch == observed.epoch());
        if last.is_some_and(|last| last.attempts >= EXPLAIN_AFTER && last.state == OperationState::Failed) {
            // Incident 87.
            if sabotage::active(Bug::RefusedEraseIsErased) {
                return Some(record(all_erased(observed, cleanup, |other| other.id == drive.id)));
            }
            let message = last.and_then(|last| last.message.clone()).unwrap_or_default();
            for drive in updated.drives.iter_mut().filter(|other| other.id == drive.id) {
                evidence::failed(drive, format!("SecureErase was refused: {message}"), observed.now);
            }
            return Some(record(updated));
        }
        return Some(power::send(observed, operation, &observed.settings.resource));
    }
    let running = cleanup
        .drives
        .iter()
        .any(|drive| drive.method == EraseMethod::SecureErase && drive.state == DriveState::Erasing);
    running.then(|| Step::Wait(erasure_pause(observed, cleanup)).into())
}

/// Between two looks at drives that erase themselves, which takes seconds or an hour: a part of the time that has passed already, so that a
/// weak BMC is asked tens of times and not a thousand, and the end is seen soon.
fn erasure_pause(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Duration {
    let shortest = observed.settings.resource.interval;
    (running_for(observed, cleanup) / 5).clamp(shortest, shortest.max(LONGEST_ERASURE_PAUSE))
}

/// Incident 88.
fn forgive_failures(observed: &Observed<'_>, cleanup: CleanupStatus) -> CleanupStatus {
    let some_erased = cleanup.drives.iter().any(|drive| drive.state == DriveState::Erased);
    if !sabotage::active(Bug::FailingDriveTolerated) || !some_erased {
        return cleanup;
    }
    all_erased(observed, &cleanup, |drive| drive.state == DriveState::Failed)
}

/// The evidence as some incidents have it.
fn all_erased(
    observed: &Observed<'_>,
    cleanup: &CleanupStatus,
    which: impl Fn(&DriveEvidence) -> bool,
) -> CleanupStatus {
    let mut updated = cleanup.clone();
    for drive in updated.drives.iter_mut().filter(|drive| which(drive)) {
        evidence::erased(drive, observed.now);
    }
    updated
}

/// `None` once the reset was accepted, or is not offered.
fn reset_bios(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Option<Decision> {
    // Incident 96.
    if cleanup.bios_reset.is_some() || sabotage::active(Bug::BootResidueKept) {
        return None;
    }
    if let Some(decision) = power::off(observed, Force::AtOnce) {
        return Some(decision);
    }
    let name = Operation::ResetBios.to_string();
    let last = observed.status().operation.as_ref();
    let last = last.filter(|last| last.operation == name && last.epoch == observed.epoch());
    match last {
        Some(last) if last.state == OperationState::Observed => Some(record(CleanupStatus {
            bios_reset: Some(StepState::Pending),
            ..cleanup.clone()
        })),
        Some(last) if last.state == OperationState::Failed && last.attempts >= EXPLAIN_AFTER => {
            let said = last.message.as_deref().unwrap_or("no reason given");
            let message = format!("the BMC refused to reset the BIOS to defaults: {said}");
            let failed = CleanupStatus {
                bios_reset: Some(StepState::Failed),
                ..cleanup.clone()
            };
            Some(fail(observed, failed, "BIOSResetFailed", message))
        }
        _ => Some(power::send(observed, Operation::ResetBios, &observed.settings.resource)),
    }
}

fn wants_agent(cleanup: &CleanupStatus) -> bool {
    // Incidents 82 and 86.
    cleanup.drives.is_empty() && !sabotage::active(Bug::NoDriveIsClean)
        || cleanup.bios_reset == Some(StepState::Pending)
        || cleanup
            .drives
            .iter()
            .any(|drive| drive.method == EraseMethod::Agent && drive.state != DriveState::Erased)
}

/// Step 3.
fn agent(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Decision {
    let report = observed.cleanup.report.as_ref();
    // First of all, so that a drive that is pulled before the next attempt is missed even if this status is lost (S6).
    let learned = report.and_then(|report| evidence::learned(&observed.server.spec.residue_drives, report));
    if let Some(drives) = learned {
        return Step::Change(Change::KnowDrives(drives)).into();
    }
    let Some(report) = report.filter(|report| evidence::is_final(report)) else {
        if booted_in_vain(observed)
            && let Some(decision) = power::off(observed, Force::AtOnce)
        {
            return decision;
        }
        return network_boot::towards(observed, Purpose::Cleanup, CLEANUP);
    };
    let mut updated = cleanup.clone();
    evidence::merge_report(&mut updated.drives, report, observed.now);
    // Incident 88.
    updated = forgive_failures(observed, updated);
    if updated.drives.is_empty() {
        let message = "neither the BMC nor the wipe agent found a drive, which proves nothing".to_owned();
        return fail(observed, updated, "NoDriveFound", message);
    }
    if updated.bios_reset == Some(StepState::Pending) && evidence::failures(&updated.drives).is_none() {
        // The boot that ran the agent has applied the reset.
        match &observed.cleanup.bios {
            Some(Some(bios)) if !bios.reset_pending && bios.pending.is_empty() => {
                updated.bios_reset = Some(StepState::Done);
            }
            Some(_) => {
                updated.bios_reset = Some(StepState::Failed);
                let message = "the BIOS still has settings pending after the boot that should have reset it".to_owned();
                return fail(observed, updated, "BIOSResetFailed", message);
            }
            None => return Step::Wait(observed.settings.resource.interval).into(),
        }
    }
    if updated == *cleanup {
        // A report that changes nothing although the agent is wanted: it did not cover everything.
        let message = format!("the report of the wipe agent is not complete: {}", report.message);
        return fail(observed, updated, "IncompleteReport", message);
    }
    record(updated)
}

/// A network boot that fails ends at what is on the drives: the system of the last tenant. An agent that has not said a word after half
/// the time that a discovery run gets is not there.
fn booted_in_vain(observed: &Observed<'_>) -> bool {
    let age = network_boot::start(observed).map(|record| observed.now.duration_since(record.issued_at.0));
    let age = age.and_then(|age| std::time::Duration::try_from(age).ok());
    observed.cleanup.report.is_none() && age.is_some_and(|age| age >= observed.settings.discovery_timeout / 2)
}

/// Step 4. `None` once the boot order is as it was and nothing overrides it.
fn restore_boot(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Option<Decision> {
    let system = observed.system?;
    // Incident 96.
    if sabotage::active(Bug::BootResidueKept) {
        return None;
    }
    if has_boot_override(system) {
        return Some(power::send(
            observed,
            Operation::ClearBootOverride,
            &observed.settings.resource,
        ));
    }
    if cleanup.boot_order.is_some() {
        return None;
    }
    let wanted = crate::controllers::server::wanted_boot_order(observed.server);
    // An order that waits for the next start is in force when the next tenant comes.
    let state = match system.boot.next_order() {
        None => StepState::Unsupported,
        Some(_) if wanted.is_empty() => StepState::Unsupported,
        Some(order) if order == wanted => StepState::Done,
        Some(_) => {
            return Some(power::send(
                observed,
                Operation::BootOrder(wanted),
                &observed.settings.resource,
            ));
        }
    };
    Some(record(CleanupStatus {
        boot_order: Some(state),
        ..cleanup.clone()
    }))
}

/// Step 5.
fn finish(observed: &Observed<'_>, cleanup: &CleanupStatus) -> Decision {
    // Incidents 82 and 86.
    let seen = !cleanup.drives.is_empty() || sabotage::active(Bug::NoDriveIsClean);
    let complete = seen && cleanup.drives.iter().all(|drive| drive.state == DriveState::Erased);
    if !complete {
        // Somebody edited the status. Evidence that contradicts itself is none.
        let message = "the recorded evidence does not cover every drive".to_owned();
        return fail(observed, cleanup.clone(), "IncompleteReport", message);
    }
    if observed.system.is_none() {
        return Step::Wait(observed.settings.resync).into();
    }
    if let Some(decision) = power::off(observed, Force::AtOnce) {
        return decision;
    }
    match observed.boot {
        BootView::Missing => Step::Change(Change::Vacate { at: observed.now }).into(),
        _ => Step::DiscardBoot.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::{Bios, Drive, ResetType, TaskReport, TaskState};
    use crate::identity::TaskUri;
    use crate::registry::{CleanupDrive, CleanupDriveState, CleanupReport, CleanupState as AgentState};
    use crds::kinds::server::KnownDrive;

    const ON: Operation = Operation::Reset(ResetType::On);
    const PULL: Operation = Operation::Reset(ResetType::ForceOff);

    fn world() -> World {
        let mut world = World::releasing()
            .in_state(ServerState::Cleanup)
            .power(ReportedPower::Off);
        world.status().boot_order = vec!["Boot0001".into(), "Boot0002".into()];
        world
    }

    fn bmc_drive(serial: &str, secure_erase: bool) -> Drive {
        Drive {
            id: serial.into(),
            uri: DriveUri::new(format!("/drives/{serial}")),
            name: format!("Disk {serial}"),
            serial_number: Some(serial.into()),
            capacity_bytes: None,
            secure_erase,
            state: None,
            health: None,
        }
    }

    fn evidence(serial: &str, method: EraseMethod, state: DriveState) -> DriveEvidence {
        DriveEvidence {
            id: format!("/drives/{serial}"),
            name: Some(format!("Disk {serial}")),
            serial_number: Some(serial.into()),
            method,
            state,
            ..DriveEvidence::default()
        }
    }

    fn bios(reset_pending: bool) -> Bios {
        Bios {
            attributes: serde_json::Map::new(),
            pending: serde_json::Map::new(),
            supports_reset: true,
            reset_pending,
        }
    }

    fn reported(mut world: World, state: AgentState, drives: &[(&str, CleanupDriveState, &str)]) -> World {
        world.cleanup.report = Some(CleanupReport {
            state,
            message: String::new(),
            drives: drives
                .iter()
                .map(|(serial, state, message)| CleanupDrive {
                    name: format!("/dev/{serial}"),
                    serial_number: (*serial).into(),
                    state: *state,
                    message: (*message).into(),
                    ..CleanupDrive::default()
                })
                .collect(),
            received_at: world.now,
        });
        world.server.spec.residue_drives = drives.iter().map(|(serial, ..)| known(serial)).collect();
        world
    }

    fn known(serial: &str) -> KnownDrive {
        KnownDrive {
            name: format!("/dev/{serial}"),
            serial_number: Some(serial.into()),
        }
    }

    fn recorded(decision: &Decision) -> &CleanupStatus {
        match &decision.step {
            Step::RecordCleanup(cleanup) => cleanup,
            other => panic!("{other:?}"),
        }
    }

    fn failure(decision: &Decision) -> (&str, &str) {
        let Step::FailCleanup { cleanup, reason } = &decision.step else {
            panic!("{:?}", decision.step);
        };
        assert_eq!(cleanup.state, CleanupState::Failed);
        assert_eq!(decision.conditions[0].reason, *reason);
        (reason, cleanup.message.as_deref().unwrap())
    }

    #[test]
    fn begins_with_a_look_at_everything() {
        let decision = world().decide();
        let begun = recorded(&decision);
        assert_eq!(
            (begun.state, begun.epoch, begun.attempts),
            (CleanupState::Pending, 5, 1)
        );
        let mut pending = world().cleanup(|cleanup| cleanup.state = CleanupState::Pending);
        // Nothing read, nothing concluded.
        assert!(matches!(pending.decide().step, Step::Wait(_)));
        pending.cleanup.drives = Some(vec![bmc_drive("A", true), bmc_drive("B", false)]);
        assert!(matches!(pending.decide().step, Step::Wait(_)));
        pending.cleanup.bios = Some(None);
        let decision = pending.decide();
        let looked = recorded(&decision);
        assert_eq!(looked.state, CleanupState::InProgress);
        assert_eq!(looked.bios_reset, Some(StepState::Unsupported));
        let methods: Vec<EraseMethod> = looked.drives.iter().map(|drive| drive.method).collect();
        assert_eq!(methods, [EraseMethod::SecureErase, EraseMethod::Agent]);
        pending.cleanup.bios = Some(Some(bios(false)));
        assert_eq!(recorded(&pending.decide()).bios_reset, None);
    }

    #[test]
    fn a_drive_that_only_the_agent_has_seen_is_remembered_before_anything_is_made_of_it() {
        for state in [AgentState::InProgress, AgentState::Succeeded] {
            let drives = [
                ("A", CleanupDriveState::Erased, ""),
                ("B-1", CleanupDriveState::Failed, ""),
            ];
            let mut world = reported(in_band(StepState::Unsupported), state, &drives);
            // As the BMC writes it.
            world.server.spec.residue_drives = vec![known("a")];
            let learned = Change::KnowDrives(vec![known("a"), known("B-1")]);
            assert_eq!(world.decide().step, Step::Change(learned), "{state:?}");
        }
    }

    #[test]
    fn secure_erase_is_tracked_to_its_end() {
        let erasing = |state, task: Option<&str>| {
            world().cleanup(|cleanup| {
                cleanup.bios_reset = Some(StepState::Unsupported);
                cleanup.drives = vec![DriveEvidence {
                    task_uri: task.map(Into::into),
                    ..evidence("A", EraseMethod::SecureErase, state)
                }];
            })
        };
        let operation = Operation::SecureErase(DriveUri::new("/drives/A"));
        let pending = erasing(DriveState::Pending, None);
        assert_eq!(pending.decide().step, World::first(operation.clone()));
        let refused = pending.refused(&operation, 3);
        assert_eq!(recorded(&refused.decide()).drives[0].state, DriveState::Failed);
        let mut running = erasing(DriveState::Erasing, Some("/tasks/1"));
        for (seconds, pause) in [(0, 5), (20, 5), (100, 20), (1000, 60)] {
            let wait = Step::Wait(Duration::from_secs(pause));
            assert_eq!(running.clone().later(seconds).decide().step, wait, "after {seconds} s");
        }
        running.cleanup.tasks = vec![(
            TaskUri::new("/tasks/1"),
            Ok(TaskReport {
                state: TaskState::Succeeded,
                reported: "Completed/OK".into(),
                percent: Some(100),
                messages: Vec::new(),
                retry_after: None,
            }),
        )];
        assert_eq!(recorded(&running.decide()).drives[0].state, DriveState::Erased);
        let overdue = erasing(DriveState::Erasing, Some("/tasks/1")).later(1801);
        assert_eq!(recorded(&overdue.decide()).drives[0].state, DriveState::Failed);
        let failed = erasing(DriveState::Failed, None);
        assert_eq!(failure(&failed.decide()).0, "DriveEraseFailed");
    }

    fn in_band(bios_reset: StepState) -> World {
        world().cleanup(|cleanup| {
            cleanup.bios_reset = Some(bios_reset);
            cleanup.drives = vec![evidence("A", EraseMethod::Agent, DriveState::Pending)];
        })
    }

    #[test]
    fn bios_reset_is_accepted_before_the_boot_that_applies_it() {
        let mut world = in_band(StepState::Pending);
        world = world.cleanup(|cleanup| cleanup.bios_reset = None);
        assert_eq!(world.decide().step, World::first(Operation::ResetBios));
        let accepted = world.clone().observed(&Operation::ResetBios, 1);
        assert_eq!(recorded(&accepted.decide()).bios_reset, Some(StepState::Pending));
        let refused = world.clone().refused(&Operation::ResetBios, 1).later(600);
        assert_eq!(
            refused.decide().step,
            Step::Send {
                operation: Operation::ResetBios,
                attempt: 2
            }
        );
        assert_eq!(
            failure(&world.clone().refused(&Operation::ResetBios, 3).decide()).0,
            "BIOSResetFailed"
        );
        let accepted_at_last = world.observed(&Operation::ResetBios, 3);
        assert_eq!(
            recorded(&accepted_at_last.decide()).bios_reset,
            Some(StepState::Pending)
        );
    }

    #[test]
    fn no_more_is_read_than_is_needed() {
        let needs = |world: &World| super::needs(&world.observe());
        let both = world().cleanup(|cleanup| cleanup.state = CleanupState::Pending);
        let look_over = Needs {
            drives: true,
            bios: true,
            tasks: false,
        };
        assert_eq!(needs(&both), look_over);
        assert_eq!(needs(&both.power(ReportedPower::On)), Needs::default());
        let waiting = in_band(StepState::Pending);
        assert_eq!(needs(&waiting), Needs::default(), "the agent has not spoken");
        let done = |world: World| reported(world, AgentState::Succeeded, &[("A", CleanupDriveState::Erased, "")]);
        assert_eq!(needs(&done(in_band(StepState::Unsupported))), Needs::default());
        let bios = Needs {
            bios: true,
            ..Needs::default()
        };
        assert_eq!(needs(&done(waiting)), bios);
        for (state, task, tasks) in [
            (DriveState::Erasing, Some("/tasks/1"), true),
            (DriveState::Erasing, None, false),
            (DriveState::Erased, Some("/tasks/1"), false),
        ] {
            let erasing = world().cleanup(|cleanup| {
                cleanup.bios_reset = Some(StepState::Unsupported);
                cleanup.drives = vec![DriveEvidence {
                    task_uri: task.map(Into::into),
                    ..evidence("A", EraseMethod::SecureErase, state)
                }];
            });
            assert_eq!(needs(&erasing).tasks, tasks, "{state:?} {task:?}");
        }
    }

    #[test]
    fn the_agent_boots_with_the_token_of_this_epoch_and_its_report_decides() {
        let world = in_band(StepState::Pending).boot(BootView::Missing);
        assert_eq!(world.decide().step, Step::PrepareBoot(Purpose::Cleanup));
        let ready = world.boot(BootView::Ready);
        assert_eq!(ready.decide().step, World::first(Operation::NetworkBoot));
        assert_eq!(ready.clone().armed().decide().step, World::first(ON));
        let running = ready.observed(&ON, 1).power(ReportedPower::On);
        assert!(matches!(running.decide().step, Step::Wait(_)));

        let in_vain = running.clone().later(900);
        assert_eq!(in_vain.decide().step, World::first(PULL));
        let off = in_vain.sent(&PULL, 1).power(ReportedPower::Off);
        assert_eq!(off.decide().step, World::first(Operation::NetworkBoot));

        let erasing = reported(
            running.clone(),
            AgentState::InProgress,
            &[("A", CleanupDriveState::Erased, "")],
        );
        assert!(matches!(erasing.decide().step, Step::Wait(_)));
        assert!(matches!(erasing.later(900).decide().step, Step::Wait(_)), "it is there");

        let mut done = reported(
            running.clone(),
            AgentState::Succeeded,
            &[("A", CleanupDriveState::Erased, "")],
        );
        assert!(matches!(done.decide().step, Step::Wait(_)), "BIOS not read yet");
        done.cleanup.bios = Some(Some(bios(false)));
        let decision = done.decide();
        let merged = recorded(&decision);
        assert_eq!(merged.drives[0].state, DriveState::Erased);
        assert_eq!(merged.bios_reset, Some(StepState::Done));
        done.cleanup.bios = Some(Some(bios(true)));
        assert_eq!(failure(&done.decide()).0, "BIOSResetFailed");

        let failed = reported(
            running,
            AgentState::Failed,
            &[("A", CleanupDriveState::Failed, "write error at sector 7")],
        );
        let decision = failed.decide();
        let merged = recorded(&decision).clone();
        let next = failed.cleanup(|cleanup| *cleanup = merged).decide();
        assert_eq!(
            failure(&next),
            (
                "DriveEraseFailed",
                "drive Disk A (serial number A) was not erased: write error at sector 7"
            )
        );
    }

    fn erased() -> World {
        world().cleanup(|cleanup| {
            cleanup.bios_reset = Some(StepState::Done);
            cleanup.drives = vec![evidence("A", EraseMethod::Agent, DriveState::Erased)];
        })
    }

    #[test]
    fn boot_settings_are_restored_on_a_machine_that_is_off() {
        assert_eq!(
            erased().power(ReportedPower::On).decide().step,
            World::first(PULL),
            "the agent has nothing more to do"
        );
        assert_eq!(
            erased().armed().decide().step,
            World::first(Operation::ClearBootOverride)
        );
        let mut altered = erased();
        altered.system.boot.boot_order = Some(vec!["Boot0002".into(), "Boot0001".into()]);
        let order = vec!["Boot0001".into(), "Boot0002".into()];
        assert_eq!(altered.decide().step, World::first(Operation::BootOrder(order)));
        assert_eq!(recorded(&erased().decide()).boot_order, Some(StepState::Done));
        let restored = erased().cleanup(|cleanup| {
            cleanup.boot_order = Some(StepState::Done);
            cleanup.message = Some("what went wrong on the way".into());
        });
        let decision = restored.decide();
        let succeeded = recorded(&decision);
        assert_eq!(
            (succeeded.state, succeeded.message.as_deref()),
            (CleanupState::Succeeded, None)
        );
    }

    #[test]
    fn the_holder_goes_last_and_only_with_complete_evidence() {
        let done = erased().cleanup(|cleanup| {
            cleanup.boot_order = Some(StepState::Done);
            cleanup.state = CleanupState::Succeeded;
        });
        assert!(matches!(done.decide().step, Step::Change(Change::Vacate { .. })));
        assert_eq!(done.clone().boot(BootView::Ready).decide().step, Step::DiscardBoot);
        assert!(matches!(
            done.clone().power(ReportedPower::Unknown).decide().step,
            Step::Wait(_)
        ));
        let none = done.clone().cleanup(|cleanup| cleanup.drives.clear());
        assert_eq!(failure(&none.decide()).0, "IncompleteReport");
        // Evidence of an earlier epoch is none.
        let mut stale = done;
        stale.server.spec.tenancy_epoch = Some(9);
        assert_eq!(recorded(&stale.decide()).state, CleanupState::Pending);
    }

    #[test]
    fn nothing_found_is_not_clean() {
        let diskless = world()
            .cleanup(|cleanup| cleanup.bios_reset = Some(StepState::Unsupported))
            .boot(BootView::Ready);
        assert_eq!(diskless.decide().step, World::first(Operation::NetworkBoot));
        let reported = reported(diskless, AgentState::Succeeded, &[]);
        assert_eq!(failure(&reported.decide()).0, "NoDriveFound");
    }

    #[test]
    fn time_runs_out_even_when_the_bmc_is_silent() {
        let late = in_band(StepState::Unsupported).unreadable().later(3600);
        let decision = late.decide();
        assert_eq!(
            failure(&decision),
            (
                "CleanupTimeout",
                "cleanup did not finish within 3600s; not erased: Disk A"
            )
        );
    }

    #[test]
    fn skip_and_states_that_spec_contradicts() {
        let mut skip = world();
        skip.server.spec.cleanup_policy = Some(CleanupPolicy::Skip);
        assert!(matches!(skip.decide().step, Step::Change(Change::Vacate { .. })));
        let held = World::held().in_state(ServerState::Cleanup).decide().step;
        assert_eq!(held, Step::Enter(ServerState::Reserved));
        let free = World::free().in_state(ServerState::Cleanup);
        assert_eq!(free.decide().step, Step::Enter(ServerState::Initial), "inventory lost");
        assert_eq!(free.inventoried().decide().step, Step::Enter(ServerState::Available));
        let mut cleared = World::residue().in_state(ServerState::Cleanup);
        cleared.server.spec.residue_epoch = Some(5);
        assert_eq!(cleared.decide().step, Step::Change(Change::BeginCleanup));
    }

    #[test]
    fn a_retry_counts_attempts() {
        let retried = world().cleanup(|cleanup| {
            cleanup.epoch = 4;
            cleanup.state = CleanupState::Failed;
            cleanup.attempts = 2;
        });
        assert_eq!(recorded(&retried.decide()).attempts, 3);
    }

    #[test]
    fn what_counts_as_a_boot_override() {
        for (enabled, target, expected) in [
            (Some("Once"), Some("Pxe"), true),
            (Some("Continuous"), Some("Hdd"), true),
            (Some("Once"), Some("None"), false),
            (Some("Once"), None, false),
            // Left behind by a vendor who disables it.
            (Some("Disabled"), Some("Pxe"), false),
            (None, Some("Pxe"), false),
        ] {
            let mut world = World::free();
            world.system.boot.override_enabled = enabled.map(Into::into);
            world.system.boot.override_target = target.map(Into::into);
            assert_eq!(has_boot_override(&world.system), expected, "{enabled:?} {target:?}");
        }
    }
}
