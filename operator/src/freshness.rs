//! Whether a cached object already shows what this process wrote. Deciding from an object older than one's own last write
//! repeats what was just done (bugs.md #1, #4); waiting for an event that was lost waits for ever (L9).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How a cached object relates to the own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As new as the last write, or newer.
    Current,
    /// Its event is on the way.
    Lagging,
    /// The event should have come long ago: read the object from the API server.
    Lost,
}

/// Resource versions that the cache has to reach, by object. resourceVersions of one resource are ordered numbers (KEP-5504);
/// one that is no number is never waited for.
#[derive(Default)]
pub struct OwnWrites(Mutex<BTreeMap<String, (u64, Instant)>>);

impl OwnWrites {
    /// Notes the resourceVersion that a write returned.
    pub fn wrote(&self, key: &str, resource_version: Option<&str>) {
        if let Some(version) = number(resource_version) {
            self.lock().insert(key.to_owned(), (version, Instant::now()));
        }
    }

    /// Notes that this resourceVersion turned out to be stale.
    pub fn was_stale(&self, key: &str, resource_version: Option<&str>) {
        if let Some(version) = number(resource_version) {
            let mut expected = self.lock();
            let entry = expected.entry(key.to_owned()).or_insert((0, Instant::now()));
            entry.0 = entry.0.max(version + 1);
        }
    }

    /// Compares a cached object with what is expected of it.
    pub fn view(&self, key: &str, cached: Option<&str>, patience: Duration) -> View {
        let mut expected = self.lock();
        let Some((version, since)) = expected.get(key).copied() else {
            return View::Current;
        };
        match number(cached) {
            Some(cached) if cached < version && since.elapsed() < patience => View::Lagging,
            Some(cached) if cached < version => View::Lost,
            _ => {
                expected.remove(key);
                View::Current
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(resource_version: Option<&str>) -> Option<u64> {
    resource_version?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cache_is_waited_for_and_then_not_believed() {
        let patience = Duration::from_secs(5);
        let writes = OwnWrites::default();
        assert_eq!(writes.view("a", Some("1"), patience), View::Current);
        writes.wrote("a", Some("7"));
        assert_eq!(writes.view("a", Some("6"), patience), View::Lagging);
        assert_eq!(writes.view("b", Some("6"), patience), View::Current);
        tokio::time::advance(patience).await;
        assert_eq!(writes.view("a", Some("6"), patience), View::Lost);
        assert_eq!(writes.view("a", Some("8"), patience), View::Current);
        writes.was_stale("a", Some("8"));
        assert_eq!(writes.view("a", Some("8"), patience), View::Lagging);
        assert_eq!(writes.view("a", Some("9"), patience), View::Current);
    }
}
