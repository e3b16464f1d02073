//! Whether there is anything new for a look at an object. A controller is woken by the events of its own writes, too, and a look costs a
//! request to a weak BMC: one that would see what the last one saw waits for its time instead.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

enum Turn {
    /// Somebody looks; whether something has happened since.
    Running { stirred: bool },
    /// Somebody has looked, left the object in this version, and wants to look again then.
    Settled { version: String, due: Instant },
}

/// What is known of objects that were looked at, by name.
#[derive(Default)]
pub struct Turns(Mutex<BTreeMap<String, Turn>>);

impl Turns {
    /// Something has happened besides the object itself: the next look takes place.
    pub fn stir(&self, name: &str) {
        let mut turns = self.lock();
        match turns.get_mut(name) {
            Some(Turn::Running { stirred }) => *stirred = true,
            Some(Turn::Settled { .. }) => {
                turns.remove(name);
            }
            None => {}
        }
    }

    /// The object is gone.
    pub fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// A look begins at the object in this version, unless there is nothing new before this time is over.
    pub fn begin(&self, name: &str, version: Option<&str>) -> Option<Duration> {
        let mut turns = self.lock();
        if let Some(Turn::Settled { version: last, due }) = turns.get(name)
            && version == Some(last)
        {
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Some(left);
            }
        }
        turns.insert(name.to_owned(), Turn::Running { stirred: false });
        None
    }

    /// A look has ended with nothing to do before `pause` is over, as far as it can tell.
    pub fn settle(&self, name: &str, version: Option<&str>, pause: Duration) {
        let mut turns = self.lock();
        let undisturbed = matches!(turns.get(name), Some(Turn::Running { stirred: false }));
        match version.filter(|_| undisturbed) {
            Some(version) => {
                let version = version.to_owned();
                let due = Instant::now() + pause;
                turns.insert(name.to_owned(), Turn::Settled { version, due });
            }
            None => {
                turns.remove(name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn the_event_of_an_own_write_is_no_news() {
        let turns = Turns::default();
        assert_eq!(turns.begin("a", Some("1")), None);
        turns.settle("a", Some("2"), PAUSE);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(turns.begin("a", Some("2")), Some(Duration::from_secs(4)));
        assert_eq!(turns.begin("b", Some("2")), None);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(turns.begin("a", Some("2")), None, "its time has come");
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_else_happens_is_news() {
        let turns = Turns::default();
        let settled = || {
            turns.begin("a", Some("1"));
            turns.settle("a", Some("2"), PAUSE);
        };
        settled();
        assert_eq!(turns.begin("a", Some("3")), None, "somebody else wrote");
        settled();
        turns.stir("a");
        assert_eq!(turns.begin("a", Some("2")), None, "something else changed");
        turns.begin("a", Some("1"));
        turns.stir("a");
        turns.settle("a", Some("2"), PAUSE);
        assert_eq!(turns.begin("a", Some("2")), None, "something else changed meanwhile");
        settled();
        turns.forget("a");
        assert_eq!(turns.begin("a", Some("2")), None, "made anew");
        assert_eq!(turns.begin("a", Some("2")), None, "the last look has not ended well");
    }
}
