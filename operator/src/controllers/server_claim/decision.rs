//! What a claim needs next. Pure.

use crds::{Server, ServerClaim, ServerState};
use kube::ResourceExt;

use crate::controllers::server::boot;
use crate::ownership::parking;
use crate::ownership::reservation::Tenancy;

/// The server of a claim, by a live read.
#[derive(Clone, Debug, PartialEq)]
pub enum Mine {
    /// The claim has none.
    None,
    /// `spec.serverRef` names one that does not exist.
    Missing { name: String },
    /// `spec.serverRef` names one that somebody else holds.
    Foreign { name: String },
    /// It names one that nobody holds: to be bound, or it was given back.
    Unheld { name: String },
    /// Its reference carries this claim's UID.
    Held(Box<Server>),
}

/// The next step of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Choose a server and bind it.
    Select,
    /// Write `spec.serverRef`.
    Reference,
    /// The server has not entered Reserved yet.
    AwaitReserved,
    /// Make or update the boot configuration, and let the server reference it.
    Configure,
    /// Phase Bound.
    Bound,
    /// The server went away under the claim (W16).
    Lost { reason: &'static str, message: String },
    /// Deletion: wait until the server has left the claim.
    AwaitRelease,
    /// Deletion: nothing is held.
    Finish,
}

/// Decides for a claim whose server was read just now.
pub fn decide(claim: &ServerClaim, mine: &Mine, configured: bool) -> Step {
    let deleting = claim.metadata.deletion_timestamp.is_some();
    match mine {
        Mine::Held(server) if deleting => match Tenancy::of(server) {
            // The epoch has moved on to cleanup: the machine is off and no longer this claim's.
            Tenancy::Residue { released: true } => Step::Finish,
            // Others have the machine, for as long as they want. The server remembers what is on its drives.
            _ if parking::is_parked(server) || in_maintenance(server) => Step::Finish,
            _ => Step::AwaitRelease,
        },
        _ if deleting => Step::Finish,
        Mine::None => Step::Select,
        Mine::Unheld { name } if was_bound(claim) => Step::Lost {
            reason: "ServerGone",
            message: format!("Server {name} no longer belongs to this claim"),
        },
        Mine::Unheld { .. } => Step::Select,
        // Tried, not bound, and taken or gone since: nothing holds the claim to it.
        Mine::Missing { .. } | Mine::Foreign { .. } if claim.spec.server_ref.is_none() => Step::Select,
        Mine::Missing { name } => Step::Lost {
            reason: "ServerNotFound",
            message: format!("Server {name} does not exist"),
        },
        Mine::Foreign { name } => Step::Lost {
            reason: "ServerTaken",
            message: format!("Server {name} is held by another claim"),
        },
        Mine::Held(server) => {
            if claim.spec.server_ref.is_none() {
                return Step::Reference;
            }
            if Tenancy::of(server) != Tenancy::Held {
                return Step::Lost {
                    reason: "ServerReleased",
                    message: format!("Server {} was released", server.name_any()),
                };
            }
            if parking::is_withheld(server) {
                return Step::AwaitReserved;
            }
            let state = server.status.as_ref().and_then(|status| status.state.as_ref());
            match state {
                Some(ServerState::Reserved) if configured => Step::Bound,
                Some(ServerState::Reserved) => Step::Configure,
                _ => Step::AwaitReserved,
            }
        }
    }
}

/// Whether a maintenance has the machine, or what it has left is still being put away.
fn in_maintenance(server: &Server) -> bool {
    let state = server.status.as_ref().and_then(|status| status.state.as_ref());
    state == Some(&ServerState::Maintenance)
}

/// Whether the claim has ever said that it has its server.
fn was_bound(claim: &ServerClaim) -> bool {
    claim.status.as_ref().is_some_and(|status| {
        status.phase == Some(crds::ClaimPhase::Bound)
            || crate::conditions::find(&status.conditions, super::BOUND)
                .is_some_and(|condition| condition.reason == "ServerGone")
    })
}

/// Whether the boot configuration says what the claim says, for this claim and this epoch.
pub fn is_configured(claim: &ServerClaim, server: &Server, configuration: &crds::ServerBootConfiguration) -> bool {
    let spec = &configuration.spec;
    spec.server_ref.name == server.name_any()
        && spec.image.as_deref() == Some(claim.spec.image.as_str())
        && spec.ignition_secret_ref == claim.spec.ignition_secret_ref
        && boot::epoch_of(configuration) == Some(server.tenancy_epoch())
        && configuration
            .owner_references()
            .iter()
            .any(|owner| Some(&owner.uid) == claim.metadata.uid.as_ref())
        && server.spec.boot_configuration_ref.as_ref().is_some_and(|reference| {
            Some(&reference.namespace) == claim.metadata.namespace.as_ref() && reference.name == claim.name_any()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::kinds::server::ClaimReference;
    use crds::{ClaimPhase, LocalObjectReference, Power, ServerClaimSpec, ServerClaimStatus, ServerSpec, ServerStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn claim(referenced: bool) -> ServerClaim {
        ServerClaim::new(
            "claim",
            ServerClaimSpec {
                power: Power::On,
                server_ref: referenced.then(|| LocalObjectReference::named("a")),
                server_selector: None,
                ignition_secret_ref: None,
                user_data_ref: None,
                image: "image".into(),
                tolerations: Vec::new(),
            },
        )
    }

    fn held(state: ServerState, epoch: i64) -> Mine {
        let mut server = Server::new("a", ServerSpec::default());
        server.spec.server_claim_ref = Some(ClaimReference {
            namespace: "ns".into(),
            name: "claim".into(),
            uid: Some("u".into()),
        });
        server.spec.tenancy_epoch = Some(epoch);
        server.spec.residue_epoch = Some(3);
        server.status = Some(ServerStatus {
            state: Some(state),
            ..ServerStatus::default()
        });
        Mine::Held(Box::new(server))
    }

    #[test]
    fn the_way_to_bound() {
        let name = || "a".to_owned();
        for (claim, mine, configured, expected) in [
            (claim(false), Mine::None, false, Step::Select),
            (claim(true), Mine::Unheld { name: name() }, false, Step::Select),
            // A bind whose answer was lost had not happened, and the server went to somebody else, or away.
            (claim(false), Mine::Foreign { name: name() }, false, Step::Select),
            (claim(false), Mine::Missing { name: name() }, false, Step::Select),
            // A crash between the two patches.
            (claim(false), held(ServerState::Available, 3), false, Step::Reference),
            (claim(true), held(ServerState::Available, 3), false, Step::AwaitReserved),
            (claim(true), held(ServerState::Reserved, 3), false, Step::Configure),
            (claim(true), held(ServerState::Reserved, 3), true, Step::Bound),
        ] {
            assert_eq!(decide(&claim, &mine, configured), expected, "{mine:?}");
        }
    }

    #[test]
    fn a_claim_notices_that_its_server_is_gone() {
        let mut bound = claim(true);
        bound.status = Some(ServerClaimStatus {
            phase: Some(ClaimPhase::Bound),
            conditions: Vec::new(),
        });
        for (mine, expected) in [
            (Mine::Missing { name: "a".into() }, "ServerNotFound"),
            (Mine::Foreign { name: "a".into() }, "ServerTaken"),
            (Mine::Unheld { name: "a".into() }, "ServerGone"),
            (held(ServerState::Released, 4), "ServerReleased"),
        ] {
            let Step::Lost { reason, .. } = decide(&bound, &mine, true) else {
                panic!("{mine:?}");
            };
            assert_eq!(reason, expected);
        }
    }

    #[test]
    fn a_claim_does_not_wait_for_the_end_of_a_maintenance() {
        let mut leaving = claim(true);
        leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let held_in = |state| held(state, 3);
        assert_eq!(decide(&leaving, &held_in(ServerState::Maintenance), true), Step::Finish);
        assert_eq!(
            decide(&leaving, &held_in(ServerState::Reserved), true),
            Step::AwaitRelease
        );
        assert_eq!(
            decide(&claim(true), &held_in(ServerState::Maintenance), true),
            Step::AwaitReserved
        );
    }

    #[test]
    fn others_have_the_machine() {
        let annotated = |key: &str, value: &str| {
            let Mine::Held(mut server) = held(ServerState::Reserved, 3) else {
                panic!("not held");
            };
            server.annotations_mut().insert(key.into(), value.into());
            Mine::Held(server)
        };
        let parked = annotated(crds::keys::PARKED_ANNOTATION, "true");
        let to_be_parked = annotated(crds::keys::OPERATION_ANNOTATION, "park");
        assert_eq!(decide(&claim(true), &parked, false), Step::AwaitReserved);
        assert_eq!(decide(&claim(true), &to_be_parked, false), Step::AwaitReserved);
        let mut claim = claim(true);
        claim.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(decide(&claim, &parked, true), Step::Finish);
        assert_eq!(decide(&claim, &to_be_parked, true), Step::AwaitRelease);
    }

    #[test]
    fn deletion_waits_until_the_machine_has_left() {
        let mut claim = claim(true);
        claim.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        for (mine, expected) in [
            (held(ServerState::Reserved, 3), Step::AwaitRelease),
            (held(ServerState::Reserved, 4), Step::Finish),
            (held(ServerState::Cleanup, 4), Step::Finish),
            (Mine::None, Step::Finish),
            (Mine::Missing { name: "a".into() }, Step::Finish),
            (Mine::Foreign { name: "a".into() }, Step::Finish),
        ] {
            assert_eq!(decide(&claim, &mine, true), expected, "{mine:?}");
        }
    }
}
