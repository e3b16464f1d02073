//! Attributes of a manager, where each vendor has them (contract section 9.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use nv_redfish::core::{Bmc, ODataETag};
use nv_redfish::quirks::CompatBmc;
use serde_json::{Map, Value, json};

use super::attribute_registry::attribute_registry;
use super::call::{Call, Outgoing, odata_id};
use super::document::{link, read, text};
use super::vendor::Vendor;
use crate::bmc::manager_attributes::{ManagerAttributes, Surface, request};
use crate::bmc::{BmcClient, BmcError};
use crate::identity::ManagerUri;

/// A document with attributes, and where changes of them go.
struct Holder {
    attributes: Map<String, Value>,
    pending: Map<String, Value>,
    target: String,
}

fn object(document: &Value) -> Map<String, Value> {
    document["Attributes"].as_object().cloned().unwrap_or_default()
}

async fn holder(bmc: &CompatBmc<Call>, document: &Value) -> Result<Holder, BmcError> {
    let attributes = object(document);
    let settings = document
        .get("@Redfish.Settings")
        .and_then(|settings| link(settings, "SettingsObject"));
    let (pending, target) = match settings {
        Some(settings) => {
            let staged = object(&read(bmc, &settings).await?);
            let differs = |(name, value): &(String, Value)| !value.is_null() && attributes.get(name) != Some(value);
            (staged.into_iter().filter(differs).collect(), settings)
        }
        None => (Map::new(), text(document, "@odata.id").unwrap_or_default()),
    };
    Ok(Holder {
        attributes,
        pending,
        target,
    })
}

/// All documents with attributes of a manager, in order.
async fn holders(bmc: &CompatBmc<Call>, vendor: Vendor, manager: &Value) -> Result<Vec<Holder>, BmcError> {
    let unsupported = || BmcError::Unsupported {
        what: "attributes of the manager".to_owned(),
    };
    if vendor == Vendor::Dell {
        let links = manager
            .pointer("/Links/Oem/Dell/DellAttributes")
            .and_then(Value::as_array);
        let mut holders = Vec::new();
        for link in links.ok_or_else(unsupported)? {
            let uri = text(link, "@odata.id").ok_or_else(unsupported)?;
            holders.push(holder(bmc, &read(bmc, &uri).await?).await?);
        }
        return Ok(holders);
    }
    match manager.get("Attributes") {
        Some(_) => Ok(vec![holder(bmc, manager).await?]),
        None => Err(unsupported()),
    }
}

fn merged(parts: impl Iterator<Item = Map<String, Value>>) -> Result<Map<String, Value>, BmcError> {
    let mut all = Map::new();
    for (name, value) in parts.flatten() {
        if all.insert(name.clone(), value).is_some() {
            return Err(BmcError::Protocol {
                uri: "DellAttributes".to_owned(),
                message: format!("attribute {name} is there twice"),
                sent: false,
            });
        }
    }
    Ok(all)
}

impl BmcClient {
    /// The attributes of a manager, as far as `wanted` concerns them.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` where the vendor has none.
    pub async fn manager_attributes(
        &self,
        uri: &ManagerUri,
        wanted: &BTreeMap<String, String>,
    ) -> Result<ManagerAttributes, BmcError> {
        self.measured("manager_attributes", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let vendor = Vendor::of(&call.connected_root().await?.document);
            if matches!(vendor, Vendor::Hpe | Vendor::Lenovo) {
                return documents(call, wanted).await;
            }
            let manager = read(&bmc, uri.as_str()).await?;
            let holders = holders(&bmc, vendor, &manager).await?;
            let part = match vendor {
                Vendor::Dell => "ManagerAttributeRegistry",
                _ => "BMCAttributeRegistry",
            };
            let current = merged(holders.iter().map(|holder| holder.attributes.clone()))?;
            Ok(ManagerAttributes {
                surface: Surface::Attributes,
                registry: attribute_registry(call, &bmc, None, part)
                    .await?
                    .with_unlisted(&current),
                pending: merged(holders.iter().map(|holder| holder.pending.clone()))?,
                current,
            })
        })
        .await
    }

    /// Writes attributes of a manager, each where it belongs.
    ///
    /// # Errors
    /// [`BmcError`]. Some may have been written before one was refused.
    pub async fn set_manager_attributes(&self, uri: &ManagerUri, changes: &Map<String, Value>) -> Result<(), BmcError> {
        self.measured("set_manager_attributes", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let vendor = Vendor::of(&call.connected_root().await?.document);
            if matches!(vendor, Vendor::Hpe | Vendor::Lenovo) {
                return requests(call, changes).await;
            }
            let manager = read(&bmc, uri.as_str()).await?;
            for holder in holders(&bmc, vendor, &manager).await? {
                let own = changes.iter().filter(|(name, _)| holder.attributes.contains_key(*name));
                let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
                if own.is_empty() {
                    continue;
                }
                let etag = text(&read(&bmc, &holder.target).await?, "@odata.etag").map(ODataETag::from);
                let body = json!({
                    "Attributes": own,
                    "@Redfish.SettingsApplyTime": { "ApplyTime": "Immediate" },
                });
                // What it does at once or in a task, the next look shows.
                let _ = call
                    .update::<_, Value>(&odata_id(&holder.target), etag.as_ref(), &body)
                    .await?;
            }
            Ok(())
        })
        .await
    }
}

/// What is at the URIs that the names of the settings have.
async fn documents(call: &Arc<Call>, wanted: &BTreeMap<String, String>) -> Result<ManagerAttributes, BmcError> {
    let bmc = call.compat().await?;
    let mut current = Map::new();
    for name in wanted.keys() {
        let Some((_, uri)) = request(name) else { continue };
        match read(&bmc, uri).await {
            Ok(document) => {
                current.insert(name.clone(), document);
            }
            // Nothing to compare with: it can only be sent.
            Err(error) if error.is_not_found() => {}
            Err(BmcError::Http { status: 405, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ManagerAttributes {
        surface: Surface::Requests,
        current,
        pending: Map::new(),
        registry: crate::bmc::AttributeRegistry::default(),
    })
}

async fn requests(call: &Arc<Call>, changes: &Map<String, Value>) -> Result<(), BmcError> {
    for (name, body) in changes {
        let Some((method, uri)) = request(name) else { continue };
        if method == Method::PATCH {
            let _ = call.update::<_, Value>(&odata_id(uri), None, body).await?;
        } else {
            let body = Bytes::from(body.to_string());
            call.exchange(Outgoing::new(method, uri, body)).await?.success(true)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_in_one_place() {
        let part = |name: &str| Map::from_iter([(name.to_owned(), json!(1))]);
        assert_eq!(merged([part("A"), part("B")].into_iter()).unwrap().len(), 2);
        assert!(merged([part("A"), part("A")].into_iter()).is_err());
    }
}
