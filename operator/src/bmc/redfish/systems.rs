//! `ComputerSystem`: reads, resets, indicator LED.

use nv_redfish::core::{Bmc, NavProperty, ODataETag};
use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::computer_system::{ComputerSystem, ComputerSystemUpdate, IndicatorLed as SchemaLed};
use nv_redfish::schema::resource::{PowerState, ResetType as SchemaReset};
use serde::Deserialize;
use serde_json::Value;

use super::call::{Call, odata_id};
use super::document::{allowable_resets, compat_error, link, members, read, text, texts, typed};
use crate::bmc::{BmcClient, BmcError, Boot, IndicatorLed, ReportedPower, ResetType, System};
use crate::identity::{SystemUri, SystemUuid};
use crate::sabotage::{self, Bug};

/// A system as it was read. What is looked at all the time is taken from the document itself: a schema type is made of all of it.
pub(super) struct SystemDocument {
    uri: String,
    pub(super) raw: Value,
}

impl SystemDocument {
    pub(super) fn new(raw: Value) -> Result<Self, BmcError> {
        let uri = text(&raw, "@odata.id").ok_or_else(|| BmcError::Protocol {
            uri: String::new(),
            message: "a system without @odata.id".to_owned(),
            sent: false,
        })?;
        Ok(Self { uri, raw })
    }

    pub(super) async fn read(bmc: &CompatBmc<Call>, uri: &str) -> Result<Self, BmcError> {
        Self::new(read(bmc, uri).await?)
    }

    /// Where changes go that the system itself does not take.
    pub(super) fn settings_uri(&self) -> Option<String> {
        link(self.raw.get("@Redfish.Settings")?, "SettingsObject")
    }

    pub(super) fn boot(&self) -> Boot {
        let boot = &self.raw["Boot"];
        Boot {
            override_enabled: text(boot, "BootSourceOverrideEnabled"),
            override_target: text(boot, "BootSourceOverrideTarget"),
            override_mode: text(boot, "BootSourceOverrideMode"),
            boot_order: texts(boot, "BootOrder"),
            staged_order: None,
            allowable_targets: texts(boot, "BootSourceOverrideTarget@Redfish.AllowableValues")
                .filter(|values| !values.is_empty()),
        }
    }

    /// Sends an update to the system, or to the settings object `settings`.
    pub(super) async fn update(
        &self,
        bmc: &CompatBmc<Call>,
        settings: Option<&str>,
        update: &ComputerSystemUpdate,
    ) -> Result<(), BmcError> {
        let (uri, etag) = match settings {
            None => (&*self.uri, text(&self.raw, "@odata.etag")),
            Some(uri) => (uri, text(&read(bmc, uri).await?, "@odata.etag")),
        };
        let (uri, etag) = (odata_id(uri), etag.map(ODataETag::from));
        let response = bmc
            .update::<_, NavProperty<ComputerSystem>>(&uri, etag.as_ref(), update)
            .await;
        // Entity, task or message: what counts is what a later read shows.
        response
            .map(drop)
            .map_err(|error| compat_error(error, &uri.to_string()))
    }

    fn into_system(self) -> System {
        let boot = self.boot();
        let target = self.raw["Boot"].get("BootSourceOverrideTarget");
        // Incident 69.
        let has_override_target =
            target.is_some_and(|target| !target.is_null() || !sabotage::active(Bug::NullOverrideTargetSkipped));
        let power_state = self.raw.get("PowerState").map(PowerState::deserialize);
        System {
            uri: SystemUri::new(self.uri),
            // As spelled: the schema type refuses what is not an RFC 4122 UUID.
            uuid: SystemUuid::new(self.raw["UUID"].as_str().unwrap_or_default()),
            manufacturer: text(&self.raw, "Manufacturer"),
            model: text(&self.raw, "Model"),
            sku: text(&self.raw, "SKU"),
            serial_number: text(&self.raw, "SerialNumber"),
            bios_version: text(&self.raw, "BiosVersion"),
            power_state: reported_power(power_state.and_then(Result::ok)),
            indicator_led: text(&self.raw, "IndicatorLED"),
            total_memory_gib: self.raw["MemorySummary"]["TotalSystemMemoryGiB"].as_f64(),
            boot,
            boot_progress: text(&self.raw["BootProgress"], "LastState"),
            has_override_target,
            allowable_resets: allowable_resets(&self.raw, "#ComputerSystem.Reset"),
        }
    }
}

pub(super) fn non_empty(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn reported_power(state: Option<PowerState>) -> ReportedPower {
    match state {
        Some(PowerState::On) => ReportedPower::On,
        Some(PowerState::Off) => ReportedPower::Off,
        Some(PowerState::PoweringOn) => ReportedPower::PoweringOn,
        Some(PowerState::PoweringOff) => ReportedPower::PoweringOff,
        Some(PowerState::Paused) => ReportedPower::Paused,
        // Sleeping machines hold state, and a word nobody knows proves nothing.
        Some(PowerState::Sleeping | PowerState::Hibernating | PowerState::UnsupportedValue) | None => {
            ReportedPower::Unknown
        }
    }
}

pub(super) fn schema_reset(reset: ResetType) -> SchemaReset {
    match reset {
        ResetType::On => SchemaReset::On,
        ResetType::ForceOff => SchemaReset::ForceOff,
        ResetType::GracefulShutdown => SchemaReset::GracefulShutdown,
        ResetType::GracefulRestart => SchemaReset::GracefulRestart,
        ResetType::ForceRestart => SchemaReset::ForceRestart,
        ResetType::ForceOn => SchemaReset::ForceOn,
        ResetType::PowerCycle => SchemaReset::PowerCycle,
    }
}

/// The reset to send when a BMC says what it takes: the two kinds of power-on stand in for each other.
pub(super) fn offered_reset(wanted: ResetType, allowable: Option<&[String]>) -> Result<ResetType, BmcError> {
    let offers = |reset: ResetType| allowable.is_none_or(|values| values.iter().any(|value| value == reset.as_str()));
    let substitute = match wanted {
        ResetType::On => Some(ResetType::ForceOn),
        ResetType::ForceOn => Some(ResetType::On),
        _ => None,
    };
    if offers(wanted) {
        return Ok(wanted);
    }
    substitute
        .filter(|reset| offers(*reset))
        .ok_or_else(|| BmcError::Unsupported {
            what: format!("reset type {}", wanted.as_str()),
        })
}

impl BmcClient {
    /// All systems, sorted by URI, also those that cannot be told what to boot. One that cannot be read fails the listing:
    /// leaving it out would look like its absence (S6).
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn systems(&self) -> Result<Vec<System>, BmcError> {
        self.measured("systems", self.reading(), async |call| {
            let root = call.connected_root().await?;
            let uri = link(&root.document, "Systems").ok_or_else(|| BmcError::Unsupported {
                what: "Systems".to_owned(),
            })?;
            let documents = members(call, &call.compat().await?, &uri, true).await?;
            let is_system = root.quirks.filter_computer_system_odata_ids();
            documents
                .into_iter()
                .filter(|document| {
                    is_system.is_none_or(|accepts| accepts(document["@odata.id"].as_str().unwrap_or_default()))
                })
                .map(|document| SystemDocument::new(document).map(SystemDocument::into_system))
                .collect()
        })
        .await
    }

    /// One fresh read.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn system(&self, uri: &SystemUri) -> Result<System, BmcError> {
        self.measured("system", self.reading(), async |call| {
            Ok(SystemDocument::read(&call.compat().await?, uri.as_str())
                .await?
                .into_system())
        })
        .await
    }

    /// Sends the reset once and never repeats it. An error for which `may_have_been_executed` holds leaves open whether the
    /// machine was reset.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when the BMC lists its reset types and this is not among them.
    pub async fn reset_system(&self, uri: &SystemUri, reset: ResetType) -> Result<(), BmcError> {
        self.measured("reset_system", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            let reset = offered_reset(reset, allowable_resets(&system.raw, "#ComputerSystem.Reset").as_deref())?;
            let actions = typed::<ComputerSystem>(&system.raw)?
                .actions
                .filter(|actions| actions.reset.is_some());
            let actions = actions.ok_or_else(|| BmcError::Unsupported {
                what: "ComputerSystem.Reset".to_owned(),
            })?;
            let response = actions.reset(&bmc, Some(schema_reset(reset))).await;
            response.map(drop).map_err(|error| compat_error(error, uri.as_str()))
        })
        .await
    }

    /// Sets `IndicatorLED`, the deprecated property that the API is made of.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn set_indicator_led(&self, uri: &SystemUri, led: IndicatorLed) -> Result<(), BmcError> {
        self.measured("set_indicator_led", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            let led = match led {
                IndicatorLed::Lit => SchemaLed::Lit,
                IndicatorLed::Blinking => SchemaLed::Blinking,
                IndicatorLed::Off => SchemaLed::Off,
            };
            system
                .update(
                    &bmc,
                    None,
                    &ComputerSystemUpdate::builder().with_indicator_led(led).build(),
                )
                .await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn power_is_only_what_the_bmc_positively_says() {
        let power = |value: Value| {
            let document = SystemDocument::new(json!({"@odata.id": "/redfish/v1/Systems/1", "PowerState": value}))
                .expect("system");
            document.into_system().power_state
        };
        assert_eq!(power(json!("On")), ReportedPower::On);
        assert_eq!(power(json!("Off")), ReportedPower::Off);
        for unknown in [
            json!(null),
            json!("Reset"),
            json!("off"),
            json!(""),
            json!(0),
            json!("Sleeping"),
        ] {
            assert_eq!(power(unknown.clone()), ReportedPower::Unknown, "{unknown}");
        }
    }

    #[test]
    fn a_null_override_target_is_still_bootable() {
        let has_target = |boot: Value| {
            let document =
                SystemDocument::new(json!({"@odata.id": "/redfish/v1/Systems/1", "Boot": boot})).expect("system");
            document.into_system().has_override_target
        };
        assert!(has_target(json!({"BootSourceOverrideTarget": null})));
        assert!(has_target(json!({"BootSourceOverrideTarget": "None"})));
        assert!(!has_target(json!({})));
        assert!(!has_target(json!(null)));
    }

    #[test]
    fn resets_are_checked_against_what_is_offered() {
        let offer = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(offered_reset(ResetType::On, None), Ok(ResetType::On));
        assert_eq!(
            offered_reset(ResetType::On, Some(&offer(&["ForceOn"]))),
            Ok(ResetType::ForceOn)
        );
        assert_eq!(
            offered_reset(ResetType::ForceOff, Some(&offer(&["On", "ForceOff"]))),
            Ok(ResetType::ForceOff)
        );
        assert!(offered_reset(ResetType::PowerCycle, Some(&offer(&["On"]))).is_err());
    }
}
