//! Scenarios, and the world in which they run: what stands between the products of this repository and a test.

pub mod boot_server;
pub mod expression;
pub mod guest;
pub mod script;
