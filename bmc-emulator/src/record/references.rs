//! Where to go from a resource: links, action infos, registry files.

use serde_json::Value;

/// Paths on the same service that `document` refers to, without fragments and trailing slashes.
pub(super) fn of_document(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, false, &mut found);
    found
}

fn collect(value: &Value, is_location: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("@odata.id" | "@Redfish.ActionInfo", Value::String(uri)) => found.extend(path(uri)),
                    ("Uri", Value::String(uri)) if is_location => found.extend(path(uri)),
                    _ => collect(value, name == "Location", found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, is_location, found)),
        _ => {}
    }
}

/// References of an OData metadata document (CSDL) to schema files of the same service.
pub(super) fn of_metadata(text: &str) -> Vec<String> {
    let uris = text.split("Uri=\"").skip(1).filter_map(|rest| rest.split('"').next());
    uris.filter_map(path).collect()
}

/// A path that can be asked for, and be a file name. Whatever a BMC sends, nothing is written outside of the recording.
pub(super) fn path(uri: &str) -> Option<String> {
    let path = uri.split('#').next()?.trim_end_matches('/');
    let is_name = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment.len() <= 255
            && !segment.contains(['\\', '?', '%', '\0'])
            && !segment.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    let mut segments = path.strip_prefix('/')?.split('/');
    // What an action does is not to be found out.
    (segments.all(is_name) && !path.contains("/Actions/")).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_are_found_wherever_they_are() {
        let document = json!({
            "@odata.id": "/redfish/v1/",
            "Systems": { "@odata.id": "/redfish/v1/Systems" },
            "Fans": [{ "@odata.id": "/redfish/v1/Chassis/1/Thermal#/Fans/0" }],
            "Actions": { "#A.B": { "@Redfish.ActionInfo": "/redfish/v1/Info", "target": "/redfish/v1/Actions/A.B" } },
            "Location": [{ "Language": "en", "Uri": "/schemas/registries/Base.json" }],
            "Image": { "Uri": "/too/large.iso" },
        });
        let expected = [
            "/redfish/v1",
            "/redfish/v1/Systems",
            "/redfish/v1/Chassis/1/Thermal",
            "/redfish/v1/Info",
            "/schemas/registries/Base.json",
        ];
        assert_eq!(of_document(&document), expected);
        let metadata =
            r#"<edmx:Reference Uri="/redfish/v1/metadata/A_v1.xml"/><edmx:Reference Uri="http://dmtf.org/B.xml"/>"#;
        assert_eq!(of_metadata(metadata), ["/redfish/v1/metadata/A_v1.xml"]);
    }

    #[test]
    fn nothing_leads_outside() {
        for uri in [
            "/redfish/v1/../../etc/passwd",
            "/redfish//v1",
            "redfish/v1",
            "https://elsewhere/redfish/v1",
            "/redfish/v1/Logs?$skip=50",
            "/redfish/v1/a%2fb",
            "/redfish/v1/a b",
            "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
            "",
        ] {
            assert_eq!(path(uri), None, "{uri}");
        }
    }
}
