//! Roles and bindings. What every cluster lets everybody do (discovery, asking about oneself) is here as well.

use serde_json::Value;

use super::identity::{MASTERS, User};
use crate::api::status::ApiError;
use crate::emulator::KubeEmulator;
use crate::store::{ObjectKey, StorageId};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What somebody wants to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With its subresource: `servers/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    /// A path that is no resource; then only the verb counts besides.
    pub(crate) path: Option<String>,
}

/// Why it is allowed, in the words of the real server; `None` if it is not.
pub(crate) fn allowed(emulator: &KubeEmulator, user: &User, wanted: &Attributes) -> Option<String> {
    if user.groups.iter().any(|group| group == MASTERS) || for_everybody(user, wanted) {
        return Some(String::new());
    }
    for binding in emulator.objects(GROUP, "clusterrolebindings") {
        if let Some(reason) = grants(emulator, user, wanted, &binding, None) {
            return Some(reason);
        }
    }
    let namespace = wanted.namespace.as_deref()?;
    emulator
        .objects(GROUP, "rolebindings")
        .iter()
        .filter(|binding| binding["metadata"]["namespace"] == namespace)
        .find_map(|binding| grants(emulator, user, wanted, binding, Some(namespace)))
}

/// The refusal, worded as the real server does.
pub(crate) fn refusal(user: &User, wanted: &Attributes) -> ApiError {
    if let Some(path) = &wanted.path {
        return ApiError::forbidden_path(&user.name, &wanted.verb, path);
    }
    let place = match &wanted.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!(
        "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
        user.name, wanted.verb, wanted.resource, wanted.group
    );
    let resource = wanted.resource.split('/').next().unwrap_or_default();
    ApiError::forbidden_resource(&wanted.group, resource, &wanted.name, &why)
}

/// The roles `system:public-info-viewer`, `system:discovery` and `system:basic-user`.
fn for_everybody(user: &User, wanted: &Attributes) -> bool {
    if let Some(path) = &wanted.path {
        let first = path.split('/').nth(1).unwrap_or_default();
        let public = matches!(first, "version" | "healthz" | "livez" | "readyz");
        let discovery = matches!(first, "api" | "apis" | "openapi");
        return public || wanted.verb == "get" && discovery && user.is_authenticated();
    }
    wanted.verb == "create"
        && user.is_authenticated()
        && matches!(
            (wanted.group.as_str(), wanted.resource.as_str()),
            ("authorization.k8s.io", "selfsubjectaccessreviews") | ("authentication.k8s.io", "selfsubjectreviews")
        )
}

/// Whether a binding gives the user a role that allows it, and in whose name.
fn grants(
    emulator: &KubeEmulator,
    user: &User,
    wanted: &Attributes,
    binding: &Value,
    namespace: Option<&str>,
) -> Option<String> {
    let subject = binding["subjects"]
        .as_array()?
        .iter()
        .find(|subject| is(user, subject))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, role) = (text(&binding["roleRef"]["kind"]), text(&binding["roleRef"]["name"]));
    let (table, key) = match kind.as_str() {
        "ClusterRole" => ("clusterroles", ObjectKey::new(None, &role)),
        _ => ("roles", ObjectKey::new(namespace, &role)),
    };
    let found = emulator.store().get(&StorageId::new(GROUP, table), &key)?;
    let rules = found.value()["rules"].as_array()?;
    if !rules.iter().any(|rule| covers(rule, wanted)) {
        return None;
    }
    let name = text(&binding["metadata"]["name"]);
    let (binding, place) = match namespace {
        Some(namespace) => ("RoleBinding", format!("{name}/{namespace}")),
        None => ("ClusterRoleBinding", name),
    };
    let who = match subject["namespace"].as_str() {
        Some(namespace) => format!("{}/{namespace}", text(&subject["name"])),
        None => text(&subject["name"]),
    };
    Some(format!(
        "RBAC: allowed by {binding} \"{place}\" of {kind} \"{role}\" to {} \"{who}\"",
        text(&subject["kind"])
    ))
}

fn is(user: &User, subject: &Value) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str() {
        Some("User") => user.name == name,
        Some("Group") => user.groups.iter().any(|group| group == name),
        Some("ServiceAccount") => {
            let namespace = subject["namespace"].as_str().unwrap_or_default();
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn covers(rule: &Value, wanted: &Attributes) -> bool {
    let has = |field: &str, name: &str| {
        let list = rule[field].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().any(|entry| entry == "*" || entry == name)
    };
    if !has("verbs", &wanted.verb) {
        return false;
    }
    if let Some(path) = &wanted.path {
        let paths = rule["nonResourceURLs"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        return paths
            .iter()
            .filter_map(Value::as_str)
            .any(|known| match known.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == known,
            });
    }
    let every = match wanted.resource.split_once('/') {
        Some((_, subresource)) => has("resources", &format!("*/{subresource}")),
        None => false,
    };
    let names = rule["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    has("apiGroups", &wanted.group)
        && (every || has("resources", &wanted.resource))
        && (names.is_empty() || names.iter().any(|name| *name == wanted.name.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_cover_what_they_say() {
        let wanted = |verb: &str, resource: &str, name: &str| Attributes {
            verb: verb.to_owned(),
            group: "ex.io".to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        let rule = json!({"verbs": ["get"], "apiGroups": ["ex.io"], "resources": ["widgets", "*/status"]});
        assert!(covers(&rule, &wanted("get", "widgets", "a")));
        assert!(covers(&rule, &wanted("get", "gadgets/status", "a")));
        assert!(
            !covers(&rule, &wanted("get", "widgets/scale", "a")),
            "a subresource is a resource of its own"
        );
        assert!(!covers(&rule, &wanted("list", "widgets", "")));
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["a"]});
        assert!(covers(&named, &wanted("get", "widgets", "a")));
        assert!(
            !covers(&named, &wanted("create", "widgets", "")),
            "who creates has no name yet"
        );
        let path = Attributes {
            verb: "get".to_owned(),
            path: Some("/metrics/cadvisor".to_owned()),
            ..Attributes::default()
        };
        assert!(covers(
            &json!({"verbs": ["get"], "nonResourceURLs": ["/metrics*"]}),
            &path
        ));
        assert!(!covers(
            &json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}),
            &path
        ));
    }
}
