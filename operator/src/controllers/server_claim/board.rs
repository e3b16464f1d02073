//! The board on which claims and servers are matched: who waits, what is free, who holds what, and which names belong to a machine.
//! Kept up to date by the watches, so that a choice costs no walk over all objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::{Server, ServerClaim, ServerReadinessRule, ServerState};
use jiff::Timestamp;
use kube::ResourceExt;

use super::obstacles::Obstacles;
use super::rank::Rank;
use super::selection::{self, Obstacle};
use crate::controllers::is_ignored;
use crate::controllers::server_readiness_rule::evaluation;
use crate::identity::SystemUuid;
use crate::runtime::Change;
use crate::sabotage::{self, Bug};

/// Claims by age.
type Age = (Option<Timestamp>, String, String, String);

#[derive(Default)]
struct State {
    /// Claims that may have a server, by UID.
    alive: BTreeMap<String, Arc<ServerClaim>>,
    /// Those of them whose server is not known.
    waiting: BTreeMap<Age, Arc<ServerClaim>>,
    /// Servers that some claim might have: those that nobody can have yet would be passed over again for every claim that waits.
    /// In the order in which they are lent out.
    offered: BTreeMap<Rank, Offer>,
    ranks: BTreeMap<String, Rank>,
    /// What says whether they are ready.
    rules: BTreeMap<String, Arc<ServerReadinessRule>>,
    /// Why nobody can have the others.
    obstacles: Obstacles,
    /// Servers that some maintenance waits for, or has.
    maintained: BTreeSet<String>,
    /// Claim UID to the server whose reference carries it, and back.
    held: BTreeMap<String, String>,
    holders: BTreeMap<String, String>,
    /// Claim UID to the server that this process has tried to bind, before the watch shows it. Without it a claim that is looked
    /// at again too soon would take a second server (bugs.md #4). Lists after a restart are consistent reads, so memory is enough.
    tried: BTreeMap<String, String>,
    /// The servers among `tried`, each as often as it is there.
    tried_servers: BTreeMap<String, usize>,
    /// System UUID to names of servers.
    systems: BTreeMap<SystemUuid, Vec<String>>,
    /// BMC to names of its servers.
    by_bmc: BTreeMap<String, BTreeSet<String>>,
}

/// A server that some claim might have.
struct Offer {
    server: Arc<Server>,
    /// With the taints that readiness rules are about to write.
    seen: Arc<Server>,
}

/// The board.
#[derive(Default)]
pub struct Board(Mutex<State>);

impl Board {
    /// Takes a change of a Server in. Returns the claims that should look now.
    pub fn server_changed(&self, change: &Change<Server>) -> Vec<(String, String)> {
        let server = change.object();
        let name = server.name_any();
        let mut state = self.lock();
        let uuid = SystemUuid::new(server.spec.system_uuid.as_str());
        let present = matches!(change, Change::Present(_));
        let holder = server.spec.server_claim_ref.as_ref().filter(|_| present);
        if let Some(before) = state.holders.remove(&name) {
            state.held.remove(&before);
            state.sort(&before);
        }
        if let Some(uid) = holder.and_then(|holder| holder.uid.clone()) {
            state.holders.insert(name.clone(), uid.clone());
            state.held.insert(uid.clone(), name.clone());
            state.sort(&uid);
        }
        if let Some(bmc) = &server.spec.bmc_ref {
            let servers = state.by_bmc.entry(bmc.name.clone()).or_default();
            if present {
                servers.insert(name.clone());
            } else {
                servers.remove(&name);
            }
        }
        if !uuid.is_empty() {
            let names = state.systems.entry(uuid).or_default();
            names.retain(|known| *known != name);
            if present {
                names.push(name.clone());
            }
        }
        state.offer(server, present);
        let mut woken: Vec<(String, String)> = server
            .spec
            .server_claim_ref
            .iter()
            .map(|holder| (holder.namespace.clone(), holder.name.clone()))
            .collect();
        if present && is_free(server) {
            woken.extend(state.assigned());
        }
        // Incident 16.
        if sabotage::active(Bug::OnlyFirstClaimWoken) {
            woken.truncate(1);
        }
        woken
    }

    /// Whether any maintenance names the server. Returns the claims that should look now.
    pub fn maintenance_wanted(&self, name: &str, wanted: bool, server: Option<Arc<Server>>) -> Vec<(String, String)> {
        let mut state = self.lock();
        let changed = match wanted {
            true => state.maintained.insert(name.to_owned()),
            false => state.maintained.remove(name),
        };
        let Some(server) = server.filter(|_| changed) else {
            return Vec::new();
        };
        state.offer(&server, true);
        if is_free(&server) { state.assigned() } else { Vec::new() }
    }

    /// Takes a change of a ServerClaim in. Returns the claims that should look now.
    pub fn claim_changed(&self, change: &Change<ServerClaim>) -> Vec<(String, String)> {
        let claim = change.object();
        let mut state = self.lock();
        let present = matches!(change, Change::Present(_));
        let alive = present && claim.metadata.deletion_timestamp.is_none();
        let uid = claim.uid().unwrap_or_default();
        if alive && !is_ignored(&**claim) {
            state.alive.insert(uid.clone(), claim.clone());
            state.sort(&uid);
        } else {
            state.alive.remove(&uid);
            state.waiting.remove(&age(claim));
        }
        if claim.spec.server_ref.is_some() || !present {
            state.forget_try(&uid);
        }
        // One that waited for a server is out of the way.
        if alive { Vec::new() } else { state.assigned() }
    }

    /// Takes a change of a readiness rule in. Returns the claims that should look now.
    pub fn rule_changed(&self, change: &Change<ServerReadinessRule>) -> Vec<(String, String)> {
        let rule = change.object();
        let mut state = self.lock();
        match change {
            Change::Present(_) => state.rules.insert(rule.name_any(), rule.clone()),
            Change::Gone(_) => state.rules.remove(&rule.name_any()),
        };
        for offer in std::mem::take(&mut state.offered).into_values() {
            state.list(&offer.server);
        }
        state.assigned()
    }

    /// The server with the taints that readiness rules are about to write: until they are there, it is no more to be had (W45).
    pub fn as_claims_see(&self, server: &Arc<Server>) -> Arc<Server> {
        self.lock().as_claims_see(server)
    }

    /// The server that the claim should take now.
    pub fn choose(&self, claim_uid: &str) -> Option<Arc<Server>> {
        let state = self.lock();
        let mut chosen = None;
        selection::assign(state.waiting.values(), state.really_free(), |claim, server| {
            if claim.metadata.uid.as_deref() == Some(claim_uid) {
                chosen = Some(server.clone());
            }
            chosen.is_none()
        });
        chosen
    }

    /// Why a claim that takes any server has none.
    pub fn explain(&self, claim: &ServerClaim) -> String {
        let state = self.lock();
        let mut counts = state.obstacles.counts().clone();
        for obstacle in state
            .offered
            .values()
            .filter_map(|offer| selection::fits(claim, &offer.seen).err())
        {
            *counts.entry(obstacle).or_default() += 1;
        }
        selection::explanation(&counts, state.obstacles.servers() + state.offered.len())
    }

    /// The server whose reference carries the UID, or that may have been bound to it.
    pub fn server_of(&self, claim_uid: &str) -> Option<String> {
        let state = self.lock();
        // Incident 4.
        if sabotage::active(Bug::ClaimSelectsAgain) {
            return None;
        }
        state
            .held
            .get(claim_uid)
            .or_else(|| state.tried.get(claim_uid))
            .cloned()
    }

    /// Noted before the patch is sent: one whose answer is lost may have been taken.
    pub fn tried(&self, claim_uid: &str, server: &str) {
        let mut state = self.lock();
        state.forget_try(claim_uid);
        state.tried.insert(claim_uid.to_owned(), server.to_owned());
        *state.tried_servers.entry(server.to_owned()).or_default() += 1;
    }

    /// A live read showed that the bind did not happen.
    pub fn failed(&self, claim_uid: &str) {
        self.lock().forget_try(claim_uid);
    }

    /// The one server with this UUID; `None` for none and for several: an identity that is not unique identifies nothing.
    pub fn system(&self, uuid: &SystemUuid) -> Option<String> {
        match self.lock().systems.get(uuid).map(Vec::as_slice) {
            Some([name]) => Some(name.clone()),
            _ => None,
        }
    }

    /// Every server with this UUID.
    pub fn systems(&self, uuid: &SystemUuid) -> Vec<String> {
        self.lock().systems.get(uuid).cloned().unwrap_or_default()
    }

    /// Servers that reference the BMC.
    pub fn servers_of(&self, bmc: &str) -> Vec<String> {
        self.lock().by_bmc.get(bmc).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether some claim might have the server now.
    fn offer(&mut self, server: &Arc<Server>, present: bool) {
        let name = server.name_any();
        let maintained = self.maintained.contains(&name).then_some(Obstacle::Maintenance);
        let obstacle = selection::offered(server).err().or(maintained);
        if let Some(rank) = self.ranks.remove(&name) {
            self.offered.remove(&rank);
        }
        if present && obstacle.is_none() {
            self.list(server);
        }
        self.obstacles.note(&name, obstacle.filter(|_| present));
    }

    /// Puts the server where it belongs among those on offer.
    fn list(&mut self, server: &Arc<Server>) {
        let seen = self.as_claims_see(server);
        let (rank, server) = (Rank::of(&seen), server.clone());
        self.ranks.insert(server.name_any(), rank.clone());
        self.offered.insert(rank, Offer { server, seen });
    }

    fn forget_try(&mut self, claim_uid: &str) {
        let Some(server) = self.tried.remove(claim_uid) else {
            return;
        };
        if let Some(times) = self.tried_servers.get_mut(&server) {
            *times -= 1;
            if *times == 0 {
                self.tried_servers.remove(&server);
            }
        }
    }

    /// Whether this claim waits, now that something about it or about its server has changed.
    fn sort(&mut self, uid: &str) {
        let Some(claim) = self.alive.get(uid) else { return };
        // Incident 4.
        if self.held.contains_key(uid) && !sabotage::active(Bug::ClaimSelectsAgain) {
            self.waiting.remove(&age(claim));
        } else {
            self.waiting.insert(age(claim), claim.clone());
        }
    }

    /// Without those that this process may have bound already.
    fn really_free(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.offered.values().map(|offer| &offer.seen).filter(|server| {
            let name = server.metadata.name.as_deref().unwrap_or_default();
            !self.tried_servers.contains_key(name)
        })
    }

    fn as_claims_see(&self, server: &Arc<Server>) -> Arc<Server> {
        let pending = evaluation::pending(server, self.rules.values().map(AsRef::as_ref));
        if pending.is_empty() {
            return server.clone();
        }
        let mut seen = Server::clone(server);
        seen.spec.taints.extend(pending);
        Arc::new(seen)
    }

    fn assigned(&self) -> Vec<(String, String)> {
        let mut woken = Vec::new();
        let claims = self.waiting.values().filter(|claim| {
            let uid = claim.metadata.uid.as_deref().unwrap_or_default();
            !self.tried.contains_key(uid)
        });
        selection::assign(claims, self.really_free(), |claim, _| {
            woken.push((claim.namespace().unwrap_or_default(), claim.name_any()));
            true
        });
        woken
    }
}

/// A change of such a server may be what a claim waits for.
fn is_free(server: &Server) -> bool {
    server.spec.server_claim_ref.is_none()
        && server.status.as_ref().and_then(|status| status.state.as_ref()) == Some(&ServerState::Available)
}

fn age(claim: &ServerClaim) -> Age {
    let created = claim.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let uid = claim.uid().unwrap_or_default();
    (created, claim.namespace().unwrap_or_default(), claim.name_any(), uid)
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::ClaimReference;
    use crds::{Power, ServerClaimSpec, ServerSpec, ServerStatus, SystemUuid as ApiUuid};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn server(name: &str, holder: Option<&str>) -> Change<Server> {
        let mut server = Server::new(name, ServerSpec::default());
        server.spec.system_uuid = ApiUuid::new(name);
        server.spec.server_claim_ref = holder.map(|uid| ClaimReference {
            namespace: "ns".into(),
            name: uid.into(),
            uid: Some(uid.into()),
        });
        server.status = Some(ServerStatus {
            state: Some(ServerState::Available),
            power_state: Some(Power::Off),
            ..ServerStatus::default()
        });
        Change::Present(Arc::new(server))
    }

    fn claim(name: &str, created: i64) -> Arc<ServerClaim> {
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
        claim.metadata.namespace = Some("ns".into());
        claim.metadata.uid = Some(name.into());
        claim.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
        Arc::new(claim)
    }

    fn woken(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ("ns".to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn a_free_server_wakes_the_oldest_claim_only() {
        let board = Board::default();
        board.claim_changed(&Change::Present(claim("young", 2)));
        board.claim_changed(&Change::Present(claim("old", 1)));
        assert_eq!(board.server_changed(&server("a", None)), woken(&["old"]));
        assert_eq!(board.choose("old").unwrap().name_any(), "a");
        assert!(board.choose("young").is_none());
        // The oldest gives up.
        assert_eq!(board.claim_changed(&Change::Gone(claim("old", 1))), woken(&["young"]));
        assert_eq!(board.choose("young").unwrap().name_any(), "a");
    }

    #[test]
    fn a_bind_under_way_is_not_repeated_with_another_server() {
        let board = Board::default();
        board.claim_changed(&Change::Present(claim("one", 1)));
        board.claim_changed(&Change::Present(claim("two", 2)));
        board.server_changed(&server("a", None));
        board.server_changed(&server("b", None));
        board.tried("one", "a");
        assert_eq!(board.server_of("one").as_deref(), Some("a"));
        // The watch is behind: `a` still looks free.
        assert_eq!(board.server_changed(&server("a", None)), woken(&["two"]));
        assert_eq!(board.server_changed(&server("a", Some("one"))), woken(&["one"]));
        assert_eq!(board.server_of("one").as_deref(), Some("a"));
        assert_eq!(board.choose("two").unwrap().name_any(), "b");
    }

    #[test]
    fn a_server_moves_in_the_order_when_it_changes() {
        let used = |name: &str, at: &str| {
            let Change::Present(server) = server(name, None) else {
                unreachable!("the helper makes present servers")
            };
            let mut server = Server::clone(&server);
            let annotations = server.annotations_mut();
            annotations.insert(crate::ownership::last_use::ANNOTATION.into(), at.into());
            Change::Present(Arc::new(server))
        };
        let board = Board::default();
        board.claim_changed(&Change::Present(claim("one", 1)));
        board.server_changed(&used("a", "2026-03-01T08:00:00Z"));
        board.server_changed(&used("b", "2026-03-01T09:00:00Z"));
        assert_eq!(board.choose("one").unwrap().name_any(), "a");
        board.server_changed(&used("a", "2026-03-01T10:00:00Z"));
        assert_eq!(board.choose("one").unwrap().name_any(), "b");
        board.server_changed(&server("b", Some("other")));
        assert_eq!(board.choose("one").unwrap().name_any(), "a");
        board.server_changed(&server("a", Some("another")));
        assert!(board.choose("one").is_none());
    }

    #[test]
    fn a_claim_waits_again_when_its_server_is_lost() {
        let board = Board::default();
        board.claim_changed(&Change::Present(claim("one", 1)));
        board.server_changed(&server("a", Some("one")));
        assert!(board.choose("one").is_none());
        // Its reference is gone, though the claim has not changed.
        assert_eq!(board.server_changed(&server("a", None)), woken(&["one"]));
        assert_eq!(board.choose("one").unwrap().name_any(), "a");
        // Held before the claim is known.
        board.server_changed(&server("b", Some("two")));
        board.claim_changed(&Change::Present(claim("two", 2)));
        assert!(board.choose("two").is_none());
    }

    #[test]
    fn the_explanation_is_that_of_all_servers() {
        let board = Board::default();
        let mut servers = Vec::new();
        let mut tell = |change: Change<Server>| {
            board.server_changed(&change);
            let server = change.object().clone();
            servers.retain(|known: &Arc<Server>| known.name_any() != server.name_any());
            if matches!(change, Change::Present(_)) {
                servers.push(server);
            }
            let one = claim("one", 1);
            assert_eq!(board.explain(&one), selection::explain(&one, &servers));
        };
        tell(server("a", None));
        tell(server("b", Some("other")));
        tell(server("c", Some("third")));
        tell(server("a", Some("fourth")));
        tell(server("b", None));
        let Change::Present(last) = server("c", None) else {
            unreachable!("the helper makes present servers")
        };
        tell(Change::Gone(last));
    }

    #[test]
    fn a_server_waits_for_its_rules() {
        let board = Board::default();
        board.claim_changed(&Change::Present(claim("one", 1)));
        let rule = serde_json::json!({
            "conditions": [{"type": "BurnedIn", "requiredStatus": "True"}], "enforcementMode": "Continuous",
            "taint": {"key": "burn-in"}, "serverSelector": {},
        });
        let rule = ServerReadinessRule::new("burn-in", serde_json::from_value(rule).unwrap());
        let rule = Arc::new(rule);
        board.rule_changed(&Change::Present(rule.clone()));
        // Its taint is not written yet.
        assert!(board.server_changed(&server("a", None)).is_empty());
        assert!(board.choose("one").is_none());
        assert_eq!(
            board.explain(&claim("one", 1)),
            "None of 1 servers can be claimed: 1 with taints that are not tolerated"
        );
        assert_eq!(board.rule_changed(&Change::Gone(rule)), woken(&["one"]));
        assert_eq!(board.choose("one").unwrap().name_any(), "a");
    }

    #[test]
    fn a_server_that_a_maintenance_waits_for_is_not_to_be_had() {
        let board = Board::default();
        let free = server("a", None);
        board.claim_changed(&Change::Present(claim("one", 1)));
        board.maintenance_wanted("a", true, None);
        assert_eq!(board.server_changed(&free), woken(&[]));
        assert!(board.choose("one").is_none());
        assert_eq!(
            board.explain(&claim("one", 1)),
            "None of 1 servers can be claimed: 1 in maintenance, or about to be"
        );
        let again = board.maintenance_wanted("a", false, Some(free.object().clone()));
        assert_eq!(again, woken(&["one"]));
        assert!(board.choose("one").is_some());
    }

    #[test]
    fn a_uuid_that_is_not_unique_identifies_nothing() {
        let board = Board::default();
        let uuid = SystemUuid::new("a");
        board.server_changed(&server("a", None));
        assert_eq!(board.system(&uuid).as_deref(), Some("a"));
        let Change::Present(twin) = server("b", None) else {
            unreachable!("the helper makes present servers")
        };
        let mut twin = Server::clone(&twin);
        twin.spec.system_uuid = ApiUuid::new("A");
        board.server_changed(&Change::Present(Arc::new(twin)));
        assert_eq!(board.system(&uuid), None);
        assert_eq!(board.systems(&uuid).len(), 2);
    }
}
