//! ClusterRole and Role.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{NAME, NAMESPACE};
use crate::permissions::{GRANTS, Verb, Within};

pub(super) fn cluster_role() -> String {
    format!(
        "# What the operator does outside of its own namespace, and nothing else (operator/src/permissions).\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {NAME}\nrules:\n{}{}",
        indented(&rules(Within::Cluster)),
        binding("ClusterRole", None),
    )
}

pub(super) fn role() -> String {
    format!(
        "# What it does in its own namespace only (operator/src/permissions).\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {NAME}\n  namespace: {NAMESPACE}\nrules:\n{}{}",
        indented(&rules(Within::OwnNamespace)),
        binding("Role", Some(NAMESPACE)),
    )
}

pub(super) fn cluster_rules() -> String {
    rules(Within::Cluster)
}

pub(super) fn own_rules() -> String {
    rules(Within::OwnNamespace)
}

fn binding(kind: &str, namespace: Option<&str>) -> String {
    let namespace = namespace
        .map(|namespace| format!("  namespace: {namespace}\n"))
        .unwrap_or_default();
    format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\nmetadata:\n  name: {NAME}\n{namespace}\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {NAME}\nsubjects:\n  - kind: ServiceAccount\n    \
         name: {NAME}\n    namespace: {NAMESPACE}\n"
    )
}

fn indented(rules: &str) -> String {
    rules
        .lines()
        .fold(String::new(), |text, line| text + "  " + line + "\n")
}

/// A rule for every resource; resources with the same verbs for the same parts of the operator share one.
fn rules(within: Within) -> String {
    type Needs = (BTreeSet<Verb>, BTreeSet<&'static str>);
    let mut resources: BTreeMap<(&str, &str), Needs> = BTreeMap::new();
    for grant in GRANTS.iter().filter(|grant| grant.within == within) {
        for resource in grant.resources {
            let (verbs, who) = resources.entry((grant.group, resource)).or_default();
            verbs.extend(grant.verbs);
            who.insert(grant.who);
        }
    }
    let mut rules: BTreeMap<(&str, Needs), Vec<&str>> = BTreeMap::new();
    for ((group, resource), needs) in resources {
        rules.entry((group, needs)).or_default().push(resource);
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by(|((a, _), of_a), ((b, _), of_b)| (a, of_a).cmp(&(b, of_b)));
    let mut text = String::new();
    for ((group, (verbs, who)), resources) in rules {
        let who: Vec<&str> = who.into_iter().collect();
        let verbs: Vec<&str> = verbs.into_iter().map(Verb::as_str).collect();
        let group = if group.is_empty() { "\"\"" } else { group };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# {}\n- apiGroups: [{group}]\n  resources: [{}]\n  verbs: [{}]",
            who.join("; "),
            resources.join(", "),
            verbs.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_the_secrets_of_tenants() {
        let everywhere = cluster_rules();
        assert!(
            !everywhere.contains("[secrets") && !everywhere.contains(" secrets"),
            "{everywhere}"
        );
        insta::assert_snapshot!(role());
    }
}
