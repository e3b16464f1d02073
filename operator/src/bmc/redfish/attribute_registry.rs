//! `Registries`: where the attribute registry of a BIOS or BMC is.

use std::sync::Arc;

use nv_redfish::quirks::CompatBmc;
use serde_json::Value;

use super::call::Call;
use super::document::{link, members, read, text};
use crate::bmc::{AttributeRegistry, BmcError};

/// Reads the registry named `wanted` exactly, else the first whose id contains `part`. One that is not there is empty.
pub(super) async fn attribute_registry(
    call: &Arc<Call>,
    bmc: &CompatBmc<Call>,
    wanted: Option<&str>,
    part: &str,
) -> Result<AttributeRegistry, BmcError> {
    let root = call.connected_root().await?;
    let Some(collection) = link(&root.document, "Registries") else {
        return Ok(AttributeRegistry::default());
    };
    let files = members(call, bmc, &collection, false).await?;
    let Some(uri) = location(&files, wanted, part) else {
        return Ok(AttributeRegistry::default());
    };
    Ok(AttributeRegistry::parse(&read(bmc, &uri).await?))
}

fn location(files: &[Value], wanted: Option<&str>, part: &str) -> Option<String> {
    let is = |file: &Value, matches: &dyn Fn(&str) -> bool| {
        ["Id", "Registry"]
            .iter()
            .any(|key| text(file, key).is_some_and(|id| matches(&id)))
    };
    let exact = files.iter().find(|file| is(file, &|id| wanted == Some(id)));
    let file = exact.or_else(|| files.iter().find(|file| is(file, &|id| id.contains(part))))?;
    let location = file["Location"].as_array()?.first()?;
    // An iLO has an object here.
    text(location, "Uri").or_else(|| text(&location["Uri"], "extref"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_registry_is_found_by_name_or_by_what_it_is() {
        let files = [
            json!({"Id": "Base.1.0", "Location": [{"Uri": "/base"}]}),
            json!({"Id": "BiosAttributeRegistryU54.v1", "Location": [{"Uri": {"extref": "/u54"}}]}),
            json!({"Id": "BiosAttributeRegistryU60.v1", "Location": [{"Language": "en", "Uri": "/u60"}]}),
            json!({"Id": "ManagerAttributeRegistry.v1", "Location": []}),
        ];
        for (wanted, part, expected) in [
            (
                Some("BiosAttributeRegistryU60.v1"),
                "BiosAttributeRegistry",
                Some("/u60"),
            ),
            (Some("Gone"), "BiosAttributeRegistry", Some("/u54")),
            (None, "BiosAttributeRegistry", Some("/u54")),
            (None, "ManagerAttributeRegistry", None),
            (None, "Network", None),
        ] {
            assert_eq!(location(&files, wanted, part).as_deref(), expected, "{wanted:?} {part}");
        }
    }
}
