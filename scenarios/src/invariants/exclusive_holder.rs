//! S1 and S2: at most one holder per machine, and no holder is ever replaced by another.

use super::{Breach, Invariant, Scene, is_taken_again};
use crate::engine::world::{ObjectKey, holder, text};
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes of what is the case; each must be a function in both directions.
#[derive(Default)]
pub struct ExclusiveHolder {
    server_of_claim: BTreeMap<String, String>,
    server_of_machine: BTreeMap<String, String>,
    claim_of_server: BTreeMap<String, ObjectKey>,
    /// The same from the other side: a claim that has named several servers is the holder of all of them.
    servers_of_claim: BTreeMap<ObjectKey, BTreeSet<String>>,
}

impl Invariant for ExclusiveHolder {
    fn name(&self) -> &'static str {
        "one claim per server, one server per claim"
    }

    fn commit(&mut self, commit: &Commit, _scene: &Scene<'_>) -> Vec<Breach> {
        match commit.kind.as_str() {
            "Server" => self.server(commit),
            "ServerClaim" => self.claim(commit).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

impl ExclusiveHolder {
    fn server(&mut self, commit: &Commit) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let key = ObjectKey::of(commit).to_string();
        let gone = commit.event == CommitEvent::Deleted;
        let before = commit.previous.as_deref().and_then(holder);
        let now = if gone { None } else { holder(&commit.object) };

        if let (Some(before), Some(now)) = (before, now)
            && !before.is_empty()
            && before != now
            && !commit
                .previous
                .as_deref()
                .is_some_and(|previous| is_taken_again(previous, &commit.object))
        {
            breaches.push(Breach::new(
                format!("claim {before} held the server and was replaced by claim {now}, without a release in between"),
                [key.clone()],
            ));
        }
        if before != now {
            if let Some(before) = before {
                self.server_of_claim.remove(before);
            }
            if let Some(now) = now.filter(|now| !now.is_empty())
                && let Some(other) = self.server_of_claim.insert(now.to_owned(), commit.name.clone())
            {
                breaches.push(Breach::new(
                    format!("claim {now} holds {other} and {} at once", commit.name),
                    [key.clone(), format!("Server {other}")],
                ));
            }
        }
        if let Some(machine) = text(&commit.object, "/spec/systemUUID").map(str::to_lowercase) {
            if gone {
                self.server_of_machine.remove(&machine);
            } else {
                let first = self
                    .server_of_machine
                    .entry(machine)
                    .or_insert_with(|| commit.name.clone());
                if *first != commit.name {
                    breaches.push(Breach::new(
                        format!(
                            "{first} and {} both stand for the machine {}",
                            commit.name,
                            system_uuid(&commit.object)
                        ),
                        [key, format!("Server {first}")],
                    ));
                }
            }
        }
        breaches
    }

    /// Two claims that say they are bound to the same server. A claim that is being deleted has already given up.
    fn claim(&mut self, commit: &Commit) -> Option<Breach> {
        let key = ObjectKey::of(commit);
        let claim = &commit.object;
        let ended = commit.event == CommitEvent::Deleted || text(claim, "/metadata/deletionTimestamp").is_some();
        if ended {
            for server in self.servers_of_claim.remove(&key).unwrap_or_default() {
                self.claim_of_server.remove(&server);
            }
            return None;
        }
        if text(claim, "/status/phase") != Some("Bound") {
            return None;
        }
        let server = text(claim, "/spec/serverRef/name")?;
        let first = self
            .claim_of_server
            .entry(server.to_owned())
            .or_insert_with(|| key.clone());
        if *first == key {
            let servers = self.servers_of_claim.entry(key.clone()).or_default();
            servers.insert(server.to_owned());
        }
        (*first != key).then(|| {
            Breach::new(
                format!("{first} and {key} are both Bound to server {server}"),
                [first.to_string(), key.to_string(), format!("Server {server}")],
            )
        })
    }
}

fn system_uuid(server: &Value) -> &str {
    text(server, "/spec/systemUUID").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, held_by, server};
    use super::*;
    use serde_json::json;

    fn held(name: &str, uuid: &str, claim: Option<&str>) -> Value {
        let spec = claim.map_or(json!({}), |claim| json!({"serverClaimRef": held_by(claim)}));
        server(name, uuid, spec, json!({}))
    }

    #[test]
    fn a_release_between_two_holders_is_fine() {
        let (mut stage, mut invariant) = (Stage::default(), ExclusiveHolder::default());
        for claim in [None, Some("a"), None, Some("b"), None, Some("a")] {
            assert_eq!(stage.put(&mut invariant, "Server", held("s1", "uuid-1", claim)), []);
        }
    }

    #[test]
    fn replacement_double_holding_and_twins_are_breaches() {
        let (mut stage, mut invariant) = (Stage::default(), ExclusiveHolder::default());
        stage.put(&mut invariant, "Server", held("s1", "uuid-1", Some("a")));
        let replaced = stage.put(&mut invariant, "Server", held("s1", "uuid-1", Some("b")));
        assert!(replaced[0].message.contains("replaced"), "{replaced:?}");
        let twice = stage.put(&mut invariant, "Server", held("s2", "uuid-2", Some("b")));
        assert_eq!(twice[0].message, "claim b holds s1 and s2 at once");
        let twin = stage.put(&mut invariant, "Server", held("s3", "UUID-2", None));
        assert_eq!(twin[0].message, "s2 and s3 both stand for the machine UUID-2");
    }

    #[test]
    fn what_a_backup_brought_back_goes_on() {
        let (mut stage, mut invariant) = (Stage::default(), ExclusiveHolder::default());
        let bound_as = |uid: &str, claim: &str| {
            let mut server = held("s1", "uuid-1", Some(claim));
            server["metadata"]["annotations"] = json!({ "metal.ironcore.dev/bound-as": uid });
            server
        };
        stage.put(&mut invariant, "Server", bound_as("uid-before", "a"));
        assert_eq!(stage.put(&mut invariant, "Server", bound_as("uid-s1", "b")), []);
        assert_eq!(stage.put(&mut invariant, "Server", bound_as("uid-s1", "c")).len(), 1);
    }

    #[test]
    fn two_bound_claims_for_one_server() {
        let (mut stage, mut invariant) = (Stage::default(), ExclusiveHolder::default());
        let claim = |name: &str, deleted: bool| {
            let mut claim = json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"serverRef": {"name": "s1"}}, "status": {"phase": "Bound"}});
            if deleted {
                claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            claim
        };
        assert_eq!(stage.put(&mut invariant, "ServerClaim", claim("a", false)), []);
        assert_eq!(stage.put(&mut invariant, "ServerClaim", claim("b", false)).len(), 1);
        assert_eq!(stage.put(&mut invariant, "ServerClaim", claim("a", true)), []);
        assert_eq!(stage.put(&mut invariant, "ServerClaim", claim("b", false)), []);
    }
}
