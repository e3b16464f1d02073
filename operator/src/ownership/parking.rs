//! Parked Servers: others work on the machine, and the operator does nothing about it (contract section 5). Who holds the server, and what
//! is on its drives, stays as it was. Pure.

use crds::{Server, keys};
use kube::ResourceExt;

use super::reservation::requested;

/// Whether the server was handed to others.
pub fn is_parked(server: &Server) -> bool {
    server
        .annotations()
        .get(keys::PARKED_ANNOTATION)
        .is_some_and(|value| value == "true")
}

/// Whether it is to be handed to others as soon as it is off.
pub fn is_to_be_parked(server: &Server) -> bool {
    requested(server) == Some(keys::operation::PARK)
}

/// Whether nothing is to be done with it for a claim: others have the machine, or will.
pub fn is_withheld(server: &Server) -> bool {
    is_parked(server) || is_to_be_parked(server)
}
