//! The DNS record of a BMC, or whatever object the template makes of one: contract section 8.4.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crds::BMC;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiResource, Scope};
use kube::{Resource, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::context::Context;
use crate::controllers::Error;
use crate::template::{Template, TemplateError};

/// Whoever changes or deletes a record of ours gets it back after this long.
const APPLIED_AGAIN: Duration = Duration::from_secs(600);

/// Top-level fields of a template, by Go's names.
const KNOWN: [&str; 22] = [
    "Name",
    "Namespace",
    "Labels",
    "BMCUUID",
    "EndpointRef",
    "Access",
    "BMCSecretRef",
    "Protocol",
    "ConsoleProtocol",
    "Hostname",
    "MACAddress",
    "IP",
    "Manufacturer",
    "Model",
    "SKU",
    "SerialNumber",
    "FirmwareVersion",
    "State",
    "PowerState",
    "LastResetTime",
    "MetricsReportSubscriptionLink",
    "EventsSubscriptionLink",
];

/// Makes records.
pub struct DnsRecords {
    template: Template,
    /// What was applied for each BMC, and when.
    applied: Mutex<BTreeMap<String, ([u8; 32], Instant)>>,
    /// Kinds that were looked up.
    kinds: Mutex<BTreeMap<String, (ApiResource, bool)>>,
}

impl DnsRecords {
    /// Records by this template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn new(template: &str) -> Result<Self, TemplateError> {
        let template = Template::parse(template)?;
        template.check(&KNOWN)?;
        Ok(Self {
            template,
            applied: Mutex::default(),
            kinds: Mutex::default(),
        })
    }

    /// The record of this BMC, complete.
    fn record(&self, bmc: &BMC, namespace: &str) -> Result<DynamicObject, Error> {
        let name = bmc.name_any();
        let invalid = |why: String| Error::Invalid(format!("DNS record of BMC {name}: {why}"));
        let text = self
            .template
            .render(&values(bmc, namespace))
            .map_err(|error| invalid(error.to_string()))?;
        let value: Value =
            serde_saphyr::from_str(&text).map_err(|_| invalid("the template gives no YAML".to_owned()))?;
        let mut record = DynamicObject::deserialize(value)
            .map_err(|error| invalid(format!("the template gives no object: {error}")))?;
        let types = record.types.as_ref();
        if types.is_none_or(|types| types.api_version.is_empty() || types.kind.is_empty())
            || record.metadata.name.as_deref().is_none_or(str::is_empty)
        {
            return Err(invalid(
                "the template has to give apiVersion, kind and metadata.name".to_owned(),
            ));
        }
        record.metadata.namespace.get_or_insert_with(|| namespace.to_owned());
        record.metadata.owner_references = bmc.controller_owner_ref(&()).map(|owner| vec![owner]);
        Ok(record)
    }

    async fn resource(&self, context: &Context, record: &DynamicObject) -> Result<(ApiResource, bool), Error> {
        let types = record.types.clone().unwrap_or_default();
        let key = format!("{}/{}", types.api_version, types.kind);
        let known = lock(&self.kinds).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let kind = GroupVersionKind::try_from(&types).map_err(|error| Error::Invalid(error.to_string()))?;
        let (resource, capabilities) = discovery::pinned_kind(&context.client, &kind).await?;
        let found = (resource, capabilities.scope == Scope::Namespaced);
        lock(&self.kinds).insert(key, found.clone());
        Ok(found)
    }

    /// Whether this very content was applied lately.
    fn is_applied(&self, bmc: &str, digest: &[u8; 32]) -> bool {
        let applied = lock(&self.applied);
        applied
            .get(bmc)
            .is_some_and(|(known, at)| known == digest && at.elapsed() < APPLIED_AGAIN)
    }
}

/// Applies the record of a BMC, if it says something new or was last applied long ago.
///
/// # Errors
/// A template that does not fit, and the API server's.
pub(super) async fn apply(context: &Context, bmc: &BMC) -> Result<(), Error> {
    let Some(records) = &context.dns_records else {
        return Ok(());
    };
    let mut record = records.record(bmc, &context.settings.manager_namespace)?;
    let text = serde_json::to_vec(&record).map_err(kube::Error::SerdeError)?;
    let digest: [u8; 32] = Sha256::digest(text).into();
    let name = bmc.name_any();
    if records.is_applied(&name, &digest) {
        return Ok(());
    }
    let (resource, namespaced) = records.resource(context, &record).await?;
    let api: Api<DynamicObject> = if namespaced {
        let namespace = record.metadata.namespace.clone().unwrap_or_default();
        Api::namespaced_with(context.client.clone(), &namespace, &resource)
    } else {
        record.metadata.namespace = None;
        Api::all_with(context.client.clone(), &resource)
    };
    let parameters = PatchParams::apply(crds::keys::FIELD_MANAGER).force();
    api.patch(&record.name_any(), &parameters, &Patch::Apply(&record))
        .await?;
    tracing::info!(
        bmc = name,
        record = record.name_any(),
        kind = resource.kind,
        "DNS record applied"
    );
    lock(&records.applied).insert(name, (digest, Instant::now()));
    Ok(())
}

/// What Go calls the fields of a BMC. One that is not set is empty, as in Go.
fn values(bmc: &BMC, namespace: &str) -> Value {
    let status = bmc.status.clone().unwrap_or_default();
    let spec = &bmc.spec;
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let access = spec.access.clone().unwrap_or_default();
    let console = spec.console_protocol.as_ref();
    json!({
        "Name": bmc.name_any(),
        "Namespace": namespace,
        "Labels": bmc.labels(),
        "BMCUUID": text(spec.bmc_uuid.as_ref()),
        "EndpointRef": { "Name": spec.endpoint_ref.as_ref().map(|reference| reference.name.clone()).unwrap_or_default() },
        "Access": { "MACAddress": text(access.mac_address.as_ref()), "IP": text(access.ip.as_ref()) },
        "BMCSecretRef": { "Name": spec.bmc_secret_ref.name },
        "Protocol": {
            "Name": spec.protocol.name.as_str(),
            "Port": spec.protocol.port,
            "Scheme": text(spec.protocol.scheme.as_ref()),
        },
        "ConsoleProtocol": {
            "Name": console.map(|console| json!(console.name)).unwrap_or_else(|| json!("")),
            "Port": console.map(|console| console.port).unwrap_or_default(),
        },
        "Hostname": text(spec.hostname.as_ref()),
        "MACAddress": text(status.mac_address.as_ref()),
        "IP": text(status.ip.as_ref()),
        "Manufacturer": text(status.manufacturer.as_ref()),
        "Model": text(status.model.as_ref()),
        "SKU": text(status.sku.as_ref()),
        "SerialNumber": text(status.serial_number.as_ref()),
        "FirmwareVersion": text(status.firmware_version.as_ref()),
        "State": status.state.as_ref().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        "PowerState": status.power_state.as_ref().map(|power| power.as_str().to_owned()).unwrap_or_default(),
        "LastResetTime": status.last_reset_time.as_ref().map(|time| time.0.to_string()).unwrap_or_default(),
        "MetricsReportSubscriptionLink": text(status.metrics_report_subscription_link.as_ref()),
        "EventsSubscriptionLink": text(status.events_subscription_link.as_ref()),
    })
}

/// Every critical section here leaves its data consistent, so a poisoned lock is usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Name }}-dns
  labels: { rack: {{ index .Labels \"rack\" }} }
data:
  host: {{ if .Hostname }}{{ .Hostname }}{{ else }}{{ .Name }}.{{ .Namespace }}{{ end }}
  ip: \"{{ .IP }}\"
";

    fn bmc() -> BMC {
        let mut bmc: BMC = serde_json::from_value(json!({
            "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMC",
            "metadata": { "name": "node-1", "uid": "u", "labels": { "rack": "r7" } },
            "spec": { "bmcSecretRef": { "name": "node-1" }, "protocol": { "name": "Redfish", "port": 443 },
                      "access": { "ip": "10.0.0.7" } },
            "status": { "ip": "10.0.0.7" },
        }))
        .expect("a BMC");
        bmc.metadata.resource_version = Some("1".to_owned());
        bmc
    }

    #[test]
    fn a_record_is_complete_and_belongs_to_its_bmc() {
        let records = DnsRecords::new(TEMPLATE).expect("a template");
        let record = records.record(&bmc(), "metal").expect("a record");
        insta::assert_json_snapshot!(record);
        let values = values(&bmc(), "metal");
        let given: BTreeSet<&str> = values
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(given, BTreeSet::from(KNOWN));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let refused = |template: &str| match DnsRecords::new(template) {
            Err(error) => error.to_string(),
            Ok(records) => records.record(&bmc(), "metal").expect_err("no record").to_string(),
        };
        for (template, expected) in [
            ("{{ .Nope }}", "line 1: there is no .Nope"),
            (
                "{{ .Labels.shelf }}",
                "DNS record of BMC node-1: line 1: there is no .Labels.shelf",
            ),
            ("a: [", "DNS record of BMC node-1: the template gives no YAML"),
            (
                "kind: X\nmetadata: { name: x }",
                "DNS record of BMC node-1: the template",
            ),
            (
                "apiVersion: v1\nkind: X\nmetadata: {}",
                "DNS record of BMC node-1: the template has to give apiVersion",
            ),
        ] {
            let refused = refused(template);
            assert!(refused.starts_with(expected), "{template}: {refused}");
        }
    }
}
