//! What there is in a cluster.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, ResourceExt};

use super::item::{Item, Key, Kind, api};
use super::references;

/// What is to be moved.
pub(super) struct Objects {
    pub(super) items: Vec<Item>,
    /// For people.
    pub(super) notes: Vec<String>,
}

/// The kinds of the metal API that the cluster has, in the first version that it serves.
///
/// # Errors
/// The API server's; or there is none.
pub(super) async fn kinds(client: &Client) -> anyhow::Result<Vec<Kind>> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let list = definitions.list(&ListParams::default()).await;
    let list = list.context("CustomResourceDefinitions cannot be listed")?;
    let metal = list
        .items
        .into_iter()
        .filter(|definition| definition.spec.group == crds::GROUP);
    let kinds: Vec<Kind> = metal.filter_map(|definition| kind(&definition)).collect();
    if kinds.is_empty() {
        bail!("has no CustomResourceDefinition of {}", crds::GROUP);
    }
    Ok(kinds)
}

fn kind(definition: &CustomResourceDefinition) -> Option<Kind> {
    let spec = &definition.spec;
    let version = spec.versions.iter().find(|version| version.served)?;
    let gvk = GroupVersionKind::gvk(&spec.group, &version.name, &spec.names.kind);
    Some(Kind {
        resource: ApiResource::from_gvk_with_plural(&gvk, &spec.names.plural),
        namespaced: spec.scope == "Namespaced",
        has_status: version
            .subresources
            .as_ref()
            .is_some_and(|parts| parts.status.is_some()),
    })
}

/// # Errors
/// Kinds that the cluster does not have in that version.
pub(super) async fn require(client: &Client, wanted: &[Kind]) -> anyhow::Result<()> {
    let there = kinds(client).await?;
    let missing: Vec<String> = wanted
        .iter()
        .filter(|kind| !there.iter().any(|found| found.resource == kind.resource))
        .map(|kind| format!("{}/{}", kind.resource.plural, kind.resource.version))
        .collect();
    if !missing.is_empty() {
        bail!("lacks {}; apply crds/manifests there", missing.join(", "));
    }
    Ok(())
}

fn core(kind: &str, plural: &str) -> Kind {
    Kind {
        resource: ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural),
        namespaced: true,
        has_status: false,
    }
}

/// All metal objects, what they name, and Secrets that belong to them.
///
/// # Errors
/// The API server's.
pub(super) async fn objects(client: &Client, kinds: &[Kind], namespace: Option<&str>) -> anyhow::Result<Objects> {
    let mut items = Vec::new();
    for kind in kinds {
        let api = api(client, kind, namespace.filter(|_| kind.namespaced));
        let list = api.list(&ListParams::default()).await;
        let list = list.with_context(|| format!("{} cannot be listed", kind.resource.plural))?;
        items.extend(list.items.into_iter().map(|object| Item::new(kind, object)));
    }
    let (named, mut notes) = references::named(items.iter());
    let mut found: BTreeMap<Key, Item> = BTreeMap::new();
    for (kind, plural) in [("Secret", "secrets"), ("ConfigMap", "configmaps")] {
        let core = core(kind, plural);
        for (_, namespace, name) in named.iter().filter(|(of, ..)| *of == kind) {
            let read = api(client, &core, Some(namespace)).get_opt(name).await;
            match read.with_context(|| format!("{kind} {namespace}/{name} cannot be read"))? {
                Some(object) => {
                    let item = Item::new(&core, object);
                    found.insert(item.key.clone(), item);
                }
                None => notes.push(format!("{kind} {namespace}/{name} is named, and not there")),
            }
        }
    }
    let uids: BTreeSet<&str> = items.iter().filter_map(Item::uid).collect();
    let namespaces: BTreeSet<String> = items.iter().filter_map(|item| item.key.namespace.clone()).collect();
    let core = core("Secret", "secrets");
    for namespace in namespaces {
        let list = api(client, &core, Some(&namespace)).list(&ListParams::default()).await;
        let list = list.with_context(|| format!("Secrets in {namespace} cannot be listed"))?;
        let owned = list.items.into_iter().filter(|secret| {
            let owners = secret.owner_references();
            owners.iter().any(|owner| uids.contains(owner.uid.as_str()))
        });
        found.extend(
            owned
                .map(|object| Item::new(&core, object))
                .map(|item| (item.key.clone(), item)),
        );
    }
    items.extend(found.into_values());
    Ok(Objects { items, notes })
}

/// What has the same names in another cluster.
///
/// # Errors
/// The API server's.
pub(super) async fn counterparts(client: &Client, items: &[Item]) -> anyhow::Result<BTreeMap<Key, DynamicObject>> {
    let mut found = BTreeMap::new();
    for item in items {
        let read = item.api(client).get_opt(&item.key.name).await;
        if let Some(object) = read.with_context(|| format!("{} cannot be read", item.key))? {
            found.insert(item.key.clone(), object);
        }
    }
    Ok(found)
}
