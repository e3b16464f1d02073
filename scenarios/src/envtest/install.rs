//! Manifests, applied as `kubectl apply --server-side` does.

use crate::script::{Capability, Scenario};
use crate::testbed::TestbedError;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, TypeMeta};
use kube::discovery::{Scope, pinned_kind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt};
use serde::Deserialize as _;
use std::path::Path;
use std::time::Duration;

/// Manifests of `operator/deploy` that say what the operator may do and what others may not.
const MANIFESTS: [&str; 6] = [
    "namespace.yaml",
    "service-account.yaml",
    "cluster-role.yaml",
    "role.yaml",
    "metrics-reader.yaml",
    "admission-policy.yaml",
];
/// The operator's, in these manifests.
pub const SERVICE_ACCOUNT: &str = "metal-operator";
const FIELD_MANAGER: &str = "metal-envtest";
const ESTABLISHED: Duration = Duration::from_secs(30);

/// What of it is installed for a scenario: where others act as another operator, no policy may be in their way.
pub(crate) fn needed_by(scenario: &Scenario, mut all: Vec<DynamicObject>) -> Vec<DynamicObject> {
    if scenario.requires.contains(&Capability::OtherOperators) {
        let is_policy = |types: &TypeMeta| types.api_version.starts_with("admissionregistration.k8s.io/");
        all.retain(|object| !object.types.as_ref().is_some_and(is_policy));
    }
    all
}

/// Installs kinds, service account, roles and admission policy: everything of the folder `deploy` but the operator itself.
///
/// # Errors
/// A manifest cannot be read, or is refused.
pub async fn operator(client: &Client, deploy: &Path) -> Result<(), TestbedError> {
    all(client, everything(deploy)?).await
}

/// Applies objects in order, and waits until our kinds are served.
pub(crate) async fn all(client: &Client, objects: Vec<DynamicObject>) -> Result<(), TestbedError> {
    for object in objects {
        apply(client, "operator/deploy", object).await?;
    }
    established(client).await
}

/// The objects of this, in the order in which they are applied.
///
/// # Errors
/// A manifest cannot be read.
pub fn everything(deploy: &Path) -> Result<Vec<DynamicObject>, TestbedError> {
    let mut all = Vec::new();
    for crd in ::crds::manifest::all() {
        let object = serde_json::to_value(&crd).and_then(DynamicObject::deserialize);
        all.push(object.map_err(|error| TestbedError::failed(format!("{} is no object", crd.name_any()), error))?);
    }
    for name in MANIFESTS {
        let path = deploy.join(name);
        let yaml = std::fs::read_to_string(&path)
            .map_err(|error| TestbedError::failed(format!("{} cannot be read", path.display()), error))?;
        all.extend(documents(name, &yaml)?);
    }
    Ok(all)
}

/// Installs the kinds of this repository, and waits until they are served.
///
/// # Errors
/// The API server refuses one, or does not serve it.
pub async fn crds(client: &Client) -> Result<(), TestbedError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    for crd in ::crds::manifest::all() {
        api.patch(&crd.name_any(), &parameters, &Patch::Apply(&crd))
            .await
            .map_err(|error| TestbedError::failed(format!("{} cannot be installed", crd.name_any()), error))?;
    }
    established(client).await
}

/// Waits until the kinds of this repository are served.
///
/// # Errors
/// They are not.
pub async fn established(client: &Client) -> Result<(), TestbedError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in ::crds::manifest::all() {
        let name = crd.name_any();
        let served = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(ESTABLISHED, served)
            .await
            .map_err(|_| TestbedError::failed(format!("{name} is not served"), "it is not Established in time"))?
            .map_err(|error| TestbedError::failed(format!("{name} cannot be watched"), error))?;
    }
    Ok(())
}

/// Applies every document of a YAML text, in order.
///
/// # Errors
/// A document is no object of a kind that is served, or is refused.
pub async fn manifests(client: &Client, name: &str, yaml: &str) -> Result<(), TestbedError> {
    for object in documents(name, yaml)? {
        apply(client, name, object).await?;
    }
    Ok(())
}

/// The objects of a YAML text.
///
/// # Errors
/// It is not YAML, or a document is no object.
pub fn documents(name: &str, yaml: &str) -> Result<Vec<DynamicObject>, TestbedError> {
    let failed =
        |error: &dyn std::fmt::Display| TestbedError::failed(format!("{name} is no manifest"), error.to_string());
    let values: Vec<serde_json::Value> = serde_saphyr::from_multiple(yaml).map_err(|error| failed(&error))?;
    values
        .into_iter()
        .filter(|value| !value.is_null())
        .map(|value| DynamicObject::deserialize(value).map_err(|error| failed(&error)))
        .collect()
}

/// Applies one object.
///
/// # Errors
/// It is of no kind that is served, or is refused.
pub async fn apply(client: &Client, origin: &str, object: DynamicObject) -> Result<(), TestbedError> {
    let types = object.types.clone().unwrap_or_default();
    let what = format!("{} {} ({origin})", types.kind, object.name_any());
    let kind = kube::core::GroupVersionKind::try_from(&types)
        .map_err(|error| TestbedError::failed(format!("{what} has no kind"), error))?;
    let (resource, capabilities) = pinned_kind(client, &kind)
        .await
        .map_err(|error| TestbedError::failed(format!("{what}: the kind is not served"), error))?;
    let api: Api<DynamicObject> = match (capabilities.scope, object.namespace()) {
        (Scope::Namespaced, namespace) => {
            Api::namespaced_with(client.clone(), namespace.as_deref().unwrap_or("default"), &resource)
        }
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    };
    api.patch(
        &object.name_any(),
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(&object),
    )
    .await
    .map_err(|error| TestbedError::failed(format!("{what} cannot be applied"), error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_several_objects() {
        let yaml = "# a comment\napiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: b }\n";
        let found = documents("x.yaml", yaml).expect("two objects");
        assert_eq!(found.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["a", "b"]);
        assert!(documents("x.yaml", "- 1\n").is_err());
    }
}
