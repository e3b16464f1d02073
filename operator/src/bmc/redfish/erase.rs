//! Drives and their secure erase.

use std::collections::BTreeSet;
use std::sync::Arc;

use nv_redfish::core::ModificationResponse;
use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::drive::Drive as SchemaDrive;
use serde_json::Value;

use super::call::Call;
use super::document::{compat_error, flat, link, members, read, text, typed};
use super::systems::non_empty;
use crate::bmc::{BmcClient, BmcError, Drive};
use crate::identity::{DriveUri, SystemUri, TaskUri};
use crate::sabotage::{self, Bug};

/// URIs of all drives of one `Storage`. An entry that is no link is an error: a drive left out would be a drive not wiped (S4).
pub(super) fn drive_links(storage: &Value) -> Result<Vec<String>, BmcError> {
    let drives = storage
        .get("Drives")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    drives
        .iter()
        .map(|drive| {
            text(drive, "@odata.id").ok_or_else(|| BmcError::Protocol {
                uri: storage["@odata.id"].as_str().unwrap_or_default().to_owned(),
                message: "an entry of Drives without @odata.id".to_owned(),
                sent: false,
            })
        })
        .collect()
}

/// The `Storage` documents of a system; none when it has no such collection.
pub(super) async fn storages(
    call: &Arc<Call>,
    bmc: &CompatBmc<Call>,
    system: &Value,
    strict: bool,
) -> Result<Vec<Value>, BmcError> {
    match link(system, "Storage") {
        Some(uri) => members(call, bmc, &uri, strict).await,
        None => Ok(Vec::new()),
    }
}

fn drive(raw: &Value) -> Result<Drive, BmcError> {
    let drive: SchemaDrive = typed(raw)?;
    let id = drive.id.clone();
    Ok(Drive {
        uri: DriveUri::new(drive.odata_id.to_string()),
        name: non_empty(Some(drive.name.clone())).unwrap_or_else(|| id.clone()),
        id,
        serial_number: non_empty(flat(drive.serial_number)),
        capacity_bytes: flat(drive.capacity_bytes),
        secure_erase: drive.actions.is_some_and(|actions| actions.secure_erase.is_some()),
        state: text(&raw["Status"], "State"),
        health: text(&raw["Status"], "Health"),
    })
}

impl BmcClient {
    /// Every drive that the system's `Storage` lists, sorted by URI. A drive that cannot be read is an error, never an
    /// omission. An empty list says that the BMC knows no drives, not that there are none (S6).
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn drives(&self, uri: &SystemUri) -> Result<Vec<Drive>, BmcError> {
        self.measured("drives", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let system = read(&bmc, uri.as_str()).await?;
            let mut uris = BTreeSet::new();
            for storage in storages(call, &bmc, &system, true).await? {
                // Incident 92.
                if sabotage::active(Bug::LastControllerDecides) {
                    uris.clear();
                }
                uris.extend(drive_links(&storage)?);
            }
            let mut drives = Vec::with_capacity(uris.len());
            for uri in uris {
                drives.push(drive(&read(&bmc, &uri).await?)?);
            }
            Ok(drives)
        })
        .await
    }

    /// Starts `Drive.SecureErase`, once. The task to follow, or `None` when the BMC says that it is done.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when the drive does not offer it.
    pub async fn secure_erase(&self, uri: &DriveUri) -> Result<Option<TaskUri>, BmcError> {
        self.measured("secure_erase", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let drive: SchemaDrive = typed(&read(&bmc, uri.as_str()).await?)?;
            let actions = drive.actions.filter(|actions| actions.secure_erase.is_some());
            let actions = actions.ok_or_else(|| BmcError::Unsupported {
                what: "Drive.SecureErase".to_owned(),
            })?;
            let response = actions
                .secure_erase(&bmc, None, None)
                .await
                .map_err(|error| compat_error(error, uri.as_str()))?;
            Ok(match response {
                // The Task can be read after its monitor is gone.
                ModificationResponse::Task(task) => {
                    Some(TaskUri::new(task.task.unwrap_or(task.location.0).to_string()))
                }
                ModificationResponse::Entity(()) | ModificationResponse::Message(_) | ModificationResponse::Empty => {
                    None
                }
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_drive_that_is_no_link_is_an_error() {
        let good = json!({"Drives": [{"@odata.id": "/d/1"}, {"@odata.id": "/d/2", "Name": "x"}]});
        assert_eq!(drive_links(&good), Ok(vec!["/d/1".to_owned(), "/d/2".to_owned()]));
        assert!(drive_links(&json!({"Drives": [{"@odata.id": "/d/1"}, {}]})).is_err());
        assert_eq!(drive_links(&json!({"Drives": null})), Ok(Vec::new()));
    }
}
