//! Where an object lives: which table, and under which key in it.

use std::fmt;

/// A table of the store: all objects of one resource, whatever version they are read in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StorageId {
    pub(crate) group: String,
    pub(crate) resource: String,
}

impl StorageId {
    pub(crate) fn new(group: &str, resource: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
        }
    }
}

/// `namespace/name`, or `name` for cluster-scoped objects. Ordered as text, because the real server orders lists by
/// the bytes of the etcd key (so namespace `a-b` comes before `a`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey(String);

impl ObjectKey {
    pub(crate) fn new(namespace: Option<&str>, name: &str) -> Self {
        match namespace {
            Some(namespace) => Self(format!("{namespace}/{name}")),
            None => Self(name.to_owned()),
        }
    }

    /// A key from the text a continue token carries; it need not name an existing object.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.0.split_once('/').map(|(namespace, _)| namespace)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    pub(crate) fn in_namespace(&self, namespace: Option<&str>) -> bool {
        namespace.is_none_or(|wanted| self.namespace() == Some(wanted))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
