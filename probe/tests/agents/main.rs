//! The agents against a registry in memory, under virtual time.

mod discovery;
mod support;
mod wiping;
