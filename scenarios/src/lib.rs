//! Scenarios, and the world in which they run: what stands between the products of this repository and a test.

pub mod boot_server;
pub mod guest;
