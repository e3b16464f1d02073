//! The Endpoint controller: contract section 3.1. A MAC address with a known prefix becomes a BMC with factory credentials. What exists
//! is left as it is: credentials that were rotated and an access that was migrated are worth more than the database (W21).

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::kinds::bmc::{BMCSpec, ConsoleProtocol, ConsoleProtocolName};
use crds::{BMC, BMCSecret, Endpoint, LocalObjectReference, Protocol, keys};
use k8s_openapi::ByteString;
use kube::ResourceExt;
use kube::api::{Api, Patch, PostParams};
use kube::runtime::controller::Action;

use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::context::{Context, is_conflict, parameters};
use crate::mac_prefixes::MacPrefix;
use crate::sabotage::{self, Bug};

/// One pass over one Endpoint.
///
/// # Errors
/// See [`Error`].
pub async fn reconcile(context: Arc<Context>, endpoint: Arc<Endpoint>) -> Result<Action, Error> {
    match pass(&context, &endpoint).await {
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        result => result.map(|()| Action::requeue(context.settings.resync)),
    }
}

async fn pass(context: &Context, endpoint: &Endpoint) -> Result<(), Error> {
    let api: Api<Endpoint> = context.api();
    if endpoint.metadata.deletion_timestamp.is_some() {
        // BMC and BMCSecret stay: the machine does not disappear with a DHCP lease.
        remove_finalizer(&api, endpoint, keys::finalizer::ENDPOINT).await?;
        return Ok(());
    }
    if is_ignored(endpoint) {
        return Ok(());
    }
    ensure_finalizer(&api, endpoint, keys::finalizer::ENDPOINT).await?;
    let Some(mac_address) = endpoint.spec.mac_address.as_deref() else {
        return Ok(());
    };
    let Some(entry) = context.mac_prefixes.find(mac_address) else {
        return Ok(());
    };
    let name = endpoint.name_any();
    // Incident 116.
    if sabotage::active(Bug::SecretOverwrittenWithDefault) && context.caches.secrets.get(&name).is_some() {
        let api: Api<BMCSecret> = context.api();
        let factory = Patch::Merge(secret(&name, mac_address, entry)?);
        api.patch(&name, &parameters(), &factory).await?;
    }
    if context.caches.secrets.get(&name).is_none() {
        create(&context.api(), &secret(&name, mac_address, entry)?).await?;
    }
    if context.caches.bmcs.get(&name).is_none() {
        create(&context.api(), &bmc(&name, entry)?).await?;
    }
    Ok(())
}

async fn create<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    match api.create(&PostParams::default(), object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn secret(name: &str, mac_address: &str, entry: &MacPrefix) -> Result<BMCSecret, Error> {
    let credentials = entry
        .default_credentials
        .first()
        .ok_or_else(|| Error::NoDefaultCredentials {
            mac: mac_address.to_owned(),
        })?;
    let credentials = credentials.credentials();
    let data = [
        ("username", credentials.username.as_bytes().to_vec()),
        ("password", credentials.password.as_bytes().to_vec()),
    ];
    let data: BTreeMap<String, ByteString> = data
        .into_iter()
        .map(|(key, value)| (key.to_owned(), ByteString(value)))
        .collect();
    Ok(BMCSecret::new(name, data))
}

fn bmc(name: &str, entry: &MacPrefix) -> Result<BMC, Error> {
    if !["Redfish", "RedfishLocal", "RedfishWithRegistryPatch"].contains(&entry.protocol.as_str()) {
        return Err(Error::Invalid(format!("unknown protocol: {}", entry.protocol)));
    }
    let console = match &entry.console {
        None => None,
        Some(console) => Some(ConsoleProtocol {
            name: match console.kind.as_str() {
                "IPMI" => ConsoleProtocolName::Ipmi,
                "SSH" => ConsoleProtocolName::Ssh,
                "SSHLenovo" => ConsoleProtocolName::SshLenovo,
                other => return Err(Error::Invalid(format!("unknown console type: {other}"))),
            },
            port: i32::from(console.port),
        }),
    };
    Ok(BMC::new(
        name,
        BMCSpec {
            bmc_uuid: None,
            endpoint_ref: Some(LocalObjectReference::named(name)),
            access: None,
            bmc_secret_ref: LocalObjectReference::named(name),
            protocol: Protocol {
                name: entry.protocol.as_str().into(),
                port: i32::from(entry.port),
                scheme: entry.protocol_scheme.clone(),
            },
            console_protocol: console,
            hostname: None,
            bmc_settings_ref: None,
        },
    ))
}
