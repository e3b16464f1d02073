//! What the BMC has logged: the newest of what has happened.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::event::MachineEventKind;

/// As many entries as the log holds; the oldest makes room for the newest.
pub(crate) const CAPACITY: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct EventLog {
    written: u64,
    entries: VecDeque<LogEntry>,
}

#[derive(Debug)]
pub(crate) struct LogEntry {
    /// Counts from 1, and goes on counting when the log is cleared.
    pub number: u64,
    /// By the BMC's clock, right or wrong.
    pub created: Timestamp,
    pub kind: MachineEventKind,
}

impl EventLog {
    /// Writes down what a BMC notices and finds worth it.
    pub(crate) fn note(&mut self, created: Timestamp, kind: &MachineEventKind) {
        if !is_noted(kind) {
            return;
        }
        if self.entries.len() >= CAPACITY {
            self.entries.pop_front();
        }
        self.written += 1;
        self.entries.push_back(LogEntry {
            number: self.written,
            created,
            kind: kind.clone(),
        });
    }

    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// What happens in band only, no BMC sees; requests and sessions would push out everything else.
fn is_noted(kind: &MachineEventKind) -> bool {
    use MachineEventKind as Kind;
    match kind {
        Kind::Power { .. }
        | Kind::BootFailed { .. }
        | Kind::LoginFailed { .. }
        | Kind::VolumeCreated { .. }
        | Kind::VolumeDeleted { .. }
        | Kind::VolumeInitialized { .. }
        | Kind::BmcReady
        | Kind::TaskFinished { .. } => true,
        Kind::DriveErased { in_band, .. }
        | Kind::DriveEraseLied { in_band, .. }
        | Kind::DriveEraseFailed { in_band, .. } => !in_band,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let mut log = EventLog::default();
        for _ in 0..CAPACITY + 2 {
            log.note(Timestamp::UNIX_EPOCH, &MachineEventKind::BmcReady);
        }
        log.note(Timestamp::UNIX_EPOCH, &MachineEventKind::BmcReset);
        let numbers: Vec<u64> = log.entries().map(|entry| entry.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[CAPACITY - 1]), (CAPACITY, 3, 514));
        log.clear();
        log.note(Timestamp::UNIX_EPOCH, &MachineEventKind::BmcReady);
        assert_eq!(log.entries().map(|entry| entry.number).collect::<Vec<_>>(), [515]);
    }
}
