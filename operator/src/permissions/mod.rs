//! What the operator asks of the API server: one table, from which its roles are made (`cargo xtask deploy`), and against which every
//! request is held while scenarios run. Whoever lets a controller ask for something new adds it to [`GRANTS`].

mod table;

use std::fmt;

use http::{Method, Uri};

pub use table::GRANTS;

/// Some verbs on some resources, and who needs them.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The part of the operator, as the comment in the role names it.
    pub who: &'static str,
    pub group: &'static str,
    /// Plural, with its subresource if it is about one.
    pub resources: &'static [&'static str],
    pub verbs: &'static [Verb],
    pub within: Within,
}

/// Where something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// Everywhere: cluster-scoped objects, and those of people.
    Cluster,
    /// In the namespace of the operator (`--manager-namespace`).
    OwnNamespace,
}

/// The verbs of role-based access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// As in a role.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// What a request is about, as the API server's authorizer sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    pub verb: Verb,
    pub group: String,
    /// With its subresource.
    pub resource: String,
    pub namespace: Option<String>,
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, .. } = self;
        write!(formatter, "{} {resource}", verb.as_str())?;
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl Access {
    /// `None` for what is no resource: `/version`, say.
    pub fn of(method: &Method, uri: &Uri) -> Option<Self> {
        let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match segments.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (*resource, None, None),
            [resource, name] => (*resource, Some(*name), None),
            [resource, name, subresource, ..] => (*resource, Some(*name), Some(*subresource)),
            [] => return None,
        };
        let watches = || {
            let query = uri.query().unwrap_or_default();
            query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"))
        };
        let verb = match *method {
            Method::GET | Method::HEAD if watches() => Verb::Watch,
            Method::GET | Method::HEAD if name.is_none() => Verb::List,
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if name.is_none() => Verb::DeleteCollection,
            Method::DELETE => Verb::Delete,
            _ => return None,
        };
        Some(Self {
            verb,
            group: group.to_owned(),
            resource: subresource.map_or_else(
                || resource.to_owned(),
                |subresource| format!("{resource}/{subresource}"),
            ),
            namespace,
        })
    }

    /// Whether the roles that are made from [`GRANTS`] allow it to an operator of this namespace.
    pub fn is_granted(&self, own_namespace: &str) -> bool {
        GRANTS.iter().any(|grant| grant.covers(self, own_namespace))
    }
}

impl Grant {
    /// Whether this grant allows `access`.
    pub fn covers(&self, access: &Access, own_namespace: &str) -> bool {
        let within = match self.within {
            Within::Cluster => true,
            Within::OwnNamespace => access.namespace.as_deref() == Some(own_namespace),
        };
        within
            && self.group == access.group
            && self.verbs.contains(&access.verb)
            && self.resources.contains(&access.resource.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood_as_the_authorizer_does() {
        for (method, path, expected) in [
            (
                "GET",
                "/apis/metal.ironcore.dev/v1alpha1/servers?limit=500",
                "list servers.metal.ironcore.dev",
            ),
            (
                "GET",
                "/apis/metal.ironcore.dev/v1alpha1/servers?watch=true&x=1",
                "watch servers.metal.ironcore.dev",
            ),
            (
                "GET",
                "/apis/metal.ironcore.dev/v1alpha1/servers/a",
                "get servers.metal.ironcore.dev",
            ),
            (
                "PATCH",
                "/apis/metal.ironcore.dev/v1alpha1/servers/a/status",
                "patch servers/status.metal.ironcore.dev",
            ),
            (
                "POST",
                "/api/v1/namespaces/ns/secrets",
                "create secrets in namespace ns",
            ),
            (
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l",
                "update leases.coordination.k8s.io in namespace ns",
            ),
            (
                "DELETE",
                "/api/v1/namespaces/ns/secrets/s",
                "delete secrets in namespace ns",
            ),
            (
                "DELETE",
                "/api/v1/namespaces/ns/secrets",
                "deletecollection secrets in namespace ns",
            ),
            ("GET", "/api/v1/namespaces", "list namespaces"),
            ("GET", "/api/v1/namespaces/ns", "get namespaces"),
            ("GET", "/version", ""),
        ] {
            let (method, uri) = (method.parse().expect("a method"), path.parse().expect("a path"));
            let access = Access::of(&method, &uri).map(|access| access.to_string());
            assert_eq!(access.unwrap_or_default(), expected, "{method} {path}");
        }
    }

    #[test]
    fn secrets_are_the_operators_own_business_in_its_own_namespace() {
        let access = |verb, namespace: Option<&str>| Access {
            verb,
            group: String::new(),
            resource: "secrets".to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        for (access, granted) in [
            (access(Verb::Get, Some("own")), true),
            (access(Verb::Get, Some("tenant")), false),
            (access(Verb::List, Some("own")), false),
            (access(Verb::List, None), false),
        ] {
            assert_eq!(access.is_granted("own"), granted, "{access}");
        }
    }
}
