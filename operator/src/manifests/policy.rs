//! ValidatingAdmissionPolicies: what only the operator may write is refused to everybody else, administrators included, because nobody
//! edits a fencing epoch on purpose. Whoever has to acts as the operator (`kubectl --as`), which the audit log shows.
//!
//! New objects are not judged: a backup that is restored brings these fields (docs/restore.md).

use crds::keys::PARKED_ANNOTATION;
use serde_json::{Value, json};

use super::{NAME, NAMESPACE, yaml};
use crate::ownership::{origin, provisioning};

/// Fields of `Server.spec` that nobody else writes.
const OWNED_FIELDS: [&str; 5] = [
    "tenancyEpoch",
    "residueEpoch",
    "residueDrives",
    "serverMaintenanceRef",
    "maintenanceBootConfigurationRef",
];
/// Annotations of Servers that nobody else writes.
const OWNED_ANNOTATIONS: [&str; 3] = [provisioning::ANNOTATION, origin::ANNOTATION, PARKED_ANNOTATION];
/// Kinds whose status is the operator's word. That of a ServerBootConfiguration is the boot operator's, too.
const STATUS_OF: [&str; 14] = [
    "biossettings",
    "biossettingssets",
    "biosversions",
    "biosversionsets",
    "bmcs",
    "bmcsettings",
    "bmcsettingssets",
    "bmcusers",
    "bmcversions",
    "bmcversionsets",
    "endpoints",
    "serverclaims",
    "servermaintenances",
    "serverreadinessrules",
];
/// Conditions of Servers that are the operator's word. Others are for tools that say whether a Server is ready
/// (docs/who-may-have-a-server.md).
const OWNED_CONDITIONS: [&str; 15] = [
    "BMCOperation",
    "BMCReachable",
    "Cleanup",
    "DeletionBlocked",
    "Discovered",
    "DuplicateIdentity",
    "HardwareChanged",
    "HolderFound",
    "IndicatorLED",
    "Maintenance",
    "ParkDeferred",
    "Parked",
    "PoweringOff",
    "PoweringOn",
    "WaitingForPowerOff",
];

/// One policy, whose binding has its name.
struct Policy {
    name: &'static str,
    resources: Vec<String>,
    variables: Value,
    validations: Vec<Value>,
}

/// Policies and bindings, with the names of the kustomization.
pub(super) fn manifest() -> String {
    let user = format!("system:serviceaccount:{NAMESPACE}:{NAME}");
    let documents = policies().into_iter().flat_map(|policy| {
        let name = format!("{NAME}-{}", policy.name);
        [
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicy",
                "metadata": { "name": name },
                "spec": policy.spec(&json!([{ "name": "not-the-operator", "expression": not_one_of(&user) }])),
            }),
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": { "name": name },
                "spec": { "policyName": name, "validationActions": ["Deny"] },
            }),
        ]
    });
    documents
        .map(|document| yaml(&document))
        .collect::<Vec<_>>()
        .join("---\n")
}

/// By name, and without the condition that says who the operator is: the chart knows.
pub(super) fn specs() -> String {
    let specs = policies()
        .into_iter()
        .map(|policy| (policy.name.to_owned(), policy.spec(&Value::Null)))
        .collect();
    yaml(&Value::Object(specs))
}

fn not_one_of(user: &str) -> String {
    format!("!(request.userInfo.username in [{user:?}])")
}

fn policies() -> [Policy; 3] {
    [
        Policy {
            name: "owned-fields",
            resources: vec!["servers".to_owned()],
            variables: json!([
                { "name": "state", "expression": "oldObject.?status.?state.orValue('')" },
                {
                    // Kept for whoever comes (reclaimPolicy Retain), or restored without its claim.
                    "name": "mayBeVacated",
                    "expression": "variables.state == 'Released' || (has(oldObject.status) && has(oldObject.status.conditions) && \
                                   oldObject.status.conditions.exists(c, c.type == 'HolderFound' && c.status == 'False'))",
                },
                { "name": "now", "expression": "has(object.metadata.annotations) ? object.metadata.annotations : {}" },
                { "name": "before", "expression": "has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}" },
            ]),
            validations: OWNED_FIELDS
                .map(unchanged_field)
                .into_iter()
                .chain([claim_reference()])
                .chain(OWNED_ANNOTATIONS.map(unchanged_annotation))
                .collect(),
        },
        Policy {
            name: "status",
            resources: STATUS_OF.map(|kind| format!("{kind}/status")).into(),
            variables: json!([]),
            validations: vec![json!({
                "expression": "object.?status == oldObject.?status",
                "message": "status is what the operator has seen; only the operator writes it",
                "reason": "Forbidden",
            })],
        },
        Policy {
            name: "server-status",
            resources: vec!["servers/status".to_owned()],
            variables: json!([
                { "name": "owned", "expression": format!("{OWNED_CONDITIONS:?}") },
                { "name": "now", "expression": owned_conditions("object") },
                { "name": "before", "expression": owned_conditions("oldObject") },
            ]),
            validations: server_status(),
        },
    ]
}

fn owned_conditions(object: &str) -> String {
    format!("{object}.?status.?conditions.orValue([]).filter(c, c.type in variables.owned)")
}

/// Fields of objects cannot be enumerated in an expression.
fn server_status() -> Vec<Value> {
    let crds = crds::manifest::all();
    let server = crds.iter().find(|crd| crd.spec.names.plural == "servers");
    let schema = server.and_then(|crd| crd.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref());
    let status = schema.and_then(|schema| schema.properties.as_ref()?.get("status")?.properties.as_ref());
    let fields = status.into_iter().flatten().map(|(field, _)| field.as_str());
    let unchanged: Vec<String> = fields
        .filter(|field| *field != "conditions")
        .map(|field| format!("object.?status.?{field} == oldObject.?status.?{field}"))
        .chain(["variables.now == variables.before".to_owned()])
        .collect();
    vec![json!({
        "expression": unchanged.join(" && "),
        "message": "status is what the operator has seen; only the operator writes it, but for conditions of types that are not its own",
        "reason": "Forbidden",
    })]
}

fn unchanged_field(field: &str) -> Value {
    json!({
        "expression": format!("object.spec.?{field} == oldObject.spec.?{field}"),
        "message": format!("spec.{field} is kept by the operator; nobody else may change it"),
        "reason": "Forbidden",
    })
}

fn claim_reference() -> Value {
    json!({
        "expression": "object.spec.?serverClaimRef == oldObject.spec.?serverClaimRef || (!has(object.spec.serverClaimRef) && variables.mayBeVacated)",
        "message": "spec.serverClaimRef is set and cleared by the operator; others may clear it in state Released, or when the claim is gone for \
                    good (HolderFound is False). Delete the ServerClaim to release a server",
        "reason": "Forbidden",
    })
}

fn unchanged_annotation(key: &str) -> Value {
    json!({
        "expression": format!("variables.now[?'{key}'] == variables.before[?'{key}']"),
        "message": format!("the annotation {key} is kept by the operator; nobody else may change it"),
        "reason": "Forbidden",
    })
}

impl Policy {
    fn spec(self, conditions: &Value) -> Value {
        let mut spec = json!({
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [{
                    "apiGroups": [crds::GROUP],
                    "apiVersions": [crds::VERSION],
                    "operations": ["UPDATE"],
                    "resources": self.resources,
                }],
            },
            "matchConditions": conditions,
            "variables": self.variables,
            "validations": self.validations,
        });
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_with_a_status_of_the_operator_is_protected() {
        let kinds: BTreeSet<String> = crds::manifest::all()
            .into_iter()
            .map(|crd| crd.spec.names.plural)
            // The boot operator says there when a boot is prepared; a BMCSecret has no status that anybody reads.
            .filter(|kind| kind != "serverbootconfigurations" && kind != "bmcsecrets")
            // Theirs is judged in parts.
            .filter(|kind| kind != "servers")
            .collect();
        assert_eq!(STATUS_OF.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), kinds);
    }

    #[test]
    fn protected_fields_exist() {
        let crd = crds::manifest::all()
            .into_iter()
            .find(|crd| crd.spec.names.plural == "servers")
            .expect("servers");
        let crd = serde_json::to_value(crd).expect("plain data");
        let spec = crd
            .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
            .expect("a schema");
        for field in OWNED_FIELDS {
            assert!(spec.get(field).is_some(), "{field}");
        }
    }
}
