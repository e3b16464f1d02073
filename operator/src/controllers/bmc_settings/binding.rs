//! From which BMCSettings a BMC takes its settings: `BMC.spec.bmcSettingsRef` (contract section 4.6).

use std::cmp::Ordering;

use crds::firmware::SettingsState;
use crds::{BMC, BMCSettings};
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::json;

use super::observed::Binding;
use crate::context::{Context, parameters};
use crate::controllers::Error;
use crate::controllers::firmware::versions;

/// Looks who the BMC names. The cache can show that another object is there; that it is gone only the API server can.
pub(super) async fn of(context: &Context, settings: &BMCSettings, bmc: &BMC) -> Result<Binding, Error> {
    let name = settings.name_any();
    let other = match &bmc.spec.bmc_settings_ref {
        None => return Ok(Binding::Free),
        Some(reference) if reference.name == name => return Ok(Binding::Own),
        Some(reference) => &reference.name,
    };
    let known = match context.caches.bmc_settings.get(other) {
        Some(known) => Some(BMCSettings::clone(&known)),
        None => Api::<BMCSettings>::get_opt(&context.api(), other).await?,
    };
    Ok(match known {
        Some(known) if !gives_way(&known, settings) => Binding::Other(other.clone()),
        _ => Binding::Free,
    })
}

/// Whether the BMC may take its settings from `new` instead of `old`.
fn gives_way(old: &BMCSettings, new: &BMCSettings) -> bool {
    let state = old.status.as_ref().and_then(|status| status.state.as_ref());
    let later = versions::compare(&new.spec.template.version, &old.spec.template.version) == Ordering::Greater;
    // One that works on the BMC finishes first.
    state != Some(&SettingsState::InProgress) && (old.spec.bmc_ref != new.spec.bmc_ref || later)
}

/// Names the object on its BMC, provided that the BMC is still as it was looked at.
pub(super) async fn bind(context: &Context, settings: &BMCSettings) -> Result<(), Error> {
    if let Some(bmc) = context.caches.bmcs.get(&settings.spec.bmc_ref.name) {
        let reference = json!({ "name": settings.name_any() });
        write(context, &bmc, &reference).await?;
    }
    Ok(())
}

/// Takes the name away again, if it is still there.
pub(super) async fn unbind(context: &Context, settings: &BMCSettings) -> Result<(), Error> {
    let api: Api<BMC> = context.api();
    let Some(bmc) = api.get_opt(&settings.spec.bmc_ref.name).await? else {
        return Ok(());
    };
    let named = bmc.spec.bmc_settings_ref.as_ref().map(|reference| &reference.name);
    if named == Some(&settings.name_any()) {
        write(context, &bmc, &serde_json::Value::Null).await?;
    }
    Ok(())
}

async fn write(context: &Context, bmc: &BMC, reference: &serde_json::Value) -> Result<(), Error> {
    let api: Api<BMC> = context.api();
    let patch = json!({
        "metadata": { "resourceVersion": bmc.resource_version() },
        "spec": { "bmcSettingsRef": reference },
    });
    api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crds::{BMCSettingsSpec, BMCSettingsStatus, BMCSettingsTemplate, LocalObjectReference};

    use super::*;

    #[test]
    fn the_later_version_takes_over_from_one_that_is_not_at_work() {
        let settings = |version: &str, bmc: &str, state| {
            let spec = BMCSettingsSpec {
                template: BMCSettingsTemplate {
                    version: version.into(),
                    ..BMCSettingsTemplate::default()
                },
                bmc_ref: LocalObjectReference::named(bmc),
                ..BMCSettingsSpec::default()
            };
            let mut settings = BMCSettings::new("a", spec);
            settings.status = Some(BMCSettingsStatus {
                state,
                ..BMCSettingsStatus::default()
            });
            settings
        };
        let applied = Some(SettingsState::Applied);
        for (old, new, expected) in [
            // W22: by text, 2.9 would stay.
            (settings("2.9", "b", applied.clone()), "2.10", true),
            (settings("2.10", "b", applied.clone()), "2.9", false),
            (settings("2.9", "b", Some(SettingsState::InProgress)), "2.10", false),
            (settings("2.10", "another", applied), "2.9", true),
        ] {
            assert_eq!(gives_way(&old, &settings(new, "b", None)), expected, "{new}");
        }
    }
}
