//! Reading documents that real BMCs write: typed where they are well formed, with as little lost as possible where not.

use std::sync::Arc;

use nv_redfish::core::query::ExpandQuery;
use nv_redfish::core::{Bmc, Raw, RepairError};
use nv_redfish::quirks::CompatBmc;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use super::call::{Call, odata_id};
use crate::bmc::BmcError;

/// Malformed properties that are left out of one document before it counts as unusable.
const MAX_REPAIRS: usize = 32;
/// Pages of one collection.
const MAX_PAGES: usize = 100;

/// Reads one document, with the vendor's quirks repaired.
pub(super) async fn read(bmc: &CompatBmc<Call>, uri: &str) -> Result<Value, BmcError> {
    let raw = bmc
        .get::<Raw>(&odata_id(uri))
        .await
        .map_err(|error| compat_error(error, uri))?;
    Ok(into_value(raw))
}

/// Reads all members of a collection. `strict` makes a member that cannot be read an error; otherwise it is left out with a
/// warning, unless the BMC as a whole fails.
pub(super) async fn members(
    call: &Arc<Call>,
    bmc: &CompatBmc<Call>,
    uri: &str,
    strict: bool,
) -> Result<Vec<Value>, BmcError> {
    let mut members = Vec::new();
    let mut next = Some(uri.to_owned());
    let mut pages = 0;
    while let Some(page_uri) = next {
        pages += 1;
        if pages > MAX_PAGES {
            return Err(BmcError::Protocol {
                uri: uri.to_owned(),
                message: format!("more than {MAX_PAGES} pages"),
                sent: false,
            });
        }
        let page = collection_page(call, bmc, &page_uri).await?;
        let listed = page
            .get("Members")
            .and_then(Value::as_array)
            .ok_or_else(|| BmcError::Protocol {
                uri: page_uri.clone(),
                message: "a collection without Members".to_owned(),
                sent: false,
            })?;
        for member in listed {
            let Some(member_uri) = member["@odata.id"].as_str() else {
                if strict {
                    return Err(BmcError::Protocol {
                        uri: page_uri,
                        message: "a member without @odata.id".to_owned(),
                        sent: false,
                    });
                }
                continue;
            };
            // A reference has nothing but its id (and annotations some BMCs add).
            let expanded = member
                .as_object()
                .is_some_and(|object| object.keys().any(|key| !key.starts_with('@')));
            if expanded {
                members.push(member.clone());
            } else {
                members.extend(member_or_nothing(read(bmc, member_uri).await, member_uri, strict)?);
            }
        }
        next = page
            .get("Members@odata.nextLink")
            .and_then(Value::as_str)
            .map(str::to_owned);
    }
    members.sort_by(|a, b| a["@odata.id"].as_str().cmp(&b["@odata.id"].as_str()));
    members.dedup_by(|a, b| a["@odata.id"] == b["@odata.id"]);
    Ok(members)
}

/// `None` for a member that may be left out.
pub(super) fn member_or_nothing(
    result: Result<Value, BmcError>,
    uri: &str,
    strict: bool,
) -> Result<Option<Value>, BmcError> {
    match result {
        Ok(document) => Ok(Some(document)),
        Err(error @ (BmcError::Http { .. } | BmcError::Protocol { .. })) if !strict => {
            tracing::warn!(uri, %error, "a resource of the BMC cannot be read and is left out of the inventory");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn collection_page(call: &Arc<Call>, bmc: &CompatBmc<Call>, uri: &str) -> Result<Value, BmcError> {
    let root = call.connected_root().await?;
    let expand = &root.document["ProtocolFeaturesSupported"]["ExpandQuery"];
    let offers = |feature: &str| expand[feature].as_bool() == Some(true);
    let query = match (
        root.quirks.expand_is_not_working_properly(),
        offers("NoLinks"),
        offers("ExpandAll"),
    ) {
        (true, ..) | (false, false, false) => return read(bmc, uri).await,
        (false, true, _) => ExpandQuery::current(),
        (false, false, true) => ExpandQuery::all(),
    };
    match bmc
        .expand::<Raw>(&odata_id(uri), query)
        .await
        .map_err(|error| compat_error(error, uri))
    {
        Ok(raw) => Ok(into_value(raw)),
        // Advertised for some collections, refused for others.
        Err(BmcError::Http {
            status: 400 | 404 | 501,
            ..
        }) => read(bmc, uri).await,
        Err(error) => Err(error),
    }
}

fn into_value(raw: Arc<Raw>) -> Value {
    Arc::try_unwrap(raw).map_or_else(|raw| raw.value().clone(), Raw::into_value)
}

/// The transport's error, or a document that cannot be read as what it is.
pub(super) fn compat_error(error: RepairError<BmcError>, uri: &str) -> BmcError {
    match error {
        RepairError::Transport(error) => error,
        RepairError::Decode(error) => BmcError::Protocol {
            uri: uri.to_owned(),
            message: error.to_string(),
            sent: false,
        },
    }
}

/// Reads a document as a schema type. Properties that do not fit are left out; links that carry more than they should are
/// reduced to the link.
pub(super) fn typed<T: DeserializeOwned>(document: &Value) -> Result<T, BmcError> {
    // Paths are only kept track of where there is an error to find.
    if let Ok(value) = T::deserialize(document) {
        return Ok(value);
    }
    let uri = document["@odata.id"].as_str().unwrap_or_default().to_owned();
    let mut document = document.clone();
    add_required(&mut document);
    let mut error = match serde_path_to_error::deserialize(&document) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    for _ in 0..MAX_REPAIRS {
        tracing::debug!(uri, path = %error.path(), %error, "a property of a Redfish document is malformed");
        if !leave_out(&mut document, error.path()) && !leave_out_annotations(&mut document) {
            break;
        }
        match serde_path_to_error::deserialize(&document) {
            Ok(value) => return Ok(value),
            Err(next) => error = next,
        }
    }
    Err(BmcError::Protocol {
        uri,
        message: error.to_string(),
        sent: false,
    })
}

/// `Id` and `Name` are required by every schema and missing from real documents.
fn add_required(document: &mut Value) {
    let Some(object) = document.as_object_mut() else { return };
    let id = object
        .get("@odata.id")
        .and_then(Value::as_str)
        .and_then(|uri| uri.trim_end_matches('/').rsplit('/').next());
    let id = json!(id.unwrap_or_default());
    for key in ["Id", "Name"] {
        if !object.get(key).is_some_and(Value::is_string) {
            object.insert(key.to_owned(), id.clone());
        }
    }
}

/// Reduces or removes what `path` points to; false when there is nothing to remove.
fn leave_out(document: &mut Value, path: &serde_path_to_error::Path) -> bool {
    let segments: Vec<&Segment> = path
        .iter()
        .take_while(|segment| matches!(segment, Segment::Seq { .. } | Segment::Map { .. }))
        .collect();
    let Some((last, parents)) = segments.split_last() else {
        return false;
    };
    let mut parent = document;
    for segment in parents {
        let child = match segment {
            Segment::Map { key } => parent.get_mut(key),
            Segment::Seq { index } => parent.get_mut(index),
            _ => None,
        };
        let Some(child) = child else { return false };
        parent = child;
    }
    match (last, parent) {
        (Segment::Map { key }, Value::Object(object)) => match object.get_mut(key).map(reduce_to_link) {
            Some(true) => true,
            Some(false) => object.shift_remove(key).is_some(),
            None => false,
        },
        (Segment::Seq { index }, Value::Array(items)) if *index < items.len() => {
            if !reduce_to_link(&mut items[*index]) {
                items.remove(*index);
            }
            true
        }
        _ => false,
    }
}

/// Makes `{"@odata.id": …, more}` a bare link; false when it is none or bare already.
fn reduce_to_link(value: &mut Value) -> bool {
    let Some(object) = value.as_object().filter(|object| object.len() > 1) else {
        return false;
    };
    let Some(id) = object.get("@odata.id").cloned() else {
        return false;
    };
    *value = Value::Object(Map::from_iter([("@odata.id".to_owned(), id)]));
    true
}

/// Annotations are flattened into the schema types, so an error in them has no path.
fn leave_out_annotations(document: &mut Value) -> bool {
    let Some(object) = document.as_object_mut() else {
        return false;
    };
    let before = object.len();
    object.retain(|key, _| !key.starts_with("@Redfish."));
    object.len() < before
}

/// A non-empty string property.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// The URI of a link property.
pub(super) fn link(value: &Value, key: &str) -> Option<String> {
    text(value.get(key)?, "@odata.id")
}

/// A list of strings; `None` when the property is not a list.
pub(super) fn texts(value: &Value, key: &str) -> Option<Vec<String>> {
    let items = value.get(key)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// `ResetType@Redfish.AllowableValues` of an action; `None` when the BMC does not say.
pub(super) fn allowable_resets(document: &Value, action: &str) -> Option<Vec<String>> {
    texts(
        document.get("Actions")?.get(action)?,
        "ResetType@Redfish.AllowableValues",
    )
    .filter(|values| !values.is_empty())
}

/// The typed absence in a property that is both optional and nullable.
pub(super) fn flat<T>(value: Option<Option<T>>) -> Option<T> {
    value.flatten()
}

#[cfg(test)]
mod tests {
    use nv_redfish::schema::computer_system::ComputerSystem;

    use super::*;

    #[test]
    fn malformed_properties_do_not_hide_a_system() {
        let document = json!({
            "@odata.id": "/redfish/v1/Systems/1",
            "Model": "R7",
            "UUID": "",
            "SerialNumber": 42,
            "Status": null,
            "MemorySummary": {"TotalSystemMemoryGiB": 64, "MemoryMirroring": {"odd": true}},
            "Processors": {"@odata.id": "/redfish/v1/Systems/1/Processors", "Members@odata.count": 2},
            "Boot": {"BootSourceOverrideTarget": null, "BootOrder": ["a", 7]},
            "@Redfish.SettingsApplyTime": {"ApplyTime": 5}
        });
        let system: ComputerSystem = typed(&document).expect("system");
        assert_eq!(flat(system.model).as_deref(), Some("R7"));
        assert_eq!(system.id, "1");
        assert!(flat(system.serial_number).is_none());
        assert_eq!(
            system
                .memory_summary
                .and_then(|memory| flat(memory.total_system_memory_gi_b)),
            Some(64.0)
        );
        let processors = system.processors.expect("processors link");
        assert_eq!(processors.id().to_string(), "/redfish/v1/Systems/1/Processors");
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(matches!(
            typed::<ComputerSystem>(&json!([])),
            Err(BmcError::Protocol { .. })
        ));
        assert!(matches!(
            typed::<ComputerSystem>(&json!({"Model": "no id"})),
            Err(BmcError::Protocol { .. })
        ));
    }
}
