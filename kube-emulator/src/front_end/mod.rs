//! One of several API servers over the same log, with a watch cache of its own that may lag behind.
//!
//! Real clusters run several. Each serves watches, and reads that allow it, from a cache that it fills from etcd; a
//! client that is moved to another one may see an older state than it has already seen. Writes, and reads without
//! `resourceVersion`, go to etcd and are always current.
//!
//! Nothing runs for that: what a cache has is told by the clock, from the history of the store. What is served at all
//! (discovery, definitions) is not cached here.

mod feed;
mod lag;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api;
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
pub(crate) use feed::{Feed, Standing};
use lag::{Lag, Lags};

/// How long a read waits for the cache to reach the revision it asks for, as in the real server.
const PATIENCE: Duration = Duration::from_secs(3);

/// An API server with a watch cache of its own. Clones are handles to the same one.
#[derive(Clone)]
pub struct FrontEnd {
    inner: Arc<Inner>,
}

struct Inner {
    emulator: KubeEmulator,
    state: Mutex<State>,
    /// Wakes watches and waiting reads when the state changes.
    changed: Notify,
}

#[derive(Default)]
struct State {
    lags: Lags,
    /// How often all connections were cut.
    cuts: u64,
    /// Revisions before this one are not served any more.
    forgotten: u64,
    /// Watches deliver nothing and expire at this age.
    silence: Option<Duration>,
}

impl FrontEnd {
    pub(crate) fn new(emulator: KubeEmulator) -> Self {
        Self {
            inner: Arc::new(Inner {
                emulator,
                state: Mutex::default(),
                changed: Notify::new(),
            }),
        }
    }

    /// The complete API as this front end sees it. Requests need `Authorization: Bearer <token>`, except for version
    /// and health.
    pub fn router(&self) -> Router {
        Router::new().fallback(api::handle).with_state(self.clone())
    }

    /// From now on the watch cache is that far behind; [`Duration::MAX`] is a cache that stands still. A cache does not
    /// go back: a longer lag is reached by standing still. It never lags further than the history of the store goes.
    pub fn set_lag(&self, lag: Duration) {
        let store = self.emulator().store();
        self.change(|state| state.lags.set(lag, Instant::now(), |moment| store.newest_at(moment)));
    }

    /// Gives one resource a lag of its own, by its plural name; `None` makes it follow [`Self::set_lag`] again.
    pub fn set_lag_for(&self, resource: &str, lag: Option<Duration>) {
        let (now, store) = (Instant::now(), self.emulator().store());
        self.change(|state| state.lags.set_for(resource, lag, now, |moment| store.newest_at(moment)));
    }

    /// Ends every open watch now, as at a restart or when a load balancer loses patience.
    pub fn disconnect_watches(&self) {
        self.change(|state| state.cuts += 1);
    }

    /// Fills the watch cache anew: reads from it are current, revisions before now have expired, and every open watch
    /// learns so instead of its next event.
    pub fn forget_history(&self) {
        let revision = self.emulator().store().revision();
        self.change(|state| {
            state.forgotten = revision;
            state.lags.see(revision);
        });
    }

    /// From now on watches deliver neither events nor bookmarks, and each expires at the age of `patience`, so that a
    /// client learns what there is from lists only. `None` makes them deliver again, what they kept back first.
    pub fn set_silence(&self, patience: Option<Duration>) {
        self.change(|state| state.silence = patience);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.inner.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn emulator(&self) -> &KubeEmulator {
        &self.inner.emulator
    }

    /// The oldest revision that is still served.
    pub(crate) fn oldest(&self) -> u64 {
        self.state().forgotten
    }

    fn lag(&self, resource: &Resource) -> Lag {
        self.state().lags.of(&resource.plural)
    }

    /// The revision at which the cache of a resource is; `None` if it does not lag.
    pub(crate) fn cached(&self, resource: &Resource) -> Option<u64> {
        let lag = self.lag(resource);
        if lag.is_none() {
            return None;
        }
        let store = self.emulator().store();
        let revision = lag.revision(Instant::now(), |moment| store.newest_at(moment));
        Some(revision.max(store.oldest(&resource.storage)))
    }

    /// The revision at which the cache of a resource is, like [`Self::cached`], once that is `wanted` at least. Gives up
    /// with the revision it is at.
    pub(crate) async fn caught_up(&self, resource: &Resource, wanted: u64) -> Result<Option<u64>, u64> {
        tokio::select! {
            biased;
            () = self.reached(resource, wanted) => Ok(self.cached(resource).map(|revision| revision.max(wanted))),
            () = sleep(PATIENCE) => Err(self.cached(resource).unwrap_or(wanted)),
        }
    }

    /// Waits until the cache of a resource has a revision.
    pub(crate) async fn reached(&self, resource: &Resource, revision: u64) {
        loop {
            let changed = self.inner.changed.notified();
            let lag = self.lag(resource);
            if lag.is_none() {
                return;
            }
            let Some(committed) = self.emulator().store().committed_at(revision) else {
                return;
            };
            match lag.due(revision, committed) {
                Some(due) if due <= Instant::now() => return,
                Some(due) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(due) => {}
                },
                None => changed.await,
            }
        }
    }
}
