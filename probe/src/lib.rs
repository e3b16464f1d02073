//! The in-band side of bare-metal management: the agent that registers a machine, and the agent that wipes it.
//!
//! The agents are libraries over two edges, so that the very same code runs on a real Linux host (binary `metalprobe`),
//! inside the virtual machines of a testbed, and in a simulation under virtual time:
//!
//! | module | what lives there |
//! |---|---|
//! | [`command_line`] | the flags of `metalprobe`, as found on a shell or in an ignition |
//! | [`agent`] | discovery: collect, register, keep registering |
//! | [`wipe`] | erase every drive, verify each, report until somebody listens |
//! | [`registry`] | the HTTP client of the operator's registry |
//! | [`model`] | the JSON bodies of the registry |
//! | [`host`] | the [`Host`] trait: what an agent needs from the machine it runs on; [`host::linux`] is a real one |
//! | [`edges`] | clock and HTTP, passed in by whoever runs an agent |

pub mod agent;
mod backoff;
pub mod command_line;
pub mod edges;
mod go_duration;
pub mod host;
pub mod model;
pub mod registry;
pub mod wipe;

pub use edges::{BoxError, Clock, HttpService};
pub use host::{Drive, Host, HostError, Inventory};
