//! Scenarios, and the world in which they run: what stands between the products of this repository and a test.

pub mod boot_server;
pub mod edges;
pub mod engine;
pub mod expression;
pub mod guest;
pub mod invariants;
pub mod report;
pub mod script;
pub mod testbed;
