//! What one watch gets to see of the log, and when.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::FrontEnd;
use crate::resource::Resource;
use crate::store::Change;

/// The changes of a watch, each once the watch cache has it.
pub(crate) struct Feed {
    front_end: FrontEnd,
    resource: Arc<Resource>,
    changes: mpsc::UnboundedReceiver<Arc<Change>>,
    /// The next change: in the log, not yet in the cache.
    held: Option<Arc<Change>>,
    cuts: u64,
    forgotten: u64,
    started: Instant,
    /// It was silent for too long.
    lapsed: bool,
}

/// Whether a watch may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// What it has not seen yet is not known any more.
    Expired,
    /// The connection is gone.
    Cut,
}

impl Feed {
    /// A feed that is yet without changes: what happens to the front end from here on concerns it.
    pub(crate) fn new(
        front_end: &FrontEnd,
        resource: &Arc<Resource>,
        changes: mpsc::UnboundedReceiver<Arc<Change>>,
    ) -> Self {
        let state = front_end.state();
        Self {
            front_end: front_end.clone(),
            resource: resource.clone(),
            changes,
            held: None,
            cuts: state.cuts,
            forgotten: state.forgotten,
            started: Instant::now(),
            lapsed: false,
        }
    }

    /// When a watch of a silent front end expires; `None` if events are delivered.
    fn silent_until(&self) -> Option<Instant> {
        let patience = self.front_end.state().silence?;
        Some(self.started + patience)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent_until().is_some()
    }

    pub(crate) fn standing(&self) -> Standing {
        let state = self.front_end.state();
        if state.cuts != self.cuts {
            Standing::Cut
        } else if self.lapsed || state.forgotten != self.forgotten {
            Standing::Expired
        } else {
            Standing::Good
        }
    }

    /// The next change; `None` when there will be none, because the connection is cut, the resource is gone, or the front
    /// end was silent for too long.
    pub(crate) async fn next(&mut self) -> Option<Arc<Change>> {
        loop {
            let changed = self.front_end.inner.changed.notified();
            if self.standing() == Standing::Cut {
                return None;
            }
            if let Some(end) = self.silent_until() {
                if end <= Instant::now() {
                    self.lapsed = true;
                    return None;
                }
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(end) => {}
                }
                continue;
            }
            let Some(held) = &self.held else {
                tokio::select! {
                    biased;
                    () = changed => {}
                    change = self.changes.recv() => self.held = Some(change?),
                }
                continue;
            };
            match self.due(held) {
                Some(due) if due <= Instant::now() => return self.held.take(),
                Some(due) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(due) => {}
                },
                None => changed.await,
            }
        }
    }

    fn due(&self, change: &Change) -> Option<Instant> {
        let lag = self.front_end.lag(&self.resource);
        lag.due(change.revision(), change.committed)
    }

    /// The next change, if the cache has it now.
    pub(crate) fn try_next(&mut self) -> Option<Arc<Change>> {
        if self.held.is_none() {
            self.held = self.changes.try_recv().ok();
        }
        let due = self.due(self.held.as_ref()?)?;
        if due <= Instant::now() { self.held.take() } else { None }
    }

    /// Everything up to this revision is delivered, once [`Self::try_next`] has nothing, if the store was at `revision`
    /// before.
    pub(crate) fn delivered(&self, revision: u64) -> u64 {
        match &self.held {
            Some(held) => revision.min(held.revision() - 1),
            None => revision,
        }
    }
}
