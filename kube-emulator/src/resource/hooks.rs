//! What a kind does beyond its schema.

use serde_json::Value;

use crate::api::field_error::FieldError;

/// How names of a kind must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// RFC 1123 subdomain.
    Subdomain,
    /// RFC 1123 label.
    Label,
    /// Anything that can be a path segment (RBAC).
    PathSegment,
}

/// Per-kind behaviour; [`Hooks::NONE`] for kinds that are all schema.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// Completes an object before validation; the old object is given on updates.
    pub(crate) prepare: fn(&mut Value, Option<&Value>),
    /// Rules that a schema cannot say.
    pub(crate) validate: fn(&Value, Option<&Value>, &mut Vec<FieldError>),
    pub(crate) name: NameRule,
}

impl Hooks {
    pub(crate) const NONE: Hooks = Hooks {
        prepare: |_, _| {},
        validate: |_, _, _| {},
        name: NameRule::Subdomain,
    };
}

impl Default for Hooks {
    fn default() -> Self {
        Self::NONE
    }
}
