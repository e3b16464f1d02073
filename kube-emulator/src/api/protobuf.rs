//! Protobuf request bodies: kubectl 1.32 and later sends them for `create secret`, `create namespace`, … and does not
//! fall back to JSON. The decoded object goes on as JSON; answers are JSON as well.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_pb::api::authorization::v1 as authorization;
use k8s_pb::api::coordination::v1 as coordination;
use k8s_pb::api::core::v1 as core;
use k8s_pb::api::rbac::v1 as rbac;
use k8s_pb::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_pb::apimachinery::pkg::runtime::Unknown;
use prost::Message;
use serde_json::{Map, Value, json};

pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// Every Kubernetes protobuf document starts with this.
const MAGIC: &[u8] = b"k8s\0";

/// Decodes the kinds that clients send this way. The error says what is wrong with the body.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let bytes = bytes
        .strip_prefix(MAGIC)
        .ok_or("provided data does not appear to be a protobuf message")?;
    let unknown: Unknown = message(bytes)?;
    let types = unknown.type_meta.unwrap_or_default();
    let (api_version, kind) = (types.api_version.unwrap_or_default(), types.kind.unwrap_or_default());
    let raw = unknown.raw.unwrap_or_default();
    let mut object = match (api_version.as_str(), kind.as_str()) {
        ("v1", "Namespace") => namespace(&message(&raw)?),
        ("v1", "Secret") => secret(message(&raw)?),
        ("v1", "ConfigMap") => config_map(message(&raw)?),
        ("v1", "ServiceAccount") => service_account(&message(&raw)?),
        ("v1", "Event") => event(&message(&raw)?),
        ("coordination.k8s.io/v1", "Lease") => lease(&message(&raw)?),
        ("rbac.authorization.k8s.io/v1", "Role") => {
            let role: rbac::Role = message(&raw)?;
            json!({"metadata": metadata(role.metadata.as_ref()), "rules": rules(&role.rules)})
        }
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => {
            let role: rbac::ClusterRole = message(&raw)?;
            json!({"metadata": metadata(role.metadata.as_ref()), "rules": rules(&role.rules)})
        }
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => {
            let binding: rbac::RoleBinding = message(&raw)?;
            bound(binding.metadata.as_ref(), &binding.subjects, binding.role_ref.as_ref())
        }
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            let binding: rbac::ClusterRoleBinding = message(&raw)?;
            bound(binding.metadata.as_ref(), &binding.subjects, binding.role_ref.as_ref())
        }
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => access_review(&message(&raw)?),
        ("authentication.k8s.io/v1", "SelfSubjectReview") => json!({}),
        (_, "DeleteOptions") => delete_options(&message(&raw)?),
        _ => {
            return Err(format!(
                "{kind} in {api_version} is not understood as protobuf; send it as JSON"
            ));
        }
    };
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    Ok(without_nulls(object))
}

fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, String> {
    M::decode(bytes).map_err(|error| error.to_string())
}

/// Absent fields are `None` in protobuf and must be absent in JSON.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Go writes empty strings; they mean absent.
fn text(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

fn base64_map(data: impl IntoIterator<Item = (String, Vec<u8>)>) -> Map<String, Value> {
    data.into_iter()
        .map(|(key, value)| (key, json!(STANDARD.encode(value))))
        .collect()
}

fn sorted(map: Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<(String, Value)> = map.into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.into_iter().collect()
}

fn timestamp(seconds: Option<i64>, nanos: Option<i32>) -> Option<jiff::Timestamp> {
    let seconds = seconds?;
    jiff::Timestamp::new(seconds, nanos.unwrap_or(0))
        .ok()
        .filter(|_| seconds != 0)
}

fn time(time: Option<&meta::Time>) -> Option<String> {
    let time = time?;
    timestamp(time.seconds, time.nanos).map(crate::edges::rfc3339_seconds)
}

fn micro_time(time: Option<&meta::MicroTime>) -> Option<String> {
    let time = time?;
    timestamp(time.seconds, time.nanos).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn metadata(meta: Option<&meta::ObjectMeta>) -> Value {
    let Some(meta) = meta else { return json!({}) };
    let owners: Vec<Value> = meta
        .owner_references
        .iter()
        .map(|owner| {
            json!({"apiVersion": text(owner.api_version.as_ref()), "kind": text(owner.kind.as_ref()),
                   "name": text(owner.name.as_ref()), "uid": text(owner.uid.as_ref()),
                   "controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion})
        })
        .collect();
    let strings = |map: Vec<(&String, &String)>| {
        sorted(
            map.into_iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect(),
        )
    };
    json!({
        "name": text(meta.name.as_ref()),
        "generateName": text(meta.generate_name.as_ref()),
        "namespace": text(meta.namespace.as_ref()),
        "uid": text(meta.uid.as_ref()),
        "resourceVersion": text(meta.resource_version.as_ref()),
        "labels": strings(meta.labels.iter().collect()),
        "annotations": strings(meta.annotations.iter().collect()),
        "ownerReferences": owners,
        "finalizers": meta.finalizers,
    })
}

fn reference(reference: Option<&core::ObjectReference>) -> Value {
    let Some(reference) = reference else { return Value::Null };
    json!({
        "apiVersion": text(reference.api_version.as_ref()), "kind": text(reference.kind.as_ref()),
        "namespace": text(reference.namespace.as_ref()), "name": text(reference.name.as_ref()),
        "uid": text(reference.uid.as_ref()), "resourceVersion": text(reference.resource_version.as_ref()),
        "fieldPath": text(reference.field_path.as_ref()),
    })
}

fn namespace(namespace: &core::Namespace) -> Value {
    json!({"metadata": metadata(namespace.metadata.as_ref())})
}

fn secret(secret: core::Secret) -> Value {
    let plain: Map<String, Value> = secret
        .string_data
        .into_iter()
        .map(|(key, value)| (key, json!(value)))
        .collect();
    json!({"metadata": metadata(secret.metadata.as_ref()), "type": text(secret.r#type.as_ref()),
           "immutable": secret.immutable, "data": sorted(base64_map(secret.data)), "stringData": sorted(plain)})
}

fn config_map(map: core::ConfigMap) -> Value {
    let data: Map<String, Value> = map.data.into_iter().map(|(key, value)| (key, json!(value))).collect();
    json!({"metadata": metadata(map.metadata.as_ref()), "immutable": map.immutable, "data": sorted(data),
           "binaryData": sorted(base64_map(map.binary_data))})
}

fn service_account(account: &core::ServiceAccount) -> Value {
    let secrets: Vec<Value> = account.secrets.iter().map(|secret| reference(Some(secret))).collect();
    let pull: Vec<Value> = account
        .image_pull_secrets
        .iter()
        .map(|secret| json!({"name": text(secret.name.as_ref())}))
        .collect();
    json!({"metadata": metadata(account.metadata.as_ref()), "secrets": secrets, "imagePullSecrets": pull,
           "automountServiceAccountToken": account.automount_service_account_token})
}

fn event(event: &core::Event) -> Value {
    let series = event.series.as_ref().map(
        |series| json!({"count": series.count, "lastObservedTime": micro_time(series.last_observed_time.as_ref())}),
    );
    let source = event
        .source
        .as_ref()
        .map(|source| json!({"component": text(source.component.as_ref()), "host": text(source.host.as_ref())}));
    json!({
        "metadata": metadata(event.metadata.as_ref()),
        "involvedObject": reference(event.involved_object.as_ref()),
        "reason": text(event.reason.as_ref()), "message": text(event.message.as_ref()), "source": source,
        "firstTimestamp": time(event.first_timestamp.as_ref()), "lastTimestamp": time(event.last_timestamp.as_ref()),
        "count": event.count.filter(|count| *count != 0), "type": text(event.r#type.as_ref()),
        "eventTime": micro_time(event.event_time.as_ref()), "series": series,
        "action": text(event.action.as_ref()), "related": reference(event.related.as_ref()),
        "reportingComponent": text(event.reporting_component.as_ref()),
        "reportingInstance": text(event.reporting_instance.as_ref()),
    })
}

fn lease(lease: &coordination::Lease) -> Value {
    let spec = lease.spec.as_ref().map(|spec| {
        json!({
            "holderIdentity": spec.holder_identity, "leaseDurationSeconds": spec.lease_duration_seconds,
            "acquireTime": micro_time(spec.acquire_time.as_ref()), "renewTime": micro_time(spec.renew_time.as_ref()),
            "leaseTransitions": spec.lease_transitions, "strategy": text(spec.strategy.as_ref()),
            "preferredHolder": text(spec.preferred_holder.as_ref()),
        })
    });
    json!({"metadata": metadata(lease.metadata.as_ref()), "spec": spec})
}

fn rules(rules: &[rbac::PolicyRule]) -> Vec<Value> {
    rules
        .iter()
        .map(|rule| {
            json!({"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
                   "resourceNames": rule.resource_names, "nonResourceURLs": rule.non_resource_ur_ls})
        })
        .collect()
}

fn bound(meta: Option<&meta::ObjectMeta>, subjects: &[rbac::Subject], role: Option<&rbac::RoleRef>) -> Value {
    let subjects: Vec<Value> = subjects
        .iter()
        .map(|subject| {
            json!({"kind": text(subject.kind.as_ref()), "apiGroup": text(subject.api_group.as_ref()),
                   "name": text(subject.name.as_ref()), "namespace": text(subject.namespace.as_ref())})
        })
        .collect();
    let role = role.map(|role| {
        json!({"apiGroup": text(role.api_group.as_ref()), "kind": text(role.kind.as_ref()), "name": text(role.name.as_ref())})
    });
    json!({"metadata": metadata(meta), "subjects": subjects, "roleRef": role})
}

fn access_review(review: &authorization::SelfSubjectAccessReview) -> Value {
    let Some(spec) = &review.spec else { return json!({}) };
    let resource = spec.resource_attributes.as_ref().map(|asked| {
        json!({"namespace": text(asked.namespace.as_ref()), "verb": text(asked.verb.as_ref()),
               "group": text(asked.group.as_ref()), "version": text(asked.version.as_ref()),
               "resource": text(asked.resource.as_ref()), "subresource": text(asked.subresource.as_ref()),
               "name": text(asked.name.as_ref())})
    });
    let path = spec
        .non_resource_attributes
        .as_ref()
        .map(|asked| json!({"path": text(asked.path.as_ref()), "verb": text(asked.verb.as_ref())}));
    json!({"spec": {"resourceAttributes": resource, "nonResourceAttributes": path}})
}

fn delete_options(options: &meta::DeleteOptions) -> Value {
    let preconditions = options.preconditions.as_ref().map(|preconditions| {
        json!({"uid": text(preconditions.uid.as_ref()), "resourceVersion": text(preconditions.resource_version.as_ref())})
    });
    json!({
        "gracePeriodSeconds": options.grace_period_seconds, "preconditions": preconditions,
        "orphanDependents": options.orphan_dependents, "dryRun": options.dry_run,
        "propagationPolicy": text(options.propagation_policy.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(api_version: &str, kind: &str, object: &impl Message) -> Vec<u8> {
        let types = k8s_pb::apimachinery::pkg::runtime::TypeMeta {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
        };
        let unknown = Unknown {
            type_meta: Some(types),
            raw: Some(object.encode_to_vec()),
            ..Unknown::default()
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(unknown.encode_to_vec());
        bytes
    }

    #[test]
    fn a_secret_comes_through() {
        let secret = core::Secret {
            metadata: Some(meta::ObjectMeta {
                name: Some("s".to_owned()),
                ..meta::ObjectMeta::default()
            }),
            data: [("k".to_owned(), b"value".to_vec())].into_iter().collect(),
            r#type: Some("Opaque".to_owned()),
            ..core::Secret::default()
        };
        let decoded = decode(&encode("v1", "Secret", &secret)).unwrap();
        assert_eq!(decoded["metadata"]["name"], "s");
        assert_eq!(decoded["data"]["k"], "dmFsdWU=");
        assert_eq!(decoded["kind"], "Secret");
        assert!(decoded.get("immutable").is_none());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(decode(b"{}").is_err());
        let error = decode(&encode("apps/v1", "Deployment", &core::Namespace::default())).unwrap_err();
        assert_eq!(
            error,
            "Deployment in apps/v1 is not understood as protobuf; send it as JSON"
        );
    }
}
