//! Lease: numbers that must make sense. Its times are strict by schema (`micro-time`).

use serde_json::Value;

use crate::api::field_error::FieldError;
use crate::resource::hooks::Hooks;

pub(super) const HOOKS: Hooks = Hooks {
    validate,
    ..Hooks::NONE
};

fn validate(object: &Value, _: Option<&Value>, errors: &mut Vec<FieldError>) {
    let Some(spec) = object.get("spec") else { return };
    if let Some(duration) = spec
        .get("leaseDurationSeconds")
        .filter(|seconds| seconds.as_i64().is_some_and(|s| s <= 0))
    {
        errors.push(FieldError::invalid(
            "spec.leaseDurationSeconds",
            duration,
            "must be greater than 0",
        ));
    }
    if let Some(count) = spec
        .get("leaseTransitions")
        .filter(|count| count.as_i64().is_some_and(|count| count < 0))
    {
        errors.push(FieldError::invalid(
            "spec.leaseTransitions",
            count,
            "must be greater than or equal to 0",
        ));
    }
    if spec.get("holderIdentity").and_then(Value::as_str) == Some("") {
        errors.push(FieldError::invalid(
            "spec.holderIdentity",
            &Value::from(""),
            "must not be empty",
        ));
    }
}
