//! Kubernetes operator for bare-metal servers: discovers BMCs, boots a probe on their machines, lends them to claims, takes
//! them back and wipes them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`edges`] | clock, transports and randomness as values |
//! | [`options`] | command-line flags |
//! | [`identity`] | names of machines and Redfish resources as types |
//! | [`bmc`] | BMC drivers: Redfish sessions, reads and operations |
//! | [`ignition`] | what machines boot for discovery and cleanup |
//! | [`registry`] | what probes and wipe agents report, and the tokens that let them |
//! | [`leader_election`] | one active operator, and for how long it may act |
//! | [`metrics`] | Prometheus |

pub mod bmc;
pub mod edges;
pub mod identity;
pub mod ignition;
pub mod leader_election;
pub mod metrics;
pub mod options;
pub mod registry;
