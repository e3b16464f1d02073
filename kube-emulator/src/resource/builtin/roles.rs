//! Roles and their bindings: verbs, subjects, and a reference that stays.

use serde_json::{Value, json};

use crate::api::field_error::FieldError;
use crate::resource::hooks::{Hooks, NameRule};

pub(super) const ROLE: Hooks = Hooks {
    validate: validate_role,
    name: NameRule::PathSegment,
    ..Hooks::NONE
};
pub(super) const BINDING: Hooks = Hooks {
    validate: validate_binding,
    name: NameRule::PathSegment,
    ..Hooks::NONE
};

fn elements(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

fn validate_role(object: &Value, _: Option<&Value>, errors: &mut Vec<FieldError>) {
    for (index, rule) in elements(&object["rules"]) {
        if rule["verbs"].as_array().is_none_or(Vec::is_empty) {
            errors.push(FieldError::required(
                format!("rules[{index}].verbs"),
                "verbs must contain at least one value",
            ));
        }
    }
}

fn validate_binding(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let role = &object["roleRef"];
    let kinds: &[&str] = match object["kind"].as_str() {
        Some("ClusterRoleBinding") => &["ClusterRole"],
        _ => &["Role", "ClusterRole"],
    };
    if !kinds.iter().any(|kind| role["kind"] == **kind) {
        errors.push(FieldError::not_supported(
            "roleRef.kind",
            &role["kind"],
            kinds.iter().copied(),
        ));
    }
    if role["name"].as_str().unwrap_or_default().is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    for (index, subject) in elements(&object["subjects"]) {
        let kinds = ["ServiceAccount", "User", "Group"];
        if !kinds.iter().any(|kind| subject["kind"] == *kind) {
            errors.push(FieldError::not_supported(
                format!("subjects[{index}].kind"),
                &subject["kind"],
                kinds,
            ));
        }
    }
    if old.is_some_and(|old| old["roleRef"] != *role) {
        let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
        errors.push(FieldError::invalid("roleRef", &shown, "cannot change roleRef"));
    }
}
