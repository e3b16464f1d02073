//! Kubernetes operator for bare-metal servers: discovers BMCs, boots a probe on their machines, lends them to claims, takes
//! them back and wipes them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`edges`] | clock, transports and randomness as values |
//! | [`options`] | command-line flags |
//! | [`identity`] | names of machines and Redfish resources as types |
//! | [`mac_prefixes`] | which MAC prefix is which vendor's BMC |
//! | [`bmc`] | BMC drivers: Redfish sessions, reads and operations |
//! | [`ignition`] | what machines boot for discovery and cleanup |
//! | [`registry`] | what probes and wipe agents report, and the tokens that let them |
//! | [`leader_election`] | one active operator, and for how long it may act |
//! | [`metrics`], [`health`] | Prometheus; probes of the kubelet |
//! | [`bmc_http`], [`serve`], [`logging`] | the edges of the deployed process: TLS to BMCs, sockets, log output |

pub mod bmc;
pub mod bmc_http;
pub mod edges;
pub mod health;
pub mod identity;
pub mod ignition;
pub mod leader_election;
pub mod logging;
pub mod mac_prefixes;
pub mod metrics;
pub mod options;
pub mod registry;
pub mod serve;
