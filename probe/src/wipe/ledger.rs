//! What is known about each drive while a wipe runs. Pure bookkeeping; shared by the futures that erase and the one
//! that reports.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::host::{Drive, HostError};
use crate::model::{CleanupReport, CleanupState, DriveReport, DriveState, EraseMethod};

#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    drives: Vec<(Drive, DriveReport)>,
    /// Why the wipe as a whole failed, apart from single drives.
    failure: Option<String>,
}

impl Ledger {
    /// Adds the drives that are not known yet and returns them.
    pub(super) fn add(&self, present: &[Drive]) -> Vec<Drive> {
        self.update(|entries| {
            let new: Vec<Drive> = present
                .iter()
                .filter(|drive| !entries.drives.iter().any(|(known, _)| known.is_same_device(drive)))
                .cloned()
                .collect();
            entries.drives.extend(new.iter().map(|drive| {
                let report = DriveReport {
                    name: drive.name.clone(),
                    serial_number: drive.serial_number.clone(),
                    wwid: drive.wwid.clone(),
                    size_bytes: drive.size_bytes,
                    method: None,
                    state: DriveState::Pending,
                    message: String::new(),
                };
                (drive.clone(), report)
            }));
            new
        })
    }

    pub(super) fn erasing(&self, drive: &Drive) {
        self.update(|entries| entries.of(drive).state = DriveState::Erasing);
    }

    pub(super) fn finished(&self, drive: &Drive, result: Result<EraseMethod, HostError>) {
        self.update(|entries| {
            let report = entries.of(drive);
            match result {
                Ok(method) => {
                    report.state = DriveState::Erased;
                    report.method = Some(method);
                }
                Err(error) => {
                    report.state = DriveState::Failed;
                    report.message = error.to_string();
                }
            }
        });
    }

    /// A drive that is not there any more was not proven empty: it may come back.
    pub(super) fn fail_vanished(&self, present: &[Drive]) {
        self.update(|entries| {
            for (drive, report) in &mut entries.drives {
                if report.state != DriveState::Failed && !present.iter().any(|found| found.is_same_device(drive)) {
                    report.state = DriveState::Failed;
                    report.message = format!(
                        "{} disappeared during the wipe; put it back or replace it, then wipe again",
                        drive.name
                    );
                }
            }
        });
    }

    /// The result of the whole wipe.
    pub(super) fn conclude(&self, enumeration: Result<(), HostError>) -> CleanupState {
        self.update(|entries| {
            if let Err(error) = enumeration {
                entries.failure = Some(format!("the drives of this machine cannot be listed: {error}"));
            } else if entries.drives.is_empty() {
                entries.failure = Some("this machine shows no drive, so nothing is proven to be erased".to_owned());
            }
            match entries.failure.is_none() && entries.count(DriveState::Erased) == entries.drives.len() {
                true => CleanupState::Succeeded,
                false => CleanupState::Failed,
            }
        })
    }

    pub(super) fn report(&self, system_uuid: &str, state: CleanupState) -> CleanupReport {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        CleanupReport {
            system_uuid: system_uuid.to_owned(),
            state,
            message: entries.summary(),
            drives: entries.drives.iter().map(|(_, report)| report.clone()).collect(),
        }
    }

    /// Returns after the next change, or at once if there was one since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn update<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let result = change(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
        result
    }
}

impl Entries {
    fn of(&mut self, drive: &Drive) -> &mut DriveReport {
        self.drives
            .iter_mut()
            .find_map(|(known, report)| known.is_same_device(drive).then_some(report))
            .expect("a drive is added before it is erased")
    }

    fn count(&self, state: DriveState) -> usize {
        self.drives.iter().filter(|(_, report)| report.state == state).count()
    }

    fn summary(&self) -> String {
        let (erased, failed, all) = (
            self.count(DriveState::Erased),
            self.count(DriveState::Failed),
            self.drives.len(),
        );
        match (&self.failure, failed) {
            (Some(failure), _) => failure.clone(),
            (None, 0) => format!("{erased} of {all} drives erased"),
            (None, _) => format!("{erased} of {all} drives erased, {failed} failed"),
        }
    }
}
