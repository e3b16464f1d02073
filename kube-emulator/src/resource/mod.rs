//! What the server serves: resources, their strategies, and the registry that finds them.

pub(crate) mod builtin;
pub(crate) mod columns;
pub(crate) mod definition;
pub(crate) mod events;
pub(crate) mod hooks;
pub(crate) mod install;
pub(crate) mod json_path;
pub(crate) mod registry;

use std::sync::Arc;

use serde_json::Value;

use crate::schema::Schema;
use crate::store::StorageId;
use columns::Column;
use hooks::Hooks;

/// When `metadata.generation` grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenerationRule {
    /// The kind has no generation (Secret, ConfigMap, …).
    None,
    /// On any change outside of metadata and status.
    SpecChange,
    /// On any change outside of metadata (custom resources without a status subresource).
    AnyChange,
}

/// How the stored object looks through this endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As stored; only `apiVersion` is that of the endpoint (versions without conversion).
    Stored,
    /// `events.k8s.io/v1` over a stored core Event.
    NewEvent,
}

/// The three JSON paths of a scale subresource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScalePaths {
    pub(crate) spec_replicas: String,
    pub(crate) status_replicas: String,
    pub(crate) selector: Option<String>,
}

/// One resource in one version.
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// Served from a CustomResourceDefinition.
    pub(crate) custom: bool,
    pub(crate) storage: StorageId,
    /// `group/version` the objects are stored in.
    pub(crate) storage_version: String,
    pub(crate) shape: Shape,
    pub(crate) schema: Arc<Schema>,
    /// The OpenAPI document of the kind.
    pub(crate) openapi: Arc<Value>,
    pub(crate) status: bool,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) generation: GenerationRule,
    /// A PUT to an absent object creates it.
    pub(crate) create_on_update: bool,
    /// A PUT without a resourceVersion overwrites whatever is there (trap T7).
    pub(crate) unconditional_update: bool,
    pub(crate) columns: Vec<Column>,
    /// Dotted paths usable in field selectors, besides name and namespace.
    pub(crate) selectable_fields: Vec<String>,
    /// Sent as a Warning header with every answer of a deprecated version.
    pub(crate) deprecation: Option<String>,
    /// The definition is being deleted: no new objects.
    pub(crate) terminating: bool,
    pub(crate) hooks: Hooks,
}

impl Resource {
    /// `apiVersion` of this endpoint.
    pub(crate) fn api_version(&self) -> String {
        group_version(&self.group, &self.version)
    }

    /// Whether objects look through this endpoint exactly as they are stored.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.shape == Shape::Stored
            && match self.storage_version.split_once('/') {
                Some((group, version)) => self.group == group && self.version == version,
                None => self.group.is_empty() && self.version == self.storage_version,
            }
    }

    /// `widgets.ex.io`, `configmaps`.
    pub(crate) fn qualified(&self) -> String {
        qualify(&self.plural, &self.group)
    }

    /// `widgets.ex.io`, `configmaps.`: as namespace conditions write it.
    pub(crate) fn qualified_with_dot(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// `Widget.ex.io`, `ConfigMap`.
    pub(crate) fn qualified_kind(&self) -> String {
        qualify(&self.kind, &self.group)
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

/// `v1`, `apps/v1`.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}
