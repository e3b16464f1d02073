//! What a set makes, changes and removes (contract section 4.7). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crds::keys::operation;
use serde_json::{Map, Value, json};

use crate::controllers::firmware::names::fitting;

/// How far something is that a set has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Pending,
    InProgress,
    /// Applied or Completed.
    Done,
    Failed,
}

/// Something that a set has made.
#[derive(Clone, Debug)]
pub struct Child {
    pub name: String,
    /// The server or BMC it is for.
    pub target: String,
    pub progress: Progress,
    /// Its `spec`.
    pub spec: Value,
    /// The value of its operation annotation.
    pub request: Option<String>,
    /// Whether it has been tried again for the set already.
    pub retried: bool,
}

/// What there is to decide from.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    pub set: &'a str,
    /// The value of the operation annotation of the set.
    pub request: Option<&'a str>,
    /// As it is in the `spec` of what is made; empty where the set has none.
    pub template: &'a Map<String, Value>,
    /// All fields that a template can have.
    pub fields: &'a [&'a str],
    /// Names of selected servers or BMCs.
    pub selected: &'a BTreeSet<String>,
    /// Those of them that take their settings from somebody else.
    pub taken: &'a BTreeSet<String>,
    pub children: &'a [Child],
}

/// What to do, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Name and target.
    pub create: Vec<(String, String)>,
    /// Their target is no longer selected.
    pub delete: Vec<String>,
    /// Merge patches of `spec`.
    pub update: Vec<(String, Value)>,
    /// New values of the operation annotation.
    pub annotate: Vec<(String, Option<&'static str>)>,
    pub counts: Counts,
}

/// For the status of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub targets: i32,
    pub available: i32,
    pub pending: i32,
    pub in_progress: i32,
    pub completed: i32,
    pub failed: i32,
}

/// The name of what a set makes for a target. Always the same, so that nothing is made twice.
pub fn child_name(set: &str, target: &str) -> String {
    fitting(format!("{set}-{target}"))
}

/// Decides.
pub fn plan(scene: &Scene<'_>) -> Plan {
    let mut plan = Plan {
        counts: counts(scene),
        ..Plan::default()
    };
    plan.annotate = scene
        .children
        .iter()
        .filter_map(|child| Some((child.name.clone(), annotation(scene.request, child)?)))
        .collect();
    if scene.request == Some(operation::IGNORE_CHILD_AND_SELF) || scene.request == Some(operation::IGNORE) {
        return plan;
    }
    let served: BTreeSet<&str> = scene.children.iter().map(|child| child.target.as_str()).collect();
    if !scene.template.is_empty() {
        let missing = scene.selected.iter().filter(|target| !served.contains(target.as_str()));
        plan.create = missing
            .filter(|target| !scene.taken.contains(*target))
            .map(|target| (child_name(scene.set, target), target.clone()))
            .collect();
    }
    // What works on a machine is neither changed nor removed.
    let idle = scene
        .children
        .iter()
        .filter(|child| child.progress != Progress::InProgress);
    for child in idle {
        if !scene.selected.contains(&child.target) {
            plan.delete.push(child.name.clone());
        } else if !scene.template.is_empty()
            && let Some(patch) = difference(scene, &child.spec)
        {
            plan.update.push((child.name.clone(), patch));
        }
    }
    plan
}

fn counts(scene: &Scene<'_>) -> Counts {
    let count = |progress| {
        let children = scene.children.iter().filter(|child| child.progress == progress);
        number(children.count())
    };
    Counts {
        targets: number(scene.selected.len()),
        available: number(scene.children.len()),
        pending: count(Progress::Pending),
        in_progress: count(Progress::InProgress),
        completed: count(Progress::Done),
        failed: count(Progress::Failed),
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// What the set asks of a child. A request of a person is never overwritten.
fn annotation(request: Option<&str>, child: &Child) -> Option<Option<&'static str>> {
    let ignores = matches!(
        request,
        Some(operation::IGNORE_CHILD | operation::IGNORE_CHILD_AND_SELF)
    );
    let retries = matches!(request, Some(operation::RETRY_CHILD | operation::RETRY_CHILD_AND_SELF));
    match child.request.as_deref() {
        None if ignores => Some(Some(operation::IGNORE_PROPAGATED)),
        None if retries && child.progress == Progress::Failed && !child.retried => {
            Some(Some(operation::RETRY_PROPAGATED))
        }
        Some(operation::IGNORE_PROPAGATED) if !ignores => Some(None),
        _ => None,
    }
}

/// The merge patch that makes the template's part of a `spec` that of the template.
fn difference(scene: &Scene<'_>, spec: &Value) -> Option<Value> {
    let mut patch = Map::new();
    for field in scene.fields {
        let (wanted, found) = (scene.template.get(*field), spec.get(field));
        if wanted == found {
            continue;
        }
        let members = match (wanted, found) {
            // Members that are gone have to be named in a merge patch.
            (Some(Value::Object(wanted)), Some(Value::Object(found))) => {
                let gone = found.keys().filter(|key| !wanted.contains_key(*key));
                let mut members: BTreeMap<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
                members.extend(wanted.clone());
                json!(members)
            }
            (wanted, _) => wanted.cloned().unwrap_or(Value::Null),
        };
        patch.insert((*field).to_owned(), members);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::firmware::names::NAME_LIMIT;

    const FIELDS: [&str; 3] = ["version", "settings", "retryPolicy"];

    fn template() -> Map<String, Value> {
        json!({ "version": "2", "settings": { "A": "1" } })
            .as_object()
            .cloned()
            .unwrap()
    }

    fn child(target: &str, progress: Progress) -> Child {
        Child {
            name: format!("set-{target}"),
            target: target.into(),
            progress,
            spec: json!({ "version": "2", "settings": { "A": "1" }, "serverRef": { "name": target } }),
            request: None,
            retried: false,
        }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of(request: Option<&str>, selected: &[&str], taken: &[&str], children: &[Child]) -> Plan {
        plan(&Scene {
            set: "set",
            request,
            template: &template(),
            fields: &FIELDS,
            selected: &names(selected),
            taken: &names(taken),
            children,
        })
    }

    #[test]
    fn every_selected_target_gets_its_own() {
        let children = [
            child("a", Progress::Done),
            child("gone", Progress::Failed),
            child("busy", Progress::InProgress),
        ];
        let plan = of(None, &["a", "b", "c"], &["c"], &children);
        assert_eq!(plan.create, [("set-b".to_owned(), "b".to_owned())]);
        assert_eq!(plan.delete, ["set-gone"], "what is at work ends first");
        assert_eq!(plan.update, []);
        assert_eq!(
            plan.counts,
            Counts {
                targets: 3,
                available: 3,
                pending: 0,
                in_progress: 1,
                completed: 1,
                failed: 1
            }
        );
    }

    #[test]
    fn a_changed_template_changes_what_is_not_at_work() {
        let mut old = child("a", Progress::Done);
        old.spec = json!({ "version": "1", "settings": { "A": "1", "B": "2" }, "retryPolicy": { "maxAttempts": 1 } });
        let mut busy = child("b", Progress::InProgress);
        busy.spec = old.spec.clone();
        let plan = of(None, &["a", "b"], &[], &[old, busy]);
        let patch = json!({ "version": "2", "settings": { "A": "1", "B": null }, "retryPolicy": null });
        assert_eq!(plan.update, [("set-a".to_owned(), patch)]);
    }

    #[test]
    fn requests_are_passed_on() {
        let with = |request: Option<&str>, progress, retried| Child {
            request: request.map(str::to_owned),
            retried,
            ..child("a", progress)
        };
        use Progress::{Done, Failed};
        for (request, child, expected) in [
            (
                Some("ignore-child"),
                with(None, Done, false),
                Some(Some("ignore-propagated")),
            ),
            (
                Some("ignore-child-and-self"),
                with(None, Done, false),
                Some(Some("ignore-propagated")),
            ),
            (Some("ignore-child"), with(Some("retry"), Done, false), None),
            (None, with(Some("ignore-propagated"), Done, false), Some(None)),
            (Some("ignore-child"), with(Some("ignore-propagated"), Done, false), None),
            (
                Some("retry-child"),
                with(None, Failed, false),
                Some(Some("retry-propagated")),
            ),
            (Some("retry-child"), with(None, Failed, true), None),
            (Some("retry-child"), with(None, Done, false), None),
            (None, with(Some("ignore"), Done, false), None),
        ] {
            let plan = of(request, &["a"], &[], std::slice::from_ref(&child));
            let found = plan.annotate.first().map(|(_, value)| *value);
            assert_eq!(found, expected, "{request:?} {child:?}");
        }
    }

    #[test]
    fn a_set_that_is_ignored_makes_nothing() {
        let plan = of(
            Some("ignore-child-and-self"),
            &["b"],
            &[],
            &[child("a", Progress::Done)],
        );
        assert_eq!((plan.create.len(), plan.delete.len()), (0, 0));
        assert_eq!(plan.annotate.len(), 1);
    }

    #[test]
    fn names_are_short_enough_and_different() {
        assert_eq!(child_name("set", "a"), "set-a");
        let long = "x".repeat(253);
        assert!(child_name(&long, "a").len() <= NAME_LIMIT);
        assert_ne!(child_name(&long, "a"), child_name(&long, "b"));
    }
}
