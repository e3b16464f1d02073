//! What all controllers run on: one watch per kind, shared; ordered caches; work queues.
//!
//! kube's `Controller` opens its own watch and keeps its own cache per relation. Here ten controllers' relations share six
//! watches, and every wake-up goes through the same de-duplicating scheduler of kube's `applier`.

mod cache;
mod queue;

pub use cache::{Cache, Change, Watch};
pub use queue::{Pacing, Queue, Work, run};
