//! Where everything that happens in a world passes through.

use super::WorldEvent;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Called for every event, in order.
pub type Observer = Arc<dyn Fn(&WorldEvent) + Send + Sync>;

/// Passes events on to observers. An event that an observer causes itself (a log line, say) waits until all have seen the one
/// before: observers are never entered twice.
#[derive(Default)]
pub(super) struct Hub {
    observers: Mutex<Vec<Observer>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<WorldEvent>,
    busy: bool,
}

impl Hub {
    pub(super) fn observe(&self, observer: Observer) {
        lock(&self.observers).push(observer);
    }

    pub(super) fn tell(&self, event: WorldEvent) {
        {
            let mut queue = lock(&self.queue);
            queue.waiting.push_back(event);
            if queue.busy {
                return;
            }
            queue.busy = true;
        }
        let observers = lock(&self.observers).clone();
        loop {
            let next = {
                let mut queue = lock(&self.queue);
                let next = queue.waiting.pop_front();
                queue.busy = next.is_some();
                next
            };
            let Some(event) = next else { return };
            for observer in &observers {
                observer(&event);
            }
        }
    }
}

/// A panic elsewhere leaves plain data behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_observers_wait_their_turn() {
        let (hub, seen) = (Arc::new(Hub::default()), Arc::new(Mutex::new(Vec::new())));
        let (of_hub, of_seen) = (Arc::downgrade(&hub), seen.clone());
        hub.observe(Arc::new(move |event| {
            let WorldEvent::Log { line } = event else { return };
            lock(&of_seen).push(format!("<{line}"));
            if line == "first" {
                let hub = of_hub.upgrade().expect("alive");
                hub.tell(WorldEvent::Log {
                    line: "second".to_owned(),
                });
            }
            lock(&of_seen).push(format!("{line}>"));
        }));
        hub.tell(WorldEvent::Log {
            line: "first".to_owned(),
        });
        assert_eq!(*lock(&seen), ["<first", "first>", "<second", "second>"]);
    }
}
