//! `Registries`: the messages this service uses, and what its BIOS attributes may be.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::context::{Answer, Context, collection};
use super::message::{self, Message, Template};
use super::{negotiation, resource_event, task_event};
use crate::personality::{BiosDefault, BiosValue, Personality};
use crate::quirk::Quirk;

const URI: &str = "/redfish/v1/Registries";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    if cx.machine.has(Quirk::RegistriesNeedGzip) && !negotiation::accepts_gzip(cx.call) {
        let message = Message::new(&message::HEADER_INVALID, ["Accept-Encoding"]);
        return Err(cx.error(StatusCode::NOT_ACCEPTABLE, message));
    }
    let personality = cx.personality();
    let bios = personality.bios_registry;
    let messages = message_registries(personality);
    let ids: Vec<&str> = messages.iter().map(|(id, _)| *id).chain([bios]).collect();
    match rest {
        [] => cx.read_only(|_| {
            let members = ids.iter().map(|id| format!("{URI}/{id}"));
            collection(
                URI,
                "MessageRegistryFileCollection",
                "Registry File Collection",
                members,
            )
        }),
        [id] if *id == bios => cx.read_only(|_| file(bios, "BIOS attribute registry")),
        [id, "Registry"] if *id == bios => cx.read_only(|cx| {
            let mut registry = bios_registry(personality);
            if cx.machine.has(Quirk::RegistryMisspells) {
                misspell(&mut registry);
            }
            registry
        }),
        [id, rest @ ..] => match (messages.into_iter().find(|(known, _)| known == id), rest) {
            (Some((id, _)), []) => cx.read_only(|_| file(id, "Message registry")),
            (Some((id, templates)), ["Registry"]) => cx.read_only(|_| message_registry(id, templates)),
            _ => cx.not_found(),
        },
    }
}

/// The registries whose messages this service uses, each with what it may say.
fn message_registries(personality: &Personality) -> [(&'static str, &'static [&'static Template]); 3] {
    [
        (personality.base_registry, message::ALL),
        (resource_event::ID, resource_event::ALL),
        (task_event::ID, task_event::ALL),
    ]
}

fn file(id: &str, name: &str) -> Value {
    json!({
        "@odata.type": "#MessageRegistryFile.v1_1_3.MessageRegistryFile",
        "@odata.id": format!("{URI}/{id}"),
        "Id": id,
        "Name": name,
        "Registry": id,
        "Languages": ["en"],
        "Location": [{ "Language": "en", "Uri": format!("{URI}/{id}/Registry") }],
    })
}

/// Splits `Base.1.19` into prefix and version.
fn prefix_and_version(id: &str) -> (&str, &str) {
    id.split_once('.').unwrap_or((id, "1.0.0"))
}

fn message_registry(id: &str, templates: &[&Template]) -> Value {
    let (prefix, version) = prefix_and_version(id);
    let messages: Map<String, Value> = templates
        .iter()
        .map(|template| {
            let mut entry = json!({
                "Description": template.text,
                "Message": template.text,
                "MessageSeverity": template.severity,
                "NumberOfArgs": template.arguments,
                "Resolution": template.resolution,
            });
            if template.arguments > 0 {
                entry["ParamTypes"] = json!(vec!["string"; template.arguments]);
            }
            (template.id.to_owned(), entry)
        })
        .collect();
    json!({
        "@odata.type": "#MessageRegistry.v1_6_3.MessageRegistry",
        "Id": id,
        "Name": format!("{prefix} Message Registry"),
        "Language": "en",
        "RegistryPrefix": prefix,
        "RegistryVersion": format!("{version}.0"),
        "OwningEntity": "DMTF",
        "Messages": messages,
    })
}

fn bios_registry(personality: &Personality) -> Value {
    let (_, version) = prefix_and_version(personality.bios_registry);
    let version = version.trim_start_matches('v').replace('_', ".");
    json!({
        "@odata.type": "#AttributeRegistry.v1_3_8.AttributeRegistry",
        "Id": personality.bios_registry,
        "Name": "BIOS Attribute Registry",
        "Language": "en",
        "OwningEntity": personality.vendor,
        "RegistryVersion": version,
        "RegistryEntries": {
            "Attributes": personality.bios_defaults.iter().map(attribute).collect::<Vec<_>>(),
        },
    })
}

/// [`Quirk::RegistryMisspells`].
fn misspell(registry: &mut Value) {
    let attributes = registry["RegistryEntries"]["Attributes"].as_array_mut();
    for attribute in attributes.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(value) = attribute.shift_remove("ReadOnly") {
            attribute.insert("Readonly".to_owned(), value);
        }
    }
}

fn attribute(default: &BiosDefault) -> Value {
    let mut entry = json!({
        "AttributeName": default.name,
        "DisplayName": default.name,
        "DefaultValue": default.value.default_value(),
        "ReadOnly": false,
        "ResetRequired": true,
        "Hidden": false,
    });
    match &default.value {
        BiosValue::Enumeration(values) => {
            entry["Type"] = json!("Enumeration");
            let named = values
                .iter()
                .map(|value| json!({ "ValueName": value, "ValueDisplayName": value }));
            entry["Value"] = named.collect();
        }
        BiosValue::Integer { lower, upper, .. } => {
            entry["Type"] = json!("Integer");
            entry["LowerBound"] = json!(lower);
            entry["UpperBound"] = json!(upper);
        }
        BiosValue::Text(_) => entry["Type"] = json!("String"),
    }
    entry
}
