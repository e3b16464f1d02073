//! The admin API: what a test does to machines, and what it may know of them. A face of its own, never reachable
//! through a BMC.

mod action;
mod api;

pub use self::action::{ActionError, AdminAction};
pub(crate) use self::api::router;
