//! `Manager`: reads and resets.

use nv_redfish::schema::manager::Manager as SchemaManager;
use nv_redfish::schema::resource::PowerState;
use serde_json::Value;

use super::document::{allowable_resets, compat_error, flat, link, members, read, text, texts, typed};
use super::systems::{non_empty, offered_reset, reported_power, schema_reset};
use crate::bmc::{BmcClient, BmcError, Manager, ResetType};
use crate::identity::ManagerUri;

fn manager(raw: &Value) -> Result<Manager, BmcError> {
    let manager: SchemaManager = typed(raw)?;
    let console = &raw["GraphicalConsole"];
    let has_graphical_console = console["MaxConcurrentSessions"]
        .as_i64()
        .is_some_and(|sessions| sessions != 0)
        || texts(console, "ConnectTypesSupported").is_some_and(|types| !types.is_empty());
    let power_state: Option<PowerState> = flat(manager.power_state);
    Ok(Manager {
        uri: ManagerUri::new(manager.odata_id.to_string()),
        // As spelled: it is compared with what was stored.
        uuid: text(raw, "UUID"),
        manufacturer: non_empty(flat(manager.manufacturer)),
        model: non_empty(flat(manager.model)),
        sku: non_empty(flat(manager.part_number)),
        serial_number: non_empty(flat(manager.serial_number)),
        firmware_version: non_empty(flat(manager.firmware_version)),
        power_state: reported_power(power_state),
        state: text(&raw["Status"], "State"),
        last_reset_time: text(raw, "LastResetTime").and_then(|time| time.parse().ok()),
        has_graphical_console,
        allowable_resets: allowable_resets(raw, "#Manager.Reset"),
    })
}

/// The reset to send to a manager: nobody works on it, so that force harms nobody.
fn offered_restart(wanted: ResetType, allowable: Option<&[String]>) -> Result<ResetType, BmcError> {
    match (offered_reset(wanted, allowable), wanted) {
        (Err(refusal), ResetType::GracefulRestart) => {
            offered_reset(ResetType::ForceRestart, allowable).map_err(|_| refusal)
        }
        (offered, _) => offered,
    }
}

impl BmcClient {
    /// All managers, sorted by URI.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn managers(&self) -> Result<Vec<Manager>, BmcError> {
        self.measured("managers", self.reading(), async |call| {
            let root = call.connected_root().await?;
            let uri = link(&root.document, "Managers").ok_or_else(|| BmcError::Unsupported {
                what: "Managers".to_owned(),
            })?;
            let documents = members(call, &call.compat().await?, &uri, true).await?;
            let is_manager = root.quirks.filter_manager_odata_ids();
            documents
                .iter()
                .filter(|document| {
                    is_manager.is_none_or(|accepts| accepts(document["@odata.id"].as_str().unwrap_or_default()))
                })
                .map(manager)
                .collect()
        })
        .await
    }

    /// Resets a manager, once. An HPE iLO that says nothing about its reset types gets none: contract section 9.3. A BMC that knows
    /// no graceful way to restart itself (AMI MegaRAC) takes `ForceRestart`.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when the BMC lists its reset types and this is not among them.
    pub async fn reset_manager(&self, uri: &ManagerUri, reset: ResetType) -> Result<(), BmcError> {
        self.measured("reset_manager", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let raw = read(&bmc, uri.as_str()).await?;
            let allowable = allowable_resets(&raw, "#Manager.Reset");
            let reset = offered_restart(reset, allowable.as_deref())?;
            let says_what_it_takes =
                allowable.is_some() || raw["Actions"]["#Manager.Reset"].get("@Redfish.ActionInfo").is_some();
            let manager: SchemaManager = typed(&raw)?;
            let actions = manager.actions.filter(|actions| actions.reset.is_some());
            let actions = actions.ok_or_else(|| BmcError::Unsupported {
                what: "Manager.Reset".to_owned(),
            })?;
            let response = actions
                .reset(&bmc, says_what_it_takes.then(|| schema_reset(reset)))
                .await;
            response.map(drop).map_err(|error| compat_error(error, uri.as_str()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_restarted_as_gently_as_it_can_be() {
        let restart = |values: &[&str]| {
            let offer: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            offered_restart(ResetType::GracefulRestart, Some(&offer))
        };
        assert_eq!(
            restart(&["ForceRestart", "GracefulRestart"]),
            Ok(ResetType::GracefulRestart)
        );
        assert_eq!(restart(&["ForceRestart"]), Ok(ResetType::ForceRestart));
        assert_eq!(
            restart(&["ResetToDefaults"]),
            Err(BmcError::Unsupported {
                what: "reset type GracefulRestart".to_owned()
            })
        );
        assert_eq!(
            offered_restart(ResetType::GracefulRestart, None),
            Ok(ResetType::GracefulRestart)
        );
    }
}
