//! Where in the log a moment is: what a watch cache that lags behind knows.

use tokio::time::Instant;

use super::{FIRST_REVISION, StorageId, Store, Table};

impl Store {
    /// The revision of the store at a moment, or the oldest one whose moment is known.
    pub(crate) fn newest_at(&self, moment: Instant) -> u64 {
        let state = self.lock();
        let newest = state.tables.values().map(|table| table.newest_at(moment));
        newest.max().unwrap_or(0)
    }

    /// The oldest revision of a table whose content can be told: a cache that lags further starts anew, like a real one
    /// whose watch was compacted.
    pub(crate) fn oldest(&self, id: &StorageId) -> u64 {
        let state = self.lock();
        state.tables.get(id).map_or(0, Table::oldest).max(FIRST_REVISION)
    }

    /// When a revision was committed; `None` if it is too old to be known.
    pub(crate) fn committed_at(&self, revision: u64) -> Option<Instant> {
        let state = self.lock();
        state.tables.values().find_map(|table| table.committed_at(revision))
    }
}
