//! Scenarios as YAML files: what a file may say, and what is told to its author when it says something else.
//!
//! | module | subject |
//! |---|---|
//! | [`model`] | the file as a whole: fleet, operator, parameters, requirements |
//! | [`steps`] | what a scenario can do and expect, one type per step |
//! | [`parameters`] | `${name}` of a parameter, replaced in the text before it is parsed |
//! | [`expansion`] | `${machine.…}` and `${index}`, replaced in the objects of a `forEach` |
//! | [`kinds`] | the Kubernetes kinds that steps may name |
//! | [`load`] | reading, parsing and checking a file |
//! | [`error`] | mistakes, with file, line, span and a hint |
//! | [`schema`] | the JSON Schema for editors |

pub mod error;
pub mod expansion;
pub mod kinds;
pub mod load;
pub mod model;
pub mod parameters;
pub mod schema;
pub mod source;
pub mod steps;
pub(crate) mod suggest;
mod summary;
pub(crate) mod validate;

pub use error::ScriptError;
pub use load::Script;
pub use model::{Capability, Scenario};
pub use schema::json_schema;
