//! One module per command.

pub(crate) mod generated;
pub(crate) mod sim;
