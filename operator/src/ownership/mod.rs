//! Who holds a machine, and what may be done to it: design section 4, "Ownership, step by step".
//!
//! | module | subject |
//! |---|---|
//! | [`operation`] | disruptive BMC operations by name |
//! | [`pacing`] | when a recorded operation may be sent, waited for, or sent again |
//! | [`intent`] | record, send once, note the outcome |
//! | [`reservation`] | every change of holder, as one patch with a precondition |
//! | [`maintenance`] | whether a maintenance has the machine |
//! | [`parking`] | whether the machine was handed to others |
//! | [`origin`] | whether a Server came back from a backup |
//! | [`last_use`] | when the machine last had a tenant |
//! | [`provisioning`] | whether the holder's operating system was already booted once |
//!
//! A write that carries the resourceVersion of the object that was decided upon is refused by the API server when anything
//! of that object has changed since. That makes the write itself the live read: the epoch and the holder are as decided at the
//! very moment the intent is recorded, however old the cache was that the decision was made from.

pub mod intent;
pub mod last_use;
pub mod maintenance;
pub mod operation;
pub mod origin;
pub mod pacing;
pub mod parking;
pub mod provisioning;
pub mod reservation;
