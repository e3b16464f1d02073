//! What readiness rules ask of one Server. Pure.
//!
//! `spec.taints` is an atomic list that people edit, too. So that a taint can be told from theirs when its rule is gone, or selects the
//! Server no longer, the Server notes which rule has tainted it.

use std::collections::BTreeMap;

use crds::kinds::server_readiness_rule::{EnforcementMode, RequiredCondition};
use crds::{Server, ServerReadinessRule, Taint, keys};
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::conditions;
use crate::controllers::is_ignored;
use crate::label_selector;

/// Longest name of an annotation, behind its prefix.
const LONGEST_NAME: usize = 63;

/// Bytes of a digest that stand for the end of a name that is too long.
const DIGEST: usize = 4;

/// The note of a rule on a Server, as the value of an annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub rule: String,
    pub taint: Taint,
}

/// What a rule says about a Server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is not selected, or the rule is on its way out.
    NotConcerned,
    /// Nothing is to change: it was ready once, which is all that was asked for, or the rule is to be left alone.
    Settled,
    Ready,
    NotReady,
}

/// Taints and notes of a Server as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    taints: Vec<Taint>,
    /// `None` removes.
    annotations: BTreeMap<String, Option<String>>,
}

/// The merge patch that makes the Server what its rules ask for, with the precondition; `None` when it is that already. A rule that left
/// a note and is not among `rules` must be known to be gone.
pub(super) fn patch<'a>(server: &Server, rules: impl Iterator<Item = &'a ServerReadinessRule>) -> Option<Value> {
    let wanted = wanted(server, rules);
    if wanted.taints == server.spec.taints && wanted.annotations.is_empty() {
        return None;
    }
    let mut patch = json!({ "metadata": { "resourceVersion": server.resource_version() } });
    if !wanted.annotations.is_empty() {
        patch["metadata"]["annotations"] = json!(wanted.annotations);
    }
    if wanted.taints != server.spec.taints {
        let taints = (!wanted.taints.is_empty()).then_some(wanted.taints);
        patch["spec"] = json!({ "taints": taints });
    }
    Some(patch)
}

/// Taints that rules are about to write: until they are there, the Server is no more to be had than afterwards (W45).
pub fn pending<'a>(server: &Server, rules: impl Iterator<Item = &'a ServerReadinessRule>) -> Vec<Taint> {
    rules
        .filter(|rule| verdict(rule, server) == Verdict::NotReady)
        .map(taint_of)
        .filter(|taint| !server.spec.taints.contains(taint))
        .collect()
}

/// Rules that have left a note on the Server.
pub(super) fn noted(server: &Server) -> Vec<Note> {
    let notes = server
        .annotations()
        .iter()
        .filter(|(key, _)| key.starts_with(keys::TAINTED_BY_ANNOTATION_PREFIX));
    notes.filter_map(|(_, note)| serde_json::from_str(note).ok()).collect()
}

/// Notes that the taint is the rule's.
pub(super) fn note(server: &mut Server, rule: &str, taint: Taint) {
    let note = Note {
        rule: rule.to_owned(),
        taint,
    };
    if let Ok(text) = serde_json::to_string(&note) {
        server.annotations_mut().insert(note_key(rule), text);
    }
}

/// Whether the rule has, or may have, something on the Server.
pub fn concerns(rule: &ServerReadinessRule, server: &Server) -> bool {
    let name = rule.name_any();
    label_selector::matches(&rule.spec.server_selector, server.labels())
        || server.annotations().contains_key(&note_key(&name))
}

fn wanted<'a>(server: &Server, rules: impl Iterator<Item = &'a ServerReadinessRule>) -> Wanted {
    let mut demanded: Vec<Taint> = Vec::new();
    let mut dropped: Vec<Taint> = Vec::new();
    let mut annotations = BTreeMap::new();
    let mut notes: BTreeMap<String, Note> = noted(server)
        .into_iter()
        .map(|note| (note.rule.clone(), note))
        .collect();
    for rule in rules {
        let name = rule.name_any();
        let taint = taint_of(rule);
        match verdict(rule, server) {
            // The note is dealt with below.
            Verdict::NotConcerned => continue,
            Verdict::Settled => {}
            Verdict::Ready => {
                dropped.push(taint);
                if notes.contains_key(&name) {
                    annotations.insert(note_key(&name), None);
                }
                if rule.spec.enforcement_mode == EnforcementMode::BootstrapOnly {
                    annotations.insert(completed_key(&name), Some("true".to_owned()));
                }
            }
            Verdict::NotReady => {
                let note = Note {
                    rule: name.clone(),
                    taint: taint.clone(),
                };
                if notes.get(&name) != Some(&note) {
                    annotations.insert(note_key(&name), serde_json::to_string(&note).ok());
                }
                demanded.push(taint);
            }
        }
        notes.remove(&name);
    }
    // Of rules that are gone, or select the Server no longer.
    for (rule, note) in notes {
        annotations.insert(note_key(&rule), None);
        dropped.push(note.taint);
    }
    let kept = server.spec.taints.iter();
    let mut taints: Vec<Taint> = kept
        .filter(|taint| demanded.contains(taint) || !dropped.contains(taint))
        .cloned()
        .collect();
    for taint in demanded {
        if !taints.contains(&taint) {
            taints.push(taint);
        }
    }
    Wanted { taints, annotations }
}

fn verdict(rule: &ServerReadinessRule, server: &Server) -> Verdict {
    if rule.metadata.deletion_timestamp.is_some()
        || !label_selector::matches(&rule.spec.server_selector, server.labels())
    {
        return Verdict::NotConcerned;
    }
    let completed = rule.spec.enforcement_mode == EnforcementMode::BootstrapOnly
        && server.annotations().contains_key(&completed_key(&rule.name_any()));
    if completed || is_ignored(rule) {
        return Verdict::Settled;
    }
    let none = Vec::new();
    let present = server.status.as_ref().map_or(&none, |status| &status.conditions);
    let holds = |required: &RequiredCondition| {
        conditions::find(present, &required.type_)
            .is_some_and(|condition| condition.status == required.required_status.as_str())
    };
    if rule.spec.conditions.iter().all(holds) {
        Verdict::Ready
    } else {
        Verdict::NotReady
    }
}

pub(super) fn taint_of(rule: &ServerReadinessRule) -> Taint {
    let taint = &rule.spec.taint;
    Taint {
        key: taint.key.clone(),
        value: taint.value.clone().filter(|value| !value.is_empty()),
        effect: taint.effect,
    }
}

fn note_key(rule: &str) -> String {
    key(keys::TAINTED_BY_ANNOTATION_PREFIX, rule)
}

fn completed_key(rule: &str) -> String {
    key(keys::BOOTSTRAP_COMPLETED_ANNOTATION_PREFIX, rule)
}

/// Rules may have longer names than annotations.
fn key(prefix: &str, rule: &str) -> String {
    let behind = prefix.rsplit('/').next().unwrap_or_default().len();
    if behind + rule.len() <= LONGEST_NAME {
        return format!("{prefix}{rule}");
    }
    let digest = hex::encode(&Sha256::digest(rule)[..DIGEST]);
    let kept = LONGEST_NAME - behind - digest.len() - 1;
    format!("{prefix}{}-{digest}", &rule[..kept])
}

#[cfg(test)]
mod tests {
    use crds::shared::TaintEffect;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::conditions::Wish;

    const NOTE: &str = "readiness.metal.ironcore.dev/tainted-by-burn-in";
    const COMPLETED: &str = "readiness.metal.ironcore.dev/bootstrap-completed-burn-in";

    fn rule(mode: &str) -> ServerReadinessRule {
        let spec = json!({
            "conditions": [{"type": "BurnedIn", "requiredStatus": "True"}],
            "enforcementMode": mode,
            "taint": {"key": "burn-in"},
            "serverSelector": {"matchLabels": {"rack": "7"}},
        });
        ServerReadinessRule::new("burn-in", serde_json::from_value(spec).expect("a rule"))
    }

    fn taint(key: &str) -> Taint {
        Taint {
            key: key.into(),
            value: None,
            effect: TaintEffect::NoBind,
        }
    }

    fn server(condition: Option<Wish>, taints: &[&str]) -> Server {
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.labels_mut().insert("rack".into(), "7".into());
        server.spec.taints = taints.iter().map(|key| taint(key)).collect();
        let status = server.status.get_or_insert_default();
        if let Some(wish) = condition {
            conditions::set(&mut status.conditions, &wish, Timestamp::UNIX_EPOCH);
        }
        server
    }

    fn ready() -> Option<Wish> {
        Some(Wish::yes("BurnedIn", "Passed", ""))
    }

    fn outcome(server: &Server, rules: &[ServerReadinessRule]) -> (Vec<String>, Vec<(String, bool)>) {
        let wanted = wanted(server, rules.iter());
        (
            wanted.taints.into_iter().map(|taint| taint.key).collect(),
            wanted
                .annotations
                .into_iter()
                .map(|(key, value)| (key, value.is_some()))
                .collect(),
        )
    }

    #[test]
    fn what_a_rule_does() {
        let failed = Some(Wish::no("BurnedIn", "Failed", ""));
        let note = || (NOTE.to_owned(), true);
        let completed = || (COMPLETED.to_owned(), true);
        for (mode, condition, before, after, annotations) in [
            ("Continuous", None, vec!["mine"], vec!["mine", "burn-in"], vec![note()]),
            ("Continuous", failed.clone(), vec![], vec!["burn-in"], vec![note()]),
            // One of an operator that left no notes, or of somebody who was faster.
            (
                "Continuous",
                failed.clone(),
                vec!["burn-in"],
                vec!["burn-in"],
                vec![note()],
            ),
            ("Continuous", ready(), vec!["burn-in", "mine"], vec!["mine"], vec![]),
            ("Continuous", ready(), vec![], vec![], vec![]),
            ("BootstrapOnly", failed, vec![], vec!["burn-in"], vec![note()]),
            ("BootstrapOnly", ready(), vec!["burn-in"], vec![], vec![completed()]),
        ] {
            let server = server(condition, &before);
            let (taints, noted) = outcome(&server, &[rule(mode)]);
            assert_eq!(
                (taints, noted),
                (after.iter().map(ToString::to_string).collect(), annotations),
                "{mode} {server:?}"
            );
        }
    }

    #[test]
    fn ready_once_is_enough_for_a_bootstrap_rule() {
        let mut server = server(None, &["burn-in"]);
        server.annotations_mut().insert(COMPLETED.into(), "true".into());
        assert_eq!(patch(&server, [rule("BootstrapOnly")].iter()), None);
        assert!(pending(&server, [rule("BootstrapOnly")].iter()).is_empty());
        assert!(pending(&server, [rule("Continuous")].iter()).is_empty(), "it is there");
        server.spec.taints.clear();
        assert_eq!(pending(&server, [rule("Continuous")].iter()), [taint("burn-in")]);
    }

    #[test]
    fn a_taint_goes_with_its_rule_and_stays_for_another() {
        let noted = || {
            let mut server = server(None, &["burn-in", "mine"]);
            let note = r#"{"rule":"burn-in","taint":{"key":"burn-in","effect":"NoBind"}}"#;
            server.annotations_mut().insert(NOTE.into(), note.into());
            server
        };
        let removed = (vec!["mine".to_owned()], vec![(NOTE.to_owned(), false)]);
        assert_eq!(outcome(&noted(), &[]), removed, "the rule is gone");
        let mut going = rule("Continuous");
        going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert_eq!(outcome(&noted(), &[going]), removed, "the rule is going");
        let mut moved = noted();
        moved.labels_mut().insert("rack".into(), "8".into());
        assert_eq!(outcome(&moved, &[rule("Continuous")]), removed, "not selected any more");
        let mut other = rule("Continuous");
        other.metadata.name = Some("other".into());
        let (taints, _) = outcome(&noted(), &[other]);
        assert_eq!(taints, ["burn-in", "mine"], "another rule wants it");
        let mut ignored = rule("Continuous");
        let annotations = ignored.annotations_mut();
        annotations.insert(keys::OPERATION_ANNOTATION.into(), "ignore".into());
        assert_eq!(patch(&noted(), [ignored].iter()), None, "to be left alone");
        let unchanged = patch(&noted(), [rule("Continuous")].iter());
        assert_eq!(unchanged, None, "nothing is written twice");
    }

    #[test]
    fn the_patch_carries_its_precondition() {
        let mut server = server(None, &["mine"]);
        server.metadata.resource_version = Some("7".into());
        insta::assert_json_snapshot!(patch(&server, [rule("Continuous")].iter()));
    }

    #[test]
    fn a_long_name_makes_a_valid_key() {
        let long = "a-rule-with-a-name-that-is-much-longer-than-annotations-may-be";
        for key in [note_key(long), completed_key(long)] {
            let (_, name) = key.split_once('/').unwrap();
            assert_eq!(name.len(), LONGEST_NAME, "{key}");
        }
        assert_ne!(note_key(long), note_key(&format!("{long}-2")));
        assert_eq!(note_key("burn-in"), NOTE);
    }
}
