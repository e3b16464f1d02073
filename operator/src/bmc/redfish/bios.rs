//! BIOS attributes: read, staged, and reset to defaults.

use nv_redfish::core::{Bmc, ODataETag};
use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::bios::Bios as SchemaBios;
use serde_json::{Map, Value, json};

use super::attribute_registry::attribute_registry;
use super::call::{Call, odata_id};
use super::document::{compat_error, flat, link, read, text, typed};
use crate::bmc::{AttributeRegistry, Bios, BmcClient, BmcError};
use crate::identity::SystemUri;

fn attributes(document: &Value) -> Map<String, Value> {
    document
        .get("Attributes")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// Settings objects of some vendors mirror all attributes: only what differs is pending (contract section 9.5).
fn pending(current: &Map<String, Value>, settings: Map<String, Value>) -> Map<String, Value> {
    settings
        .into_iter()
        .filter(|(name, value)| !value.is_null() && current.get(name) != Some(value))
        .collect()
}

async fn bios_document(bmc: &CompatBmc<Call>, system: &SystemUri) -> Result<Option<Value>, BmcError> {
    match link(&read(bmc, system.as_str()).await?, "Bios") {
        Some(uri) => read(bmc, &uri).await.map(Some),
        None => Ok(None),
    }
}

impl BmcClient {
    /// BIOS attributes in force and pending; `None` when the system has no `Bios` resource.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn bios(&self, uri: &SystemUri) -> Result<Option<Bios>, BmcError> {
        self.measured("bios", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let Some(document) = bios_document(&bmc, uri).await? else {
                return Ok(None);
            };
            let bios: SchemaBios = typed(&document)?;
            let attributes_now = attributes(&document);
            let settings = document
                .get("@Redfish.Settings")
                .and_then(|settings| link(settings, "SettingsObject"));
            let pending_now = match settings {
                Some(settings) => pending(&attributes_now, attributes(&read(&bmc, &settings).await?)),
                None => Map::new(),
            };
            Ok(Some(Bios {
                attributes: attributes_now,
                pending: pending_now,
                supports_reset: bios.actions.is_some_and(|actions| actions.reset_bios.is_some()),
                reset_pending: flat(bios.reset_bios_to_defaults_pending).unwrap_or(false),
            }))
        })
        .await
    }

    /// What the registry of the BIOS says of its attributes; empty when there is none.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn bios_registry(&self, uri: &SystemUri) -> Result<AttributeRegistry, BmcError> {
        self.measured("bios_registry", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let Some(document) = bios_document(&bmc, uri).await? else {
                return Ok(AttributeRegistry::default());
            };
            let name = text(&document, "AttributeRegistry");
            attribute_registry(call, &bmc, name.as_deref(), "BiosAttributeRegistry").await
        })
        .await
    }

    /// Stages attributes for the next POST (contract section 9.5).
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when the system has no `Bios`.
    pub async fn set_bios_attributes(&self, uri: &SystemUri, changes: &Map<String, Value>) -> Result<(), BmcError> {
        self.measured("set_bios_attributes", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let document = bios_document(&bmc, uri).await?.ok_or_else(|| BmcError::Unsupported {
                what: "Bios".to_owned(),
            })?;
            let settings = document
                .get("@Redfish.Settings")
                .and_then(|settings| link(settings, "SettingsObject"))
                .or_else(|| text(&document, "@odata.id"))
                .unwrap_or_default();
            let etag = text(&read(&bmc, &settings).await?, "@odata.etag").map(ODataETag::from);
            let body = json!({
                "Attributes": changes,
                "@Redfish.SettingsApplyTime": { "ApplyTime": "OnReset" },
            });
            call.update::<_, Value>(&odata_id(&settings), etag.as_ref(), &body)
                .await
                .map(drop)
        })
        .await
    }

    /// `Bios.ResetBios`, once. It takes effect at the next boot.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when there is no such action.
    pub async fn reset_bios(&self, uri: &SystemUri) -> Result<(), BmcError> {
        self.measured("reset_bios", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let unsupported = || BmcError::Unsupported {
                what: "Bios.ResetBios".to_owned(),
            };
            let document = bios_document(&bmc, uri).await?.ok_or_else(unsupported)?;
            let bios: SchemaBios = typed(&document)?;
            let actions = bios
                .actions
                .filter(|actions| actions.reset_bios.is_some())
                .ok_or_else(unsupported)?;
            actions
                .reset_bios(&bmc)
                .await
                .map(drop)
                .map_err(|error| compat_error(error, uri.as_str()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_differences_are_pending() {
        let object = |value: Value| value.as_object().cloned().expect("object");
        let current = object(json!({"A": "x", "B": 1, "C": true}));
        let settings = object(json!({"A": "x", "B": 2, "C": null, "D": "new"}));
        assert_eq!(pending(&current, settings), object(json!({"B": 2, "D": "new"})));
    }
}
