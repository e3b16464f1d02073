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
//! | [`metaldata`] | what machines may ask about themselves; a process of its own |
//! | [`metalctl`] | what administrators do from their desks; a process of its own |
//! | [`ssh`] | shells of BMCs |
//! | [`ignition`] | what machines boot for discovery and cleanup |
//! | [`template`] | Go's text/template, as far as it is needed |
//! | [`registry`] | what probes and wipe agents report, and the tokens that let them |
//! | [`redfish_events`] | what BMCs report, and whom that wakes |
//! | [`leader_election`] | one active operator, and for how long it may act |
//! | [`metrics`], [`health`] | Prometheus; probes of the kubelet |
//! | [`permissions`] | what is asked of the API server, as one table |
//! | [`manifests`] | roles, webhooks and admission policy as files, made from code |
//! | [`webhook`] | objects that are refused before they are stored |
//! | [`operator`] | the operator as a whole: [`Operator`] |
//! | [`api_deadline`] | no request to the API server lasts for ever |
//! | [`controllers`] | one folder or file per kind |
//! | [`discovery`] | Endpoints from DHCP leases and SSDP, where that is asked for |
//! | [`ownership`] | who holds a machine, and what may be done to it |
//! | [`runtime`] | watches, caches and work queues that all controllers share |
//! | [`context`], [`conditions`], [`events`], [`freshness`], [`turns`], [`merge_patch`], [`label_selector`] | what reconcilers are given and write with |
//! | [`sabotage`] | known bugs for tests to put back; never in a binary that ships |
//! | [`kube_config`], [`bmc_http`], [`serve`], [`logging`] | the edges of the deployed process: TLS to BMCs, sockets, log output |

pub mod api_deadline;
pub mod bmc;
pub mod bmc_http;
pub mod conditions;
pub mod context;
pub mod controllers;
pub mod discovery;
pub mod edges;
pub mod events;
pub mod freshness;
pub mod health;
pub mod identity;
pub mod ignition;
pub mod kinds;
pub mod kube_config;
pub mod label_selector;
pub mod leader_election;
pub mod logging;
pub mod mac_prefixes;
pub mod manifests;
pub mod merge_patch;
pub mod metalctl;
pub mod metaldata;
pub mod metrics;
pub mod operator;
pub mod options;
pub mod ownership;
pub mod permissions;
pub mod redfish_events;
pub mod registry;
pub mod runtime;
pub mod sabotage;
pub mod serve;
pub mod ssh;
pub mod template;
pub mod turns;
pub mod wakeups;
pub mod webhook;

pub use edges::Edges;
pub use operator::{Operator, RunError};
pub use options::{ConfigError, Options};
