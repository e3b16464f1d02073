//! What happens again and again is one event with a count, and a count is written now and then only: a BMC that comes and goes must not flood
//! the API server.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two writes of the same event.
const PAUSE: Duration = Duration::from_secs(300);
/// Events that are remembered. Forgetting one costs a request.
const MOST: usize = 20_000;

/// What was written, by the name of the event.
#[derive(Default)]
pub(super) struct Series(Mutex<BTreeMap<String, Entry>>);

struct Entry {
    written: Instant,
    /// Occurrences since this process knows of it.
    count: i32,
}

impl Series {
    /// One more. How many there were, unless that was written a moment ago.
    pub(super) fn occurred(&self, name: &str) -> Option<i32> {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        let Some(entry) = known.get_mut(name) else {
            let entry = Entry { written: now, count: 1 };
            known.insert(name.to_owned(), entry);
            return Some(1);
        };
        entry.count = entry.count.saturating_add(1);
        if now.duration_since(entry.written) < PAUSE {
            return None;
        }
        entry.written = now;
        Some(entry.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_repeats_itself_is_written_now_and_then() {
        let series = Series::default();
        assert_eq!(series.occurred("a"), Some(1));
        assert_eq!(series.occurred("b"), Some(1));
        for _ in 0..50 {
            assert_eq!(series.occurred("a"), None);
        }
        tokio::time::advance(PAUSE).await;
        assert_eq!(series.occurred("a"), Some(52), "none is lost");
        assert_eq!(series.occurred("a"), None);
    }
}
