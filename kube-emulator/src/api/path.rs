//! What a path means.

/// A request's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Version,
    Health,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/<group>`
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>`
    Resources {
        group: String,
        version: String,
    },
    /// `/openapi/v3`
    OpenApiIndex,
    /// `/openapi/v3/…`
    OpenApiDocument {
        group: String,
        version: String,
    },
    Object(ResourcePath),
    Unknown,
}

/// A path to objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// The old `/watch/` prefix.
    pub(crate) watch: bool,
}

impl Target {
    pub(crate) fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["version"] => Target::Version,
            ["healthz" | "livez" | "readyz", ..] => Target::Health,
            ["api"] => Target::CoreVersions,
            ["apis"] => Target::Groups,
            ["apis", group] => Target::Group((*group).to_owned()),
            ["openapi", "v3"] => Target::OpenApiIndex,
            ["openapi", "v3", "api", version] => document("", version),
            ["openapi", "v3", "apis", group, version] => document(group, version),
            ["api", version, rest @ ..] => objects("", version, rest),
            ["apis", group, version, rest @ ..] => objects(group, version, rest),
            _ => Target::Unknown,
        }
    }
}

fn document(group: &str, version: &str) -> Target {
    Target::OpenApiDocument {
        group: group.to_owned(),
        version: version.to_owned(),
    }
}

fn objects(group: &str, version: &str, rest: &[&str]) -> Target {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    let path = |namespace: Option<&str>, resource: &str, name: Option<&str>, subresource: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Target::Object(ResourcePath {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: owned(namespace),
            resource: resource.to_owned(),
            name: owned(name),
            subresource: owned(subresource),
            watch,
        })
    };
    match rest {
        [] => Target::Resources {
            group: group.to_owned(),
            version: version.to_owned(),
        },
        // `namespaces` is both a resource and the scope of others; its own subresources are these.
        ["namespaces", name, subresource @ ("status" | "finalize")] => {
            path(None, "namespaces", Some(name), Some(subresource))
        }
        ["namespaces", namespace, resource] => path(Some(namespace), resource, None, None),
        ["namespaces", namespace, resource, name] => path(Some(namespace), resource, Some(name), None),
        ["namespaces", namespace, resource, name, subresource] => {
            path(Some(namespace), resource, Some(name), Some(subresource))
        }
        [resource] => path(None, resource, None, None),
        [resource, name] => path(None, resource, Some(name), None),
        [resource, name, subresource] => path(None, resource, Some(name), Some(subresource)),
        _ => Target::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let shown = |path: &str| match Target::parse(path) {
            Target::Object(path) => format!(
                "{}/{} {:?} {} {:?} {:?} {}",
                path.group, path.version, path.namespace, path.resource, path.name, path.subresource, path.watch
            ),
            other => format!("{other:?}"),
        };
        insta::assert_snapshot!(
            [
                "/version",
                "/readyz/ping",
                "/api",
                "/api/v1",
                "/apis/",
                "/apis/ex.io",
                "/apis/ex.io/v1",
                "/openapi/v3/apis/ex.io/v1",
                "/api/v1/namespaces",
                "/api/v1/namespaces/a",
                "/api/v1/namespaces/a/finalize",
                "/api/v1/namespaces/a/secrets",
                "/api/v1/watch/namespaces/a/secrets",
                "/apis/ex.io/v1/widgets/w/status",
                "/apis/ex.io/v1/namespaces/a/widgets/w/status",
                "/nothing",
            ]
            .map(|path| format!("{path} -> {}", shown(path)))
            .join("\n")
        );
    }
}
