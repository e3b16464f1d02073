//! What the operator asks of the API server in the scripts of this repository, against its roles. That whatever is asked for is granted
//! every scenario says (`invariants::least_privilege`); here is shown that whatever is granted is asked for.

use operator::permissions::{Access, GRANTS};
use scenarios::engine::Silent;
use scenarios::report::Outcome;
use scenarios::runner::{DEFAULT_LOG_FILTER, Logs, Piece, Settings, in_virtual_time};
use scenarios::script::Script;
use scenarios::script::parameters::Parameters;
use scenarios::testbed::MANAGER_NAMESPACE;
use scenarios::trace::Trace;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Parts of the operator that no script needs, and what shows that they need what they have.
const ELSEWHERE: &[(&str, &str)] = &[
    ("webhooks", "cargo xtask envtest"),
    ("endpoint discovery", "operator/src/discovery/mod.rs"),
    ("firmware controllers", "operator/src/controllers/firmware"),
    // The script has two of the four kinds, which are one code.
    ("firmware sets", "scenarios/scripts/firmware-sets.yaml"),
    ("metrics", "cargo xtask envtest"),
    ("owner references", "cargo xtask envtest"),
];

/// What is needed only when a cache and the API server differ, as no script can have it.
const RARE: &[&str] = &[
    "serverreadinessrule controller: get serverreadinessrules",
    "servermaintenance controller: get servermaintenances",
];

/// What no script of the repository does: an elected operator, and a tenant who changes the image.
const MORE: &str = r#"
name: more
description: An elected operator whose tenant changes the image.
operator: { options: { leader-elect: true } }
fleet:
  machines: [ { name: node } ]
steps:
  - register: { machines: all }
  - expect: { kind: Server, name: node-system-0, that: object.status.state == 'Available', within: 20m }
  - apply:
      manifests:
        - apiVersion: metal.ironcore.dev/v1alpha1
          kind: ServerClaim
          metadata: { name: tenant, namespace: default }
          spec: { power: "Off", image: registry.example/os:v1 }
  - expect: { kind: ServerBootConfiguration, name: tenant, that: object.spec.image.endsWith('v1'), within: 10m }
  - patch: { kind: ServerClaim, name: tenant, merge: { spec: { image: registry.example/os:v2 } } }
  - expect: { kind: ServerBootConfiguration, name: tenant, that: object.spec.image.endsWith('v2'), within: 10m }
"#;

/// All scripts, and one in which a BMC is deleted.
fn scripts() -> Vec<Script> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Script::read_all(&root.join("scripts")).expect("scripts");
    all.push(Script::parse("more.yaml", MORE.to_owned()).expect("a script"));
    for incident in ["bmc-users", "deleted-while-running"] {
        let file = root.join("incidents").join(format!("{incident}.yaml"));
        all.push(Script::read(&file).expect("a script"));
    }
    all
}

/// Everything that the operator asks for in all of them, one after another.
fn asked() -> BTreeSet<Access> {
    let settings = Settings {
        seed: 1,
        time_scale: 1.0,
        log_filter: DEFAULT_LOG_FILTER.to_owned(),
        logs: Logs::Quiet,
    };
    let mut asked = BTreeSet::new();
    for script in scripts() {
        let scenario = script.bind(&Parameters::new()).expect("defaults");
        let folder = tempfile::tempdir().expect("a folder");
        let trace = |clock| Arc::new(Trace::new(clock, None));
        let played = in_virtual_time(
            Piece::Scenario(&scenario, None),
            &settings,
            folder.path(),
            &Silent,
            trace,
        );
        assert!(
            matches!(played.report.outcome, Outcome::Passed),
            "{}: {:?}",
            script.name,
            played.report.outcome
        );
        asked.extend(played.asked);
    }
    asked
}

#[test]
fn whatever_is_granted_is_needed() {
    let asked = asked();
    let mut idle = Vec::new();
    for grant in GRANTS
        .iter()
        .filter(|grant| ELSEWHERE.iter().all(|(who, _)| *who != grant.who))
    {
        for resource in grant.resources {
            for verb in grant.verbs {
                let needed = asked.iter().any(|access| {
                    access.verb == *verb && access.resource == *resource && grant.covers(access, MANAGER_NAMESPACE)
                });
                let need = format!("{}: {} {resource}", grant.who, verb.as_str());
                if !needed && !RARE.contains(&need.as_str()) {
                    idle.push(need);
                }
            }
        }
    }
    assert!(
        idle.is_empty(),
        "nobody asked for what is granted:\n{}",
        idle.join("\n")
    );
}
