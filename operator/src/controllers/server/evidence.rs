//! Evidence of erasure: from the BMC's list of drives, its tasks, and the wipe agent's report. Pure.

use std::collections::BTreeSet;

use crds::kinds::server::KnownDrive;
use crds::kinds::server_cleanup::{DriveEvidence, DriveState, EraseMethod};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::bmc::{BmcError, Drive, TaskReport, TaskState};
use crate::conditions::seconds;
use crate::registry::{CleanupDrive, CleanupDriveState, CleanupReport, CleanupState};
use crate::sabotage::{self, Bug};

/// One entry per drive that the BMC has, and how it will be erased. An empty bay has nothing to erase.
pub fn enumerate(drives: &[Drive]) -> Vec<DriveEvidence> {
    drives
        .iter()
        .filter(|drive| drive.state.as_deref() != Some("Absent"))
        .map(|drive| DriveEvidence {
            id: drive.uri.as_str().to_owned(),
            name: Some(drive.name.clone()),
            serial_number: drive.serial_number.clone().filter(|serial| !serial.trim().is_empty()),
            method: if drive.secure_erase {
                EraseMethod::SecureErase
            } else {
                EraseMethod::Agent
            },
            ..DriveEvidence::default()
        })
        .collect()
}

/// Adds what is known of earlier and `drives`, the list of the BMC, does not show. A drive that the BMC has listed by name is failed: what cannot
/// be seen cannot be erased, and it may come back (S6; bugs.md #88). One that the probe saw has to be in the report of the wipe agent.
pub fn add_known(evidence: &mut Vec<DriveEvidence>, drives: &[Drive], known: impl IntoIterator<Item = KnownDrive>) {
    // Incident 86.
    if sabotage::active(Bug::MissingDriveForgotten) {
        return;
    }
    let known: BTreeSet<KnownDrive> = known.into_iter().collect();
    for drive in known {
        let more = match drive.serial_number {
            Some(serial) => {
                let listed = evidence.iter().any(|listed| {
                    let listed = listed.serial_number.as_deref().unwrap_or_default();
                    normal(listed) == normal(&serial)
                });
                (!listed).then(|| DriveEvidence {
                    id: drive.name.clone(),
                    name: Some(drive.name),
                    serial_number: Some(serial),
                    method: EraseMethod::Agent,
                    ..DriveEvidence::default()
                })
            }
            None => missing(drives, drive.name),
        };
        evidence.extend(more);
    }
}

/// `known` and the drives of a report that it does not name; `None` where it names all. Whoever looks next may not see them, and the report is
/// soon forgotten.
pub fn learned(known: &[KnownDrive], report: &CleanupReport) -> Option<Vec<KnownDrive>> {
    // Incident 86.
    if sabotage::active(Bug::MissingDriveForgotten) {
        return None;
    }
    let serials: BTreeSet<String> = known
        .iter()
        .filter_map(|drive| drive.serial_number.as_deref())
        .map(normal)
        .collect();
    let is_new = |drive: &&CleanupDrive| {
        let serial = normal(&drive.serial_number);
        !serial.is_empty() && !serials.contains(&serial)
    };
    let new: Vec<KnownDrive> = report
        .drives
        .iter()
        .filter(is_new)
        .map(|drive| KnownDrive {
            name: drive.name.clone(),
            serial_number: Some(drive.serial_number.clone()),
        })
        .collect();
    (!new.is_empty()).then(|| known.iter().cloned().chain(new).collect())
}

fn missing(drives: &[Drive], name: String) -> Option<DriveEvidence> {
    let is_there = drives
        .iter()
        .any(|drive| drive.name == name && drive.state.as_deref() != Some("Absent"));
    (!is_there).then(|| DriveEvidence {
        id: name.clone(),
        name: Some(name),
        state: DriveState::Failed,
        message: Some(
            "was there before and is missing; put it back and retry, or set spec.cleanupPolicy to Skip if it is gone for good"
                .to_owned(),
        ),
        ..DriveEvidence::default()
    })
}

/// Notes what a task says. A task that is gone, or that failed, is not success (bugs.md #105, #106); one that cannot be read
/// at the moment says nothing.
///
/// BMCs answer 404 for the URI of a task that they have just made (an iDRAC for some seconds), which says nothing either.
pub fn apply_task(drive: &mut DriveEvidence, task: &Result<TaskReport, BmcError>, now: Timestamp) {
    match task {
        Ok(report) => match report.state {
            TaskState::Active => {}
            TaskState::Succeeded => erased(drive, now),
            TaskState::Failed => {
                let said = report.messages.join("; ");
                let said = if said.is_empty() {
                    String::new()
                } else {
                    format!(": {said}")
                };
                failed(drive, format!("SecureErase ended as {}{said}", report.reported), now);
            }
        },
        // Incident 105.
        Err(error) if error.is_not_found() && sabotage::active(Bug::VanishedTaskIsSuccess) => erased(drive, now),
        Err(error) if error.is_not_found() && is_new(drive, now) => {}
        Err(error) if error.is_not_found() => {
            failed(
                drive,
                "the SecureErase task disappeared without a result".to_owned(),
                now,
            );
        }
        Err(_) => {}
    }
}

/// How long a task that was made may not be found.
const NEW_TASK: SignedDuration = SignedDuration::from_secs(30);

fn is_new(drive: &DriveEvidence, now: Timestamp) -> bool {
    let age = |started: &Time| now.duration_since(started.0);
    drive.started_at.as_ref().is_some_and(|started| age(started) < NEW_TASK)
}

pub fn erased(drive: &mut DriveEvidence, now: Timestamp) {
    drive.state = DriveState::Erased;
    drive.message = None;
    drive.completed_at = Some(Time(seconds(now)));
}

pub fn failed(drive: &mut DriveEvidence, message: String, now: Timestamp) {
    drive.state = DriveState::Failed;
    drive.message = Some(message);
    drive.completed_at = Some(Time(seconds(now)));
}

/// Takes a finished report over: every drive that waits for the agent gets the agent's verdict, drives that only the agent
/// has seen are added, and what the agent did not cover is failed (S4: partial never counts as clean).
pub fn merge_report(drives: &mut Vec<DriveEvidence>, report: &CleanupReport, now: Timestamp) {
    let mut unmatched: Vec<&CleanupDrive> = report.drives.iter().collect();
    for drive in drives.iter_mut() {
        let found = unmatched.iter().position(|seen| same_drive(drive, seen));
        let Some(seen) = found.map(|index| unmatched.remove(index)) else {
            if drive.method == EraseMethod::Agent && drive.state != DriveState::Erased {
                failed(drive, not_covered(drive), now);
            }
            continue;
        };
        match seen.state {
            CleanupDriveState::Erased if drive.method == EraseMethod::Agent => erased(drive, now),
            CleanupDriveState::Erased => {}
            // Also for a drive whose out-of-band erasure succeeded: somebody who looked disagrees.
            _ => failed(drive, reason(seen, report), now),
        }
    }
    for seen in unmatched {
        let mut drive = DriveEvidence {
            id: seen.name.clone(),
            name: Some(seen.name.clone()),
            serial_number: Some(seen.serial_number.clone()).filter(|serial| !serial.trim().is_empty()),
            method: EraseMethod::Agent,
            ..DriveEvidence::default()
        };
        match seen.state {
            CleanupDriveState::Erased => erased(&mut drive, now),
            _ => failed(&mut drive, reason(seen, report), now),
        }
        drives.push(drive);
    }
}

fn not_covered(drive: &DriveEvidence) -> String {
    match &drive.serial_number {
        Some(_) => "the wipe agent did not report this drive".to_owned(),
        None => "the BMC knows no serial number of this drive, so no report can prove that it was erased".to_owned(),
    }
}

fn reason(seen: &CleanupDrive, report: &CleanupReport) -> String {
    let text = if seen.message.is_empty() {
        &report.message
    } else {
        &seen.message
    };
    match seen.state {
        CleanupDriveState::Failed if !text.is_empty() => text.clone(),
        CleanupDriveState::Failed => "the wipe agent could not erase it".to_owned(),
        state => format!("the wipe agent ended with this drive {state:?}"),
    }
}

/// By serial number, or by a world-wide name that contains it. The order and the names of drives differ between BMC and
/// operating system.
fn same_drive(drive: &DriveEvidence, seen: &CleanupDrive) -> bool {
    let Some(serial) = drive
        .serial_number
        .as_deref()
        .map(normal)
        .filter(|serial| !serial.is_empty())
    else {
        return false;
    };
    // Short serial numbers occur inside of long names by chance.
    normal(&seen.serial_number) == serial || serial.len() >= 8 && normal(&seen.wwid).contains(&serial)
}

/// A serial number without what BMCs and operating systems write differently.
fn normal(serial: &str) -> String {
    serial
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether the agent has said its last word.
pub fn is_final(report: &CleanupReport) -> bool {
    report.state != CleanupState::InProgress
}

/// Which drives are not erased and why, for a condition and an event.
pub fn failures(drives: &[DriveEvidence]) -> Option<String> {
    let failed: Vec<String> = drives
        .iter()
        .filter(|drive| drive.state == DriveState::Failed)
        .map(|drive| {
            let name = drive.name.as_deref().unwrap_or(&drive.id);
            let serial = drive.serial_number.as_deref().unwrap_or("unknown");
            let message = drive.message.as_deref().unwrap_or("no reason given");
            format!("drive {name} (serial number {serial}) was not erased: {message}")
        })
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DriveUri;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn drive(id: &str, serial: Option<&str>, secure_erase: bool) -> Drive {
        Drive {
            id: id.into(),
            uri: DriveUri::new(format!("/drives/{id}")),
            name: id.into(),
            serial_number: serial.map(Into::into),
            capacity_bytes: None,
            secure_erase,
            state: Some("Enabled".into()),
            health: None,
        }
    }

    #[test]
    fn a_drive_that_is_not_there_any_more_is_no_clean_drive() {
        let mut pulled = drive("sdb", None, false);
        pulled.state = Some("Absent".into());
        let drives = [drive("sda", None, false), pulled];
        let names = |known: &[&'static str]| -> Vec<String> {
            let mut evidence = Vec::new();
            let known = known.iter().map(|name| KnownDrive {
                name: (*name).into(),
                serial_number: None,
            });
            add_known(&mut evidence, &drives, known);
            evidence.into_iter().map(|evidence| evidence.id).collect()
        };
        assert_eq!(names(&["sda"]), [""; 0]);
        assert_eq!(names(&["sda", "sdb", "sdc", "sdb"]), ["sdb", "sdc"]);

        let mut evidence = enumerate(&[drive("sda", Some("A"), true)]);
        let seen = |name: &str, serial: &str| KnownDrive {
            name: name.into(),
            serial_number: Some(serial.into()),
        };
        add_known(&mut evidence, &[], [seen("/dev/sda", "A"), seen("/dev/sdb", "B")]);
        assert_eq!(
            states(&evidence),
            [("/drives/sda", DriveState::Pending), ("/dev/sdb", DriveState::Pending)]
        );
        let partial = report(
            CleanupState::Succeeded,
            &[("/dev/sda", "A", "", CleanupDriveState::Erased)],
        );
        merge_report(&mut evidence, &partial, now());
        assert_eq!(states(&evidence)[1].1, DriveState::Failed, "the agent has not seen it");
    }

    fn report(state: CleanupState, drives: &[(&str, &str, &str, CleanupDriveState)]) -> CleanupReport {
        CleanupReport {
            state,
            message: "two of two".into(),
            drives: drives
                .iter()
                .map(|(name, serial, wwid, state)| CleanupDrive {
                    name: (*name).into(),
                    serial_number: (*serial).into(),
                    wwid: (*wwid).into(),
                    state: *state,
                    ..CleanupDrive::default()
                })
                .collect(),
            received_at: now(),
        }
    }

    fn states(drives: &[DriveEvidence]) -> Vec<(&str, DriveState)> {
        drives.iter().map(|drive| (drive.id.as_str(), drive.state)).collect()
    }

    #[test]
    fn empty_bays_are_no_drives() {
        let mut absent = drive("bay-2", None, true);
        absent.state = Some("Absent".into());
        let evidence = enumerate(&[drive("a", Some("S1"), true), absent, drive("b", Some(" "), false)]);
        assert_eq!(evidence.len(), 2);
        assert_eq!(evidence[0].method, EraseMethod::SecureErase);
        assert_eq!(
            (evidence[1].method, evidence[1].serial_number.as_deref()),
            (EraseMethod::Agent, None)
        );
    }

    #[test]
    fn a_report_counts_drive_by_drive() {
        use CleanupDriveState::{Erased, Erasing, Failed};
        let table = [
            (
                "matched by serial number, without case and blanks",
                vec![drive("a", Some("ab-12"), false)],
                report(CleanupState::Succeeded, &[("/dev/sda", " AB12 ", "", Erased)]),
                vec![("/drives/a", DriveState::Erased)],
            ),
            (
                "matched by world-wide name",
                vec![drive("a", Some("5000C500A1B2"), false)],
                report(CleanupState::Succeeded, &[("/dev/sda", "", "naa.5000c500a1b2", Erased)]),
                vec![("/drives/a", DriveState::Erased)],
            ),
            (
                "not covered",
                vec![drive("a", Some("A"), false), drive("b", Some("B"), false)],
                report(CleanupState::Succeeded, &[("/dev/sda", "A", "", Erased)]),
                vec![("/drives/a", DriveState::Erased), ("/drives/b", DriveState::Failed)],
            ),
            (
                "no serial number, no proof",
                vec![drive("a", None, false)],
                report(CleanupState::Succeeded, &[("/dev/sda", "", "", Erased)]),
                vec![("/drives/a", DriveState::Failed), ("/dev/sda", DriveState::Erased)],
            ),
            (
                "only the agent sees it",
                vec![],
                report(CleanupState::Failed, &[("/dev/sdb", "B", "", Failed)]),
                vec![("/dev/sdb", DriveState::Failed)],
            ),
            (
                "not finished is not erased",
                vec![drive("a", Some("A"), false)],
                report(CleanupState::Failed, &[("/dev/sda", "A", "", Erasing)]),
                vec![("/drives/a", DriveState::Failed)],
            ),
        ];
        for (why, drives, report, expected) in table {
            let mut evidence = enumerate(&drives);
            merge_report(&mut evidence, &report, now());
            assert_eq!(states(&evidence), expected, "{why}");
        }
    }

    #[test]
    fn what_the_agent_did_not_cover_says_why() {
        let mut evidence = enumerate(&[drive("a", Some("A"), false), drive("b", None, false)]);
        merge_report(&mut evidence, &report(CleanupState::Succeeded, &[]), now());
        let messages: Vec<_> = evidence.iter().filter_map(|drive| drive.message.as_deref()).collect();
        assert_eq!(
            messages,
            [
                "the wipe agent did not report this drive",
                "the BMC knows no serial number of this drive, so no report can prove that it was erased",
            ]
        );
    }

    #[test]
    fn a_drive_erased_out_of_band_needs_no_second_opinion_but_heeds_one() {
        let mut evidence = enumerate(&[drive("a", Some("A"), true)]);
        erased(&mut evidence[0], now());
        merge_report(&mut evidence, &report(CleanupState::Succeeded, &[]), now());
        assert_eq!(evidence[0].state, DriveState::Erased);
        let disagreeing = report(
            CleanupState::Failed,
            &[("/dev/sda", "A", "", CleanupDriveState::Failed)],
        );
        merge_report(&mut evidence, &disagreeing, now());
        assert_eq!(
            failures(&evidence).as_deref(),
            Some("drive a (serial number A) was not erased: two of two")
        );
    }

    #[test]
    fn tasks() {
        let task = |state, reported: &str| {
            Ok(TaskReport {
                state,
                reported: reported.into(),
                percent: None,
                messages: vec!["drive is write protected".into()],
                retry_after: None,
            })
        };
        let gone = Err(BmcError::Http {
            status: 404,
            sent: true,
            message: String::new(),
        });
        let silent = Err(BmcError::Timeout {
            after: std::time::Duration::from_secs(30),
            sent: true,
        });
        for (task, expected) in [
            (task(TaskState::Active, "Running"), DriveState::Erasing),
            (task(TaskState::Succeeded, "Completed/OK"), DriveState::Erased),
            (task(TaskState::Failed, "Completed/Critical"), DriveState::Failed),
            (gone, DriveState::Failed),
            (silent, DriveState::Erasing),
        ] {
            let mut evidence = enumerate(&[drive("a", Some("A"), true)]);
            evidence[0].state = DriveState::Erasing;
            apply_task(&mut evidence[0], &task, now());
            assert_eq!(evidence[0].state, expected, "{task:?}");
        }
    }

    #[test]
    fn a_task_may_not_be_found_at_first() {
        let gone = Err(BmcError::Http {
            status: 404,
            sent: true,
            message: String::new(),
        });
        for (age, expected) in [(29, DriveState::Erasing), (30, DriveState::Failed)] {
            let mut evidence = enumerate(&[drive("a", Some("A"), true)]);
            evidence[0].state = DriveState::Erasing;
            evidence[0].started_at = Some(Time(now()));
            apply_task(&mut evidence[0], &gone, now() + SignedDuration::from_secs(age));
            assert_eq!(evidence[0].state, expected, "{age}");
        }
    }
}
