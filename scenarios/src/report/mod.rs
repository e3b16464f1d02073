//! What a run was, for people and for machines: data that is collected while scenarios run, and three ways to write it.
//!
//! | module | subject |
//! |---|---|
//! | [`model`] | the data: scenarios, steps, timelines, failures, violations |
//! | [`recorder`] | collects timelines, markers, events and statistics from what happens in a world |
//! | `write` | the files: `index.html`, `report.json`, `junit.xml` |
//! | `page` | the page |
//! | `junit` | JUnit XML |
//! | `words` | times and numbers as people say them |

mod junit;
pub mod model;
mod page;
pub mod recorder;
#[cfg(test)]
mod sample;
mod words;
mod write;

pub use model::*;
pub use recorder::{Recorded, Recorder};
pub use words::{length, moment};
pub use write::{WriteError, WrittenFiles, write};
