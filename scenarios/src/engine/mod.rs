//! Runs a scenario against a [`Testbed`](crate::testbed::Testbed): carries out its steps, watches everything that happens meanwhile, judges it by the
//! [invariants](crate::invariants), and records it for the [report](crate::report).
//!
//! | module | subject |
//! |---|---|
//! | [`run`] | the steps of a scenario, one after the other, until the end or the first thing that is wrong |
//! | `drama` | a run as a sequence of acts, and the report of it |
//! | `observer` | every event of the testbed, as it happens: the model, the invariants, the record |
//! | [`world`] | the objects of the cluster, as of the last event |
//! | `secrets` | values nobody may see, and where they turn up |
//! | `expectation` | waiting until something is true |
//! | `cluster` | writes of the scenario's user to the cluster |
//! | `steps` | what each kind of step does |
//! | `registration` | the objects with which a machine is made known |
//! | `time` | scenario time in a world that may run faster |
//!
//! Nothing here polls: expectations are judged again when an object or a machine they are about has changed.

pub(crate) mod cluster;
pub(crate) mod drama;
mod expectation;
pub(crate) mod failure;
pub(crate) mod observer;
pub(crate) mod registration;
mod run;
mod secrets;
mod steps;
mod time;
pub mod world;

pub use run::{not_run, play_steps, run};
pub use secrets::Secrets;
pub(crate) use steps::with_causes;

/// Told about steps while they run, for progress bars.
pub trait Progress: Send + Sync {
    fn step_started(&self, scenario: &str, number: usize, of: usize, title: &str);
    fn step_finished(&self, scenario: &str, number: usize, of: usize, passed: bool);
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn step_started(&self, _: &str, _: usize, _: usize, _: &str) {}
    fn step_finished(&self, _: &str, _: usize, _: usize, _: bool) {}
}
