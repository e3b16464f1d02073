//! What a run was, for people and for machines: data that is collected while scenarios run, and three ways to write it.
//!
//! | module | subject |
//! |---|---|
//! | [`model`] | the data: scenarios, steps, timelines, failures, violations |
//! | [`recorder`] | collects timelines, markers, events and statistics from what happens in a world |

pub mod model;
pub mod recorder;
mod words;

pub use model::*;
pub use recorder::{Recorded, Recorder};
