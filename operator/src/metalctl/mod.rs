//! `metalctl`: what administrators do from their desks (contract section 7). A process of its own, in no cluster; the binary is
//! `src/bin/metalctl.rs`.
//!
//! | module | command |
//! |---|---|
//! | [`options`] | the command line |
//! | [`cordon`] | `cordon`, `uncordon`: no new claims for a server |
//! | [`console`] | `console`: the serial console of a server, over SSH to its BMC |
//! | [`visualizer`] | `visualizer`: the racks as a picture |
//! | [`move_objects`] | `move`: all objects to another cluster |

pub mod console;
pub mod cordon;
pub mod move_objects;
pub mod options;
pub mod visualizer;
