//! From which BIOSSettings a server takes its settings: `Server.spec.biosSettingsRef` (contract section 4.4).

use std::cmp::Ordering;

use crds::firmware::SettingsState;
use crds::{BIOSSettings, Server};
use kube::ResourceExt;
use kube::api::Api;
use serde_json::json;

use super::observed::Binding;
use crate::context::Context;
use crate::controllers::Error;
use crate::controllers::firmware::versions;

/// Looks who the server names. The cache can show that another object is there; that it is gone only the API server can.
pub(super) async fn of(context: &Context, settings: &BIOSSettings, server: &Server) -> Result<Binding, Error> {
    let name = settings.name_any();
    let other = match &server.spec.bios_settings_ref {
        None => return Ok(Binding::Free),
        Some(reference) if reference.name == name => return Ok(Binding::Own),
        Some(reference) => &reference.name,
    };
    let known = match context.caches.bios_settings.get(other) {
        Some(known) => Some(BIOSSettings::clone(&known)),
        None => Api::<BIOSSettings>::get_opt(&context.api(), other).await?,
    };
    Ok(match known {
        Some(known) if !gives_way(&known, settings, server) => Binding::Other(other.clone()),
        _ => Binding::Free,
    })
}

/// Whether the server may take its settings from `new` instead of `old`.
fn gives_way(old: &BIOSSettings, new: &BIOSSettings, server: &Server) -> bool {
    let state = old.status.as_ref().and_then(|status| status.state.as_ref());
    let of_server = old.spec.server_ref.as_ref().map(|reference| &reference.name) == server.metadata.name.as_ref();
    let (old, new) = (&old.spec.template.version, &new.spec.template.version);
    // One that works on the machine finishes first.
    state != Some(&SettingsState::InProgress) && (!of_server || versions::compare(new, old) == Ordering::Greater)
}

/// Names the object on its server, provided that the server is still as it was looked at.
pub(super) async fn bind(context: &Context, settings: &BIOSSettings, server: &str) -> Result<(), Error> {
    if let Some(server) = context.caches.servers.get(server) {
        let patch = json!({
            "metadata": { "resourceVersion": server.resource_version() },
            "spec": { "biosSettingsRef": { "name": settings.name_any() } },
        });
        context.patch_server(&server, patch).await?;
    }
    Ok(())
}

/// Takes the name away again, if it is still there.
pub(super) async fn unbind(context: &Context, settings: &BIOSSettings, server: &str) -> Result<(), Error> {
    let api: Api<Server> = context.api();
    let Some(server) = api.get_opt(server).await? else {
        return Ok(());
    };
    let named = server.spec.bios_settings_ref.as_ref().map(|reference| &reference.name);
    if named == Some(&settings.name_any()) {
        let patch = json!({
            "metadata": { "resourceVersion": server.resource_version() },
            "spec": { "biosSettingsRef": null },
        });
        context.patch_server(&server, patch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crds::{BIOSSettingsSpec, BIOSSettingsStatus, BIOSSettingsTemplate, LocalObjectReference};

    use super::*;

    #[test]
    fn the_later_version_takes_over_from_one_that_is_not_at_work() {
        let settings = |version: &str, server: &str, state| {
            let spec = BIOSSettingsSpec {
                template: BIOSSettingsTemplate {
                    version: version.into(),
                    ..BIOSSettingsTemplate::default()
                },
                server_ref: Some(LocalObjectReference::named(server)),
                ..BIOSSettingsSpec::default()
            };
            let mut settings = BIOSSettings::new("a", spec);
            settings.status = Some(BIOSSettingsStatus {
                state,
                ..BIOSSettingsStatus::default()
            });
            settings
        };
        let server = Server::new("s", crds::ServerSpec::default());
        let applied = Some(SettingsState::Applied);
        for (old, new, expected) in [
            // W22: by text, 2.9 would stay.
            (settings("2.9", "s", applied.clone()), "2.10", true),
            (settings("2.10", "s", applied.clone()), "2.9", false),
            (settings("2.9", "s", applied.clone()), "2.9", false),
            (settings("2.9", "s", Some(SettingsState::InProgress)), "2.10", false),
            (settings("2.10", "another", applied), "2.9", true),
        ] {
            assert_eq!(gives_way(&old, &settings(new, "s", None), &server), expected, "{new}");
        }
    }
}
