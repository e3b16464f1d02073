//! One module per command.

pub(crate) mod bench;
mod cargo;
mod cluster;
pub(crate) mod conformance;
pub(crate) mod docker;
pub(crate) mod e2e;
pub(crate) mod envtest;
pub(crate) mod generated;
pub(crate) mod images;
pub(crate) mod interop;
pub(crate) mod sim;
pub(crate) mod up;
mod venv;

/// A time scale from the command line: 1 is real time, 60 makes a minute of machine time take a second.
fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("a positive number is needed, for example 60".to_owned()),
    }
}
