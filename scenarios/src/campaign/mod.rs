//! Random worlds: faults and people drawn from a seed, judged by the invariants at every event and by what has to be in the end.
//!
//! | module | subject |
//! |---|---|
//! | [`profile`] | how often what goes wrong: a file |
//! | [`class`] | what can go wrong and what people do, by name |
//! | [`plan`] | one run written out: what happens when |
//! | `generate` | from a seed and a profile to a plan; `faults` and `users` draw particulars from `draw` |
//! | `machines` | the machines of a campaign |
//! | `arena` | a running world with handles on everything |
//! | `mishap` | what a fault does to a world, and how it ends |
//! | `forger` | somebody who speaks in the name of a machine |
//! | `user` | what people do; `servicing`: those who work on machines |
//! | `play` | plays a plan: trouble, repair, and the demand for a good end |
//! | `settled` | where everything has to be in the end |
//! | `ledger` | what is written while nothing should be |
//! | [`shrink`] | from a plan that fails to a smaller one that fails in the same way |
//! | [`coverage`] | what a campaign has reached |

mod arena;
pub mod class;
pub mod coverage;
mod draw;
mod faults;
mod forger;
mod generate;
mod ledger;
mod machines;
mod mishap;
pub mod plan;
mod play;
pub mod profile;
mod servicing;
mod settled;
pub mod shrink;
mod user;
mod users;

pub(crate) use arena::Arena;
pub use generate::generate;
pub use mishap::Mishap;
pub use play::Played;
pub(crate) use play::play;
pub use user::UserAction;

/// The world of a plan, as the testbed builds it.
pub(crate) fn scenario(plan: &plan::Plan) -> crate::script::Scenario {
    machines::scenario("campaign", &plan.description, &plan.machines)
}
