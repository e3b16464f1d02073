//! `JsonSchemas`: where the schema of each resource is published (DSP0266 §8.5.5). The list is that of `$metadata`.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};
use super::service_root::METADATA;

const URI: &str = "/redfish/v1/JsonSchemas";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|_| {
            let members = ids().map(|id| format!("{URI}/{id}"));
            collection(URI, "JsonSchemaFileCollection", "JSON Schema Files", members)
        }),
        [id] => match ids().find(|known| known == id) {
            Some(id) => cx.read_only(|_| document(id)),
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

/// Each schema once: those that are not versioned by their name, the others with their version.
fn ids() -> impl Iterator<Item = &'static str> {
    let included = METADATA.split("Namespace=\"").skip(1);
    let names = included.filter_map(|text| text.split('"').next());
    // The schema of the service itself is in `$metadata`, not published.
    names.filter(|name| *name != "Service" && (name.contains(".v") || name.ends_with("Collection")))
}

fn document(id: &str) -> Value {
    let (name, _) = id.split_once('.').unwrap_or((id, ""));
    json!({
        "@odata.type": "#JsonSchemaFile.v1_1_5.JsonSchemaFile",
        "@odata.id": format!("{URI}/{id}"),
        "Id": id,
        "Name": format!("{id} Schema File"),
        "Schema": format!("#{id}.{name}"),
        "Languages": ["en"],
        "Location": [{
            "Language": "en",
            "PublicationUri": format!("http://redfish.dmtf.org/schemas/v1/{id}.json"),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_named_as_published() {
        let ids: Vec<&str> = ids().collect();
        assert!(ids.contains(&"ChassisCollection"));
        assert!(ids.iter().any(|id| id.starts_with("Chassis.v1_")));
        assert!(!ids.contains(&"Chassis") && !ids.contains(&"Service"));
    }
}
