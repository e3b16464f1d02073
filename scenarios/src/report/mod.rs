//! What a run was, for people and for machines: data that is collected while scenarios run, and three ways to write it.
//!
//! | module | subject |
//! |---|---|
//! | [`model`] | the data: scenarios, steps, timelines, failures, violations |

pub mod model;

pub use model::*;
