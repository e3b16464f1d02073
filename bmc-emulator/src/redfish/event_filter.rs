//! Which events a subscription is for (DSP0268, EventDestination). An absent or empty list lets everything pass.

use serde_json::{Value, json};

use super::message::{self, Message};

/// `EventTypes`; deprecated, and what most clients still send.
pub(super) const EVENT_TYPES: [&str; 6] = [
    "Alert",
    "MetricReport",
    "ResourceAdded",
    "ResourceRemoved",
    "ResourceUpdated",
    "StatusChange",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventFilter {
    event_types: Vec<String>,
    registry_prefixes: Vec<String>,
    message_ids: Vec<String>,
    excluded_registry_prefixes: Vec<String>,
    excluded_message_ids: Vec<String>,
    resource_types: Vec<String>,
    /// URIs.
    origin_resources: Vec<String>,
    subordinate_resources: bool,
    /// URIs.
    metric_report_definitions: Vec<String>,
}

impl EventFilter {
    /// Takes a property of a subscription, if it is one of a filter.
    pub(super) fn read(&mut self, name: &str, value: &Value) -> Option<Result<(), Message>> {
        let pointer = format!("#/{name}");
        let mistyped =
            || Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), name]).about(pointer.clone());
        if name == "SubordinateResources" {
            let read = value.as_bool().map(|wanted| self.subordinate_resources = wanted);
            return Some(read.ok_or_else(mistyped));
        }
        let list = match name {
            "EventTypes" => &mut self.event_types,
            "RegistryPrefixes" => &mut self.registry_prefixes,
            "MessageIds" => &mut self.message_ids,
            "ExcludeRegistryPrefixes" => &mut self.excluded_registry_prefixes,
            "ExcludeMessageIds" => &mut self.excluded_message_ids,
            "ResourceTypes" => &mut self.resource_types,
            "OriginResources" => &mut self.origin_resources,
            "MetricReportDefinitions" => &mut self.metric_report_definitions,
            _ => return None,
        };
        let is_link = matches!(name, "OriginResources" | "MetricReportDefinitions");
        let text = |value: &Value| {
            let text = if is_link { &value["@odata.id"] } else { value };
            text.as_str().map(|text| text.trim_end_matches('/').to_owned())
        };
        let values: Option<Vec<String>> = match value {
            Value::Null => Some(Vec::new()),
            value => value.as_array().and_then(|values| values.iter().map(text).collect()),
        };
        let Some(values) = values else {
            return Some(Err(mistyped()));
        };
        *list = values;
        let unknown = || {
            self.event_types
                .iter()
                .find(|kind| !EVENT_TYPES.contains(&kind.as_str()))
        };
        Some(match unknown().filter(|_| name == "EventTypes") {
            Some(unknown) => {
                Err(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [unknown, name]).about(pointer.clone()))
            }
            None => Ok(()),
        })
    }

    /// Whether a record of an event passes.
    pub(super) fn passes(&self, record: &Value) -> bool {
        let text = |name: &str| record[name].as_str().unwrap_or_default();
        let (prefix, key) = prefix_and_key(text("MessageId"));
        let names = |ids: &[String]| ids.iter().any(|id| prefix_and_key(id) == (prefix, key));
        let is_from = |prefixes: &[String]| prefixes.iter().any(|known| known == prefix);
        if is_from(&self.excluded_registry_prefixes) || names(&self.excluded_message_ids) {
            return false;
        }
        // Either of the two lists lets a message pass.
        let any_message = self.registry_prefixes.is_empty() && self.message_ids.is_empty();
        if !any_message && !is_from(&self.registry_prefixes) && !names(&self.message_ids) {
            return false;
        }
        if !self.event_types.is_empty() && !self.event_types.iter().any(|kind| kind == text("EventType")) {
            return false;
        }
        let origin = record["OriginOfCondition"]["@odata.id"].as_str().unwrap_or_default();
        if !self.resource_types.is_empty() && !self.resource_types.iter().any(|kind| kind == resource_type(origin)) {
            return false;
        }
        self.origin_resources.is_empty()
            || self
                .origin_resources
                .iter()
                .any(|wanted| self.is_origin(wanted, origin))
    }

    /// Whether a metric report of this definition passes.
    pub(super) fn passes_report(&self, definition: &str) -> bool {
        let wanted = &self.metric_report_definitions;
        wanted.is_empty() || wanted.iter().any(|uri| uri == definition)
    }

    fn is_origin(&self, wanted: &str, origin: &str) -> bool {
        match origin.strip_prefix(wanted) {
            Some("") => true,
            Some(rest) => self.subordinate_resources && rest.starts_with('/'),
            None => false,
        }
    }

    /// Adds what is filtered by to a subscription.
    pub(super) fn show(&self, document: &mut Value) {
        let lists = [
            ("EventTypes", &self.event_types),
            ("RegistryPrefixes", &self.registry_prefixes),
            ("MessageIds", &self.message_ids),
            ("ExcludeRegistryPrefixes", &self.excluded_registry_prefixes),
            ("ExcludeMessageIds", &self.excluded_message_ids),
            ("ResourceTypes", &self.resource_types),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                document[name] = json!(list);
            }
        }
        if !self.metric_report_definitions.is_empty() {
            let links = self
                .metric_report_definitions
                .iter()
                .map(|uri| json!({ "@odata.id": uri }));
            document["MetricReportDefinitions"] = links.collect();
        }
        if !self.origin_resources.is_empty() {
            let links = self.origin_resources.iter().map(|uri| json!({ "@odata.id": uri }));
            document["OriginResources"] = links.collect();
            document["SubordinateResources"] = json!(self.subordinate_resources);
        }
    }
}

/// Of `ResourceEvent.1.3.ResourceChanged`; the version does not count.
fn prefix_and_key(id: &str) -> (&str, &str) {
    let prefix = id.split('.').next().unwrap_or(id);
    let key = id.rsplit('.').next().unwrap_or(id);
    (prefix, key)
}

/// The schema of what events come from.
fn resource_type(origin: &str) -> &'static str {
    let mut segments = origin.split('/').skip(3);
    match (segments.next(), segments.next(), origin.rsplit('/').nth(1)) {
        (Some("Systems"), Some(_), Some("Drives")) => "Drive",
        (Some("Systems"), Some(_), _) if origin.ends_with("/Volumes") => "VolumeCollection",
        (Some("Systems"), ..) => "ComputerSystem",
        (Some("Managers"), ..) => "Manager",
        (Some("TaskService"), ..) => "Task",
        (Some("SessionService"), ..) => "SessionService",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(properties: &Value) -> EventFilter {
        let mut filter = EventFilter::default();
        for (name, value) in properties.as_object().expect("an object") {
            filter
                .read(name, value)
                .expect("a property of filters")
                .expect("a good value");
        }
        filter
    }

    #[test]
    fn what_passes() {
        let drive = "/redfish/v1/Systems/1/Storage/1/Drives/sda";
        let record = json!({
            "EventType": "ResourceUpdated",
            "MessageId": "ResourceEvent.1.3.ResourceChanged",
            "OriginOfCondition": { "@odata.id": drive },
        });
        let origin = |uri: &str, below: bool| json!({ "OriginResources": [{ "@odata.id": uri }], "SubordinateResources": below });
        for (properties, expected) in [
            (json!({}), true),
            (json!({ "EventTypes": ["Alert"] }), false),
            (json!({ "EventTypes": ["Alert", "ResourceUpdated"] }), true),
            (json!({ "RegistryPrefixes": ["TaskEvent"] }), false),
            (
                json!({ "RegistryPrefixes": ["TaskEvent"], "MessageIds": ["ResourceEvent.ResourceChanged"] }),
                true,
            ),
            (json!({ "MessageIds": ["ResourceEvent.1.0.ResourceChanged"] }), true),
            (
                json!({ "ExcludeMessageIds": ["ResourceEvent.1.3.ResourceChanged"] }),
                false,
            ),
            (json!({ "ExcludeRegistryPrefixes": ["ResourceEvent"] }), false),
            (json!({ "ResourceTypes": ["Drive"] }), true),
            (json!({ "ResourceTypes": ["Task"] }), false),
            (origin(drive, false), true),
            (origin("/redfish/v1/Systems/1", false), false),
            (origin("/redfish/v1/Systems/1/", true), true),
            (origin("/redfish/v1/Systems/11", true), false),
        ] {
            assert_eq!(filter(&properties).passes(&record), expected, "{properties}");
        }
    }

    #[test]
    fn what_is_no_filter() {
        let mut filter = EventFilter::default();
        assert!(filter.read("Context", &json!("a")).is_none());
        for (name, value) in [
            ("EventTypes", json!(["Sunrise"])),
            ("MessageIds", json!("all")),
            ("OriginResources", json!(["/redfish/v1"])),
            ("SubordinateResources", json!(1)),
        ] {
            assert!(filter.read(name, &value).is_some_and(|read| read.is_err()), "{name}");
        }
    }
}
