//! Which claim gets which server. Pure and deterministic: waiting claims by age, servers by
//! [`rank`](super::rank), first fit. Everybody who computes it
//! from the same world comes to the same answer, so claims do not race for servers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crds::shared::TaintEffect;
use crds::{Power, Server, ServerClaim, ServerState, Taint};
use kube::ResourceExt;

use crate::controllers::is_ignored;
use crate::label_selector;
use crate::ownership::parking;
use crate::sabotage::{self, Bug};

/// Why a server is not to be had. For people who ask why their claim waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    NotSelected,
    Held,
    NotWiped,
    BeingDeleted,
    Parked,
    Maintenance,
    NotAvailable,
    Unclaimable,
    NotOff,
    DiscoveryNotOver,
    Tainted,
}

/// Whether the claim may have the server (contract section 3.5, and: no residue, discovery over).
///
/// # Errors
/// The first obstacle.
pub fn fits(claim: &ServerClaim, server: &Server) -> Result<(), Obstacle> {
    if !selects(claim, server) {
        return Err(Obstacle::NotSelected);
    }
    offered(server)?;
    if server.spec.taints.iter().any(|taint| !tolerates(claim, taint)) {
        return Err(Obstacle::Tainted);
    }
    Ok(())
}

/// Whether the taint is nothing to the claim.
fn tolerates(claim: &ServerClaim, taint: &Taint) -> bool {
    let tolerations = &claim.spec.tolerations;
    tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

/// Taints that ask the claim to leave a server that it has: with effect `Evict`, and not tolerated.
pub fn asked_to_leave<'a>(claim: &ServerClaim, server: &'a Server) -> Vec<&'a Taint> {
    let taints = server.spec.taints.iter();
    taints
        .filter(|taint| taint.effect == TaintEffect::Evict && !tolerates(claim, taint))
        .collect()
}

/// The part of [`fits`] that is the same for all claims.
///
/// # Errors
/// The first obstacle.
pub fn offered(server: &Server) -> Result<(), Obstacle> {
    let status = server.status.as_ref();
    if server.spec.server_claim_ref.is_some() {
        return Err(Obstacle::Held);
    }
    // Incident 95.
    if server.spec.residue_epoch.is_some() && !sabotage::active(Bug::ClearedReferenceIsFree) {
        return Err(Obstacle::NotWiped);
    }
    if server.metadata.deletion_timestamp.is_some() {
        return Err(Obstacle::BeingDeleted);
    }
    if parking::is_withheld(server) {
        return Err(Obstacle::Parked);
    }
    if server.spec.server_maintenance_ref.is_some() {
        return Err(Obstacle::Maintenance);
    }
    if status.and_then(|status| status.state.as_ref()) != Some(&ServerState::Available) || is_ignored(server) {
        return Err(Obstacle::NotAvailable);
    }
    if server.spec.unclaimable {
        return Err(Obstacle::Unclaimable);
    }
    if status.and_then(|status| status.power_state.as_ref()) != Some(&Power::Off) {
        return Err(Obstacle::NotOff);
    }
    if server.spec.boot_configuration_ref.is_some() {
        return Err(Obstacle::DiscoveryNotOver);
    }
    Ok(())
}

/// `serverRef` names the server; otherwise, or besides, `serverSelector` matches its labels; a claim with neither takes any.
fn selects(claim: &ServerClaim, server: &Server) -> bool {
    let named = claim
        .spec
        .server_ref
        .as_ref()
        .is_none_or(|reference| reference.name == server.name_any());
    let selected = claim
        .spec
        .server_selector
        .as_ref()
        .is_none_or(|selector| label_selector::matches(selector, server.labels()));
    named && selected
}

/// Gives free servers, in the order of their rank, to waiting claims, in the order of their age: each claim takes the first server
/// that fits, which is the one that fits best. Calls `found` for every pair until it returns false.
pub fn assign<'a>(
    claims: impl Iterator<Item = &'a Arc<ServerClaim>>,
    servers: impl Iterator<Item = &'a Arc<Server>>,
    mut found: impl FnMut(&'a Arc<ServerClaim>, &'a Arc<Server>) -> bool,
) {
    let mut servers = servers.fuse();
    // Servers that did not fit a claim, still to be had for the next ones.
    let mut passed: VecDeque<&Arc<Server>> = VecDeque::new();
    let mut more = true;
    for claim in claims {
        let mut chosen = passed
            .iter()
            .position(|server| fits(claim, server).is_ok())
            .and_then(|position| passed.remove(position));
        while chosen.is_none() && more {
            match servers.next() {
                Some(server) if fits(claim, server).is_ok() => chosen = Some(server),
                Some(server) => passed.push_back(server),
                None => more = false,
            }
        }
        match chosen {
            Some(server) if !found(claim, server) => return,
            None if passed.is_empty() => return,
            _ => {}
        }
    }
}

/// Why none of the servers is to be had, counted by obstacle.
pub fn explain(claim: &ServerClaim, servers: &[Arc<Server>]) -> String {
    let mut counts: BTreeMap<Obstacle, usize> = BTreeMap::new();
    for server in servers {
        if let Err(obstacle) = fits(claim, server) {
            *counts.entry(obstacle).or_default() += 1;
        }
    }
    explanation(&counts, servers.len())
}

/// The same, from obstacles that are counted already.
pub fn explanation(counts: &BTreeMap<Obstacle, usize>, total: usize) -> String {
    let reasons: Vec<String> = counts
        .iter()
        .map(|(obstacle, count)| format!("{count} {}", obstacle.text()))
        .collect();
    if reasons.is_empty() {
        return format!("Waiting for one of {total} servers, older claims come first");
    }
    format!("None of {total} servers can be claimed: {}", reasons.join(", "))
}

/// Whether the claim takes any server.
pub fn takes_any(claim: &ServerClaim) -> bool {
    claim.spec.server_ref.is_none() && claim.spec.server_selector.is_none()
}

impl Obstacle {
    fn text(self) -> &'static str {
        match self {
            Self::NotSelected => "not selected",
            Self::Held => "held by claims",
            Self::NotWiped => "not wiped yet",
            Self::BeingDeleted => "being deleted",
            Self::Parked => "parked, or about to be",
            Self::Maintenance => "in maintenance, or about to be",
            Self::NotAvailable => "not in state Available",
            Self::Unclaimable => "marked unclaimable",
            Self::NotOff => "not powered off",
            Self::DiscoveryNotOver => "about to end discovery",
            Self::Tainted => "with taints that are not tolerated",
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::ClaimReference;
    use crds::shared::{Toleration, TolerationOperator};
    use crds::{LocalObjectReference, ServerClaimSpec, ServerSpec, ServerStatus};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};

    use super::*;

    fn server(name: &str) -> Server {
        let mut server = Server::new(name, ServerSpec::default());
        server.status = Some(ServerStatus {
            state: Some(ServerState::Available),
            power_state: Some(Power::Off),
            ..ServerStatus::default()
        });
        server
    }

    fn claim(name: &str, created: i64) -> ServerClaim {
        let mut claim = ServerClaim::new(
            name,
            ServerClaimSpec {
                power: Power::On,
                server_ref: None,
                server_selector: None,
                ignition_secret_ref: None,
                user_data_ref: None,
                image: "image".into(),
                tolerations: Vec::new(),
            },
        );
        claim.metadata.uid = Some(format!("uid-{name}"));
        claim.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
        claim
    }

    #[test]
    fn every_obstacle_is_seen() {
        type Alter = fn(&mut Server);
        let table: [(Alter, Result<(), Obstacle>); 12] = [
            (|_| {}, Ok(())),
            (
                |server| {
                    server.spec.server_claim_ref = Some(ClaimReference {
                        namespace: "a".into(),
                        name: "b".into(),
                        uid: None,
                    });
                },
                Err(Obstacle::Held),
            ),
            (|server| server.spec.residue_epoch = Some(1), Err(Obstacle::NotWiped)),
            (
                |server| server.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)),
                Err(Obstacle::BeingDeleted),
            ),
            (|server| server.status = None, Err(Obstacle::NotAvailable)),
            (
                |server| {
                    let annotations = server.annotations_mut();
                    annotations.insert(crds::keys::PARKED_ANNOTATION.into(), "true".into());
                },
                Err(Obstacle::Parked),
            ),
            (
                |server| {
                    let annotations = server.annotations_mut();
                    annotations.insert(crds::keys::OPERATION_ANNOTATION.into(), "park".into());
                },
                Err(Obstacle::Parked),
            ),
            (|server| server.spec.unclaimable = true, Err(Obstacle::Unclaimable)),
            (
                |server| server.status.as_mut().unwrap().power_state = Some(Power::Unknown),
                Err(Obstacle::NotOff),
            ),
            (
                |server| server.status.as_mut().unwrap().power_state = None,
                Err(Obstacle::NotOff),
            ),
            (
                |server| {
                    server.spec.boot_configuration_ref = Some(crds::ObjectReference {
                        namespace: "metal".into(),
                        name: "a".into(),
                    });
                },
                Err(Obstacle::DiscoveryNotOver),
            ),
            (
                |server| {
                    server.spec.taints = vec![Taint {
                        key: "k".into(),
                        value: None,
                        effect: TaintEffect::NoBind,
                    }];
                },
                Err(Obstacle::Tainted),
            ),
        ];
        for (alter, expected) in table {
            let mut server = server("a");
            alter(&mut server);
            assert_eq!(fits(&claim("c", 1), &server), expected, "{server:?}");
        }
    }

    #[test]
    fn references_and_selectors() {
        let mut labelled = server("a");
        labelled.labels_mut().insert("rack".into(), "7".into());
        let mut by_name = claim("c", 1);
        by_name.spec.server_ref = Some(LocalObjectReference::named("b"));
        assert_eq!(fits(&by_name, &labelled), Err(Obstacle::NotSelected));
        for (rack, expected) in [("7", Ok(())), ("8", Err(Obstacle::NotSelected))] {
            let mut claim = claim("c", 1);
            claim.spec.server_selector = Some(LabelSelector {
                match_labels: Some(BTreeMap::from([("rack".into(), rack.into())])),
                match_expressions: None,
            });
            assert_eq!(fits(&claim, &labelled), expected, "{rack}");
        }
    }

    #[test]
    fn both_effects_keep_claims_away_and_one_asks_tenants_to_leave() {
        let taint = |effect| Taint {
            key: "k".into(),
            value: None,
            effect,
        };
        let toleration = |effect| Toleration {
            key: "k".into(),
            operator: Some(TolerationOperator::Exists),
            value: None,
            effect,
        };
        use TaintEffect::{Evict, NoBind};
        for (effect, tolerated, fitting, leaving) in [
            (NoBind, vec![], false, false),
            (NoBind, vec![toleration(None)], true, false),
            (NoBind, vec![toleration(Some(Evict))], false, false),
            (Evict, vec![], false, true),
            (Evict, vec![toleration(None)], true, false),
            (Evict, vec![toleration(Some(NoBind))], false, true),
        ] {
            let (mut server, mut claim) = (server("a"), claim("c", 1));
            server.spec.taints = vec![taint(effect)];
            claim.spec.tolerations = tolerated;
            assert_eq!(fits(&claim, &server).is_ok(), fitting, "{effect:?} {claim:?}");
            assert_eq!(
                !asked_to_leave(&claim, &server).is_empty(),
                leaving,
                "{effect:?} {claim:?}"
            );
        }
    }

    #[test]
    fn oldest_claim_first_servers_in_their_order() {
        let servers: Vec<_> = ["a", "b", "c"].into_iter().map(|name| Arc::new(server(name))).collect();
        let mut picky = claim("picky", 1);
        picky.spec.server_ref = Some(LocalObjectReference::named("b"));
        let claims: Vec<_> = [picky, claim("old", 2), claim("young", 3)]
            .into_iter()
            .map(Arc::new)
            .collect();
        let mut assigned = Vec::new();
        assign(claims.iter(), servers.iter(), |claim, server| {
            assigned.push((claim.name_any(), server.name_any()));
            true
        });
        let expected = [("picky", "b"), ("old", "a"), ("young", "c")];
        assert_eq!(assigned, expected.map(|(claim, server)| (claim.into(), server.into())));
    }

    #[test]
    fn the_explanation_counts() {
        let mut held = server("a");
        held.spec.residue_epoch = Some(1);
        let servers = [Arc::new(held), Arc::new(Server::new("b", ServerSpec::default()))];
        assert_eq!(
            explain(&claim("c", 1), &servers),
            "None of 2 servers can be claimed: 1 not wiped yet, 1 not in state Available"
        );
    }
}
