//! What a binary is made of: a CycloneDX bill of materials from what cargo knows.

use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The bill of one binary.
pub(super) fn of(repository: &Repository, package: &str, binary: &str) -> miette::Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
        .arg(super::cargo::static_target())
        .arg("--manifest-path")
        .arg(repository.path("Cargo.toml"))
        .output()
        .into_diagnostic()
        .wrap_err("cargo cannot be started")?;
    miette::ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice(&output.stdout)
        .into_diagnostic()
        .wrap_err("cargo metadata says nothing that can be understood")?;
    let bill =
        bill(&metadata, package, binary).ok_or_else(|| miette::miette!("cargo metadata knows no package {package}"))?;
    Ok(format!("{bill:#}\n"))
}

/// Everything that is linked: dependencies of dependencies, without those of builds and tests.
fn bill(metadata: &Value, package: &str, binary: &str) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let (root, _) = packages
        .iter()
        .find(|(_, found)| found["name"] == package && found["source"].is_null())?;
    let root = *root;
    let mut found = BTreeSet::from([root]);
    let mut waiting = vec![root];
    let mut dependencies: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    while let Some(id) = waiting.pop() {
        for next in linked(nodes.get(id)?) {
            dependencies.entry(id).or_default().push(reference(packages.get(next)?));
            if found.insert(next) {
                waiting.push(next);
            }
        }
    }
    let component = |id: &&str| component(packages[id]);
    let mut components: Vec<Value> = found.iter().filter(|id| **id != root).map(component).collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    let links: Vec<Value> = dependencies
        .into_iter()
        .map(|(id, mut on)| {
            on.sort();
            json!({ "ref": reference(packages[id]), "dependsOn": on })
        })
        .collect();
    let mut subject = self::component(packages[root]);
    subject["type"] = json!("application");
    subject["name"] = json!(binary);
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": subject, "tools": { "components": [{ "type": "application", "name": "cargo xtask images" }] } },
        "components": components,
        "dependencies": links,
    }))
}

/// The packages that this one is linked with.
fn linked(node: &Value) -> Vec<&str> {
    let of = |dependency: &Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let dependencies = node["deps"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| of(dependency))
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

fn component(package: &Value) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    });
    if let Some(license) = package["license"].as_str() {
        // Crates of old separate alternatives by a slash.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    component
}

fn reference(package: &Value) -> String {
    let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_on_the_bill_and_nothing_else() {
        let package = |name: &str, source: Value| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "source": source });
        let registry = json!("registry");
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("operator", Value::Null), package("kube", registry.clone()), package("http", registry.clone()),
                package("cc", registry.clone()), package("insta", registry.clone()), package("unrelated", registry),
            ],
            "resolve": { "nodes": [
                { "id": "operator", "deps": [dependency("kube", Value::Null), dependency("insta", json!("dev")), dependency("cc", json!("build"))] },
                { "id": "kube", "deps": [dependency("http", Value::Null)] },
                { "id": "http", "deps": [] }, { "id": "cc", "deps": [] }, { "id": "insta", "deps": [] }, { "id": "unrelated", "deps": [] },
            ] },
        });
        let bill = bill(&metadata, "operator", "metal-operator").expect("a bill");
        let names: Vec<&str> = bill["components"]
            .as_array()
            .expect("components")
            .iter()
            .filter_map(|component| component["name"].as_str())
            .collect();
        assert_eq!(names, ["http", "kube"]);
        assert_eq!(bill["metadata"]["component"]["name"], "metal-operator");
        assert_eq!(bill["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["components"][1]["purl"], "pkg:cargo/kube@1.0.0");
    }
}
