//! Scenarios, and the world in which they run: what stands between the products of this repository and a test.
//!
//! | module | subject |
//! |---|---|
//! | [`script`] | scenarios as YAML files |
//! | [`expression`] | CEL conditions that explain why they are not true |
//! | [`engine`] | runs the steps of a scenario and watches everything that happens meanwhile |
//! | [`invariants`] | what must hold at every event |
//! | [`testbed`] | a world: cluster, machines, boot server and operator, wired together |
//! | [`boot_server`] | the boot-operator stand-in: iPXE scripts and ignitions |
//! | [`guest`] | what runs on emulated machines |
//! | [`campaign`] | random worlds: faults and people from a seed |
//! | [`net`] | a network without sockets |
//! | [`edges`] | clock and HTTP as values |
//! | [`envtest`] | a real control plane as processes |
//! | [`runner`] | one scenario in one world, in real or virtual time |
//! | `knife` | what is done to the operator at one of its effects |
//! | [`end_state`] | what is the case in the end, for comparison of two runs |
//! | [`trace`] | everything that happened in a simulation, and its hash |
//! | [`report`] | what a run leaves behind: data, page, JUnit |
//! | [`summary`] | why a scenario did not pass, for a terminal |

pub mod boot_server;
pub mod campaign;
pub mod edges;
pub mod end_state;
pub mod engine;
pub mod envtest;
pub mod expression;
pub mod guest;
pub mod invariants;
mod knife;
pub mod net;
pub mod report;
pub mod runner;
pub mod script;
pub mod summary;
pub mod testbed;
pub mod trace;
