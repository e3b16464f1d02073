//! Finds the resource behind a path, and lists all of them for discovery.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Resource;

/// An immutable picture of everything served; replaced as a whole when a definition comes or goes.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    resources: BTreeMap<(String, String, String), Arc<Resource>>,
}

impl Registry {
    pub(crate) fn insert(&mut self, resource: Resource) {
        let key = (
            resource.group.clone(),
            resource.version.clone(),
            resource.plural.clone(),
        );
        self.resources.insert(key, Arc::new(resource));
    }

    /// Removes every version of a resource.
    pub(crate) fn remove(&mut self, group: &str, plural: &str) {
        self.resources.retain(|(g, _, p), _| g != group || p != plural);
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The resource of a kind, as owner references name it (`apiVersion`, `kind`).
    pub(crate) fn find_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.in_version(group, version).find(|resource| resource.kind == kind)
    }

    pub(crate) fn in_version(&self, group: &str, version: &str) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources
            .values()
            .filter(move |resource| resource.group == group && resource.version == version)
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.resources.values().any(|resource| resource.group == group)
    }

    pub(crate) fn has_version(&self, group: &str, version: &str) -> bool {
        self.in_version(group, version).next().is_some()
    }

    /// Groups with their versions, the preferred version first. Core (`""`) comes first.
    pub(crate) fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for resource in self.resources.values() {
            let versions = groups.entry(resource.group.clone()).or_default();
            if !versions.contains(&resource.version) {
                versions.push(resource.version.clone());
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        }
        groups
    }

    /// The resource of a table: the first version found.
    pub(crate) fn of_table(&self, table: &crate::store::StorageId) -> Option<&Arc<Resource>> {
        self.resources.values().find(|resource| resource.storage == *table)
    }

    /// One resource per table: the first version found of each.
    pub(crate) fn tables(&self) -> BTreeMap<crate::store::StorageId, Arc<Resource>> {
        let mut tables = BTreeMap::new();
        for resource in self.resources.values() {
            tables
                .entry(resource.storage.clone())
                .or_insert_with(|| resource.clone());
        }
        tables
    }
}

/// Kubernetes version priority: `v2` > `v1` > `v1beta2` > `v1beta1` > `v1alpha1` > anything else by name.
fn version_rank(version: &str) -> (u8, u64, u64, std::cmp::Reverse<String>) {
    let none = (0, 0, 0, std::cmp::Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else {
        return none;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse() else { return none };
    let (stage, minor) = match &rest[digits..] {
        "" => (3, "0"),
        tail => match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor),
            (_, Some(minor)) => (1, minor),
            _ => return none,
        },
    };
    match minor.parse() {
        Ok(minor) => (stage, major, minor, std::cmp::Reverse(String::new())),
        Err(_) => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ranked_as_kubernetes_does() {
        let mut versions = vec![
            "v1alpha1",
            "foo",
            "v2",
            "v1beta2",
            "v10",
            "v1",
            "v1beta1",
            "v11alpha2",
            "bar",
        ];
        versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        assert_eq!(
            versions,
            [
                "v10",
                "v2",
                "v1",
                "v1beta2",
                "v1beta1",
                "v11alpha2",
                "v1alpha1",
                "bar",
                "foo"
            ]
        );
    }
}
