//! Boot override and boot order. Nothing is written that is already so: on some BMCs every write queues a job and a reboot
//! (bugs.md #65).

use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::computer_system::{
    BootSource, BootSourceOverrideEnabled, BootSourceOverrideMode, BootUpdate, ComputerSystemUpdate,
};

use super::call::Call;
use super::document::{read, texts};
use super::systems::SystemDocument;
use crate::bmc::{BmcClient, BmcError, Boot, BootTarget, Lasting};
use crate::identity::SystemUri;
use crate::sabotage::{self, Bug};

fn boot_update(boot: BootUpdate) -> ComputerSystemUpdate {
    ComputerSystemUpdate::builder().with_boot(boot).build()
}

/// Whether the override is what is wanted.
fn is_set(boot: &Boot, target: BootTarget, lasting: Lasting) -> bool {
    boot.override_enabled.as_deref() == Some(lasting.as_str())
        && boot.override_target.as_deref() == Some(target.as_str())
        && boot.override_mode.as_deref().is_none_or(|mode| mode == "UEFI")
}

/// The mode is sent only where the BMC has one that differs: others refuse the property (bugs.md #68). Supermicro wants it
/// whenever it reports one (contract section 9.3).
fn wants_mode(boot: &Boot, manufacturer: &str) -> bool {
    boot.override_mode
        .as_deref()
        .is_some_and(|mode| mode != "UEFI" || manufacturer == "Supermicro")
}

/// An answer after which a different request may be accepted.
fn refused(error: &BmcError) -> bool {
    matches!(
        error,
        BmcError::Http {
            status: 400 | 403..=409 | 422 | 501,
            ..
        }
    )
}

/// Sends to the system, and to its settings object when the system refuses.
async fn send(bmc: &CompatBmc<Call>, system: &SystemDocument, update: &ComputerSystemUpdate) -> Result<(), BmcError> {
    match (system.update(bmc, None, update).await, system.settings_uri()) {
        (Err(error), Some(settings)) if refused(&error) => {
            tracing::debug!(%error, settings, "the system refused the boot settings, trying its settings object");
            system.update(bmc, Some(&settings), update).await
        }
        (result, _) => result,
    }
}

impl BmcClient {
    /// Sets the boot override unless it is already set; says whether it wrote. Whether the BMC took it shows a later
    /// read of the system.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when the BMC lists its targets and this is not among them.
    pub async fn set_boot_override(
        &self,
        uri: &SystemUri,
        target: BootTarget,
        lasting: Lasting,
    ) -> Result<bool, BmcError> {
        self.measured("set_boot_override", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            let boot = system.boot();
            if is_set(&boot, target, lasting) {
                return Ok(false);
            }
            if boot
                .allowable_targets
                .as_ref()
                .is_some_and(|targets| !targets.iter().any(|offered| offered == target.as_str()))
            {
                return Err(BmcError::Unsupported {
                    what: format!("boot target {}", target.as_str()),
                });
            }
            let source = match target {
                BootTarget::Pxe => BootSource::Pxe,
                BootTarget::UefiHttp => BootSource::UefiHttp,
                BootTarget::BiosSetup => BootSource::BiosSetup,
            };
            let enabled = match lasting {
                Lasting::Once => BootSourceOverrideEnabled::Once,
                Lasting::Continuous => BootSourceOverrideEnabled::Continuous,
            };
            let plain = || {
                BootUpdate::builder()
                    .with_boot_source_override_enabled(enabled)
                    .with_boot_source_override_target(source)
            };
            let manufacturer = system.raw["Manufacturer"].as_str().unwrap_or_default();
            // Incident 68.
            let always = sabotage::active(Bug::BootModeAlwaysSent);
            if !wants_mode(&boot, manufacturer) && !always {
                send(&bmc, &system, &boot_update(plain().build())).await?;
                return Ok(true);
            }
            let with_mode = plain().with_boot_source_override_mode(BootSourceOverrideMode::Uefi);
            match send(&bmc, &system, &boot_update(with_mode.build())).await {
                // The mode is reported but read-only.
                Err(error) if refused(&error) && !always => send(&bmc, &system, &boot_update(plain().build())).await?,
                result => result?,
            }
            Ok(true)
        })
        .await
    }

    /// Disables the boot override unless there is none; says whether it wrote.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn clear_boot_override(&self, uri: &SystemUri) -> Result<bool, BmcError> {
        self.measured("clear_boot_override", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            let boot = system.boot();
            let none = |value: Option<&str>, word: &str| value.is_none_or(|value| value == word);
            if none(boot.override_enabled.as_deref(), "Disabled") || none(boot.override_target.as_deref(), "None") {
                return Ok(false);
            }
            let disabled =
                || BootUpdate::builder().with_boot_source_override_enabled(BootSourceOverrideEnabled::Disabled);
            match send(&bmc, &system, &boot_update(disabled().build())).await {
                // Some want the target cleared in the same request (bugs.md #67).
                Err(error) if refused(&error) => {
                    send(
                        &bmc,
                        &system,
                        &boot_update(disabled().with_boot_source_override_target(BootSource::None).build()),
                    )
                    .await?;
                }
                result => result?,
            }
            Ok(true)
        })
        .await
    }

    /// The boot order that waits in the settings object for the next start; `None` for a BMC without such an object.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn staged_boot_order(&self, uri: &SystemUri) -> Result<Option<Vec<String>>, BmcError> {
        self.measured("staged_boot_order", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            staged_order(&bmc, &system).await
        })
        .await
    }

    /// Writes the boot order unless it is already so, or already waits in the settings object for the next boot; says whether
    /// it wrote. Only the order is sent: the persistent override that the Go operator added to it is what bugs.md #67 is about.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` for a BMC without `BootOrder`.
    pub async fn set_boot_order(&self, uri: &SystemUri, order: &[String]) -> Result<bool, BmcError> {
        self.measured("set_boot_order", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let system = SystemDocument::read(&bmc, uri.as_str()).await?;
            let current = system.boot().boot_order.ok_or_else(|| BmcError::Unsupported {
                what: "Boot.BootOrder".to_owned(),
            })?;
            // What the settings object holds replaces the current order at the next boot.
            let pending = staged_order(&bmc, &system).await?;
            // Incident 65.
            if pending.unwrap_or(current) == order && !sabotage::active(Bug::BootOrderRewritten) {
                return Ok(false);
            }
            send(
                &bmc,
                &system,
                &boot_update(BootUpdate::builder().with_boot_order(order.to_vec()).build()),
            )
            .await?;
            Ok(true)
        })
        .await
    }
}

async fn staged_order(bmc: &CompatBmc<Call>, system: &SystemDocument) -> Result<Option<Vec<String>>, BmcError> {
    Ok(match system.settings_uri() {
        Some(settings) => texts(&read(bmc, &settings).await?["Boot"], "BootOrder"),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(enabled: &str, target: &str, mode: Option<&str>) -> Boot {
        Boot {
            override_enabled: Some(enabled.to_owned()),
            override_target: Some(target.to_owned()),
            override_mode: mode.map(str::to_owned),
            ..Boot::default()
        }
    }

    #[test]
    fn an_override_that_is_set_is_not_written_again() {
        for (boot, wanted) in [
            (boot("Once", "Pxe", None), true),
            (boot("Once", "Pxe", Some("UEFI")), true),
            (boot("Once", "Pxe", Some("Legacy")), false),
            (boot("Once", "Hdd", None), false),
            (boot("Continuous", "Pxe", None), false),
            (boot("Disabled", "Pxe", None), false),
            (Boot::default(), false),
        ] {
            assert_eq!(is_set(&boot, BootTarget::Pxe, Lasting::Once), wanted, "{boot:?}");
        }
    }

    #[test]
    fn the_mode_is_sent_only_where_it_must_be() {
        for (mode, manufacturer, wanted) in [
            (None, "Dell Inc.", false),
            (Some("UEFI"), "Dell Inc.", false),
            (Some("Legacy"), "Dell Inc.", true),
            (Some("UEFI"), "Supermicro", true),
            (None, "Supermicro", false),
        ] {
            assert_eq!(
                wants_mode(&boot("Disabled", "None", mode), manufacturer),
                wanted,
                "{mode:?} {manufacturer}"
            );
        }
    }
}
