//! The Redfish driver against a small Redfish service in memory, under the paused clock.

mod fake;
mod operations;
mod sessions;
