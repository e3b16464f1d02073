//! Events and metric reports as vendors write them. Only what is used is read, and nothing of it is required: a BMC that leaves something
//! out has told something all the same.

use serde_json::{Map, Value};

use crate::metrics::{AlertSample, Reading};

/// Entries of one message that are looked at. Real ones have a few.
const MOST: usize = 1000;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) message_id: String,
    pub(super) severity: String,
    pub(super) origin: Option<String>,
}

impl Alert {
    pub(super) fn sample(&self) -> AlertSample {
        let origin = self.origin.as_deref().unwrap_or_default();
        let component = origin.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        AlertSample {
            severity: self.severity.clone(),
            message_id: self.message_id.clone(),
            component: if component.is_empty() { "system" } else { component }.to_owned(),
        }
    }
}

/// The body of a message cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object")]
pub(super) struct Unreadable;

fn object(body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    serde_json::from_slice(body).map_err(|_| Unreadable)
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a [Value]> {
    body.get(name)?.as_array().map(Vec::as_slice)
}

/// The events of a message.
pub(super) fn alerts(body: &[u8]) -> Result<Vec<Alert>, Unreadable> {
    let body = object(body)?;
    // Some call them alerts.
    let records = list(&body, "Events")
        .or_else(|| list(&body, "Alerts"))
        .unwrap_or_default();
    Ok(records.iter().take(MOST).map(alert).collect())
}

fn alert(record: &Value) -> Alert {
    let text = |name: &str| record[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let origin = &record["OriginOfCondition"];
    Alert {
        message_id: text("MessageId").or_else(|| text("EventId")).unwrap_or_default(),
        severity: text("MessageSeverity").or_else(|| text("Severity")).unwrap_or_default(),
        // Dell writes the URI as plain text.
        origin: origin["@odata.id"]
            .as_str()
            .or_else(|| origin.as_str())
            .map(str::to_owned),
    }
}

/// The readings of a metric report; those that are no numbers are left out.
pub(super) fn readings(body: &[u8]) -> Result<Vec<Reading>, Unreadable> {
    let body = object(body)?;
    let values = list(&body, "MetricValues").unwrap_or_default();
    Ok(values.iter().take(MOST).filter_map(reading).collect())
}

fn reading(value: &Value) -> Option<Reading> {
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let metric = text("MetricId")?;
    let number = match &value["MetricValue"] {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    let by_name = || {
        if metric.to_lowercase().contains("temp") {
            "Temperature"
        } else {
            "Gauge"
        }
    };
    Some(Reading {
        kind: text("MetricValueKind").unwrap_or_else(|| by_name().to_owned()),
        unit: text("Units").unwrap_or_else(|| "seconds".to_owned()),
        origin: text("MetricProperty").unwrap_or_default(),
        value: f64::is_finite(number).then_some(number)?,
        metric,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_as_vendors_write_them() {
        let read = |body: Value| alerts(body.to_string().as_bytes());
        let alert = |message_id: &str, severity: &str, origin: Option<&str>| Alert {
            message_id: message_id.to_owned(),
            severity: severity.to_owned(),
            origin: origin.map(str::to_owned),
        };
        let standard = json!({"Name": "Event Array", "Events": [{
            "EventId": "7", "MessageId": "ResourceEvent.1.3.ResourceStateChanged", "MessageSeverity": "Warning", "Severity": "OK",
            "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"},
        }]});
        let read_standard = read(standard).expect("readable");
        assert_eq!(
            read_standard,
            [alert(
                "ResourceEvent.1.3.ResourceStateChanged",
                "Warning",
                Some("/redfish/v1/Systems/1")
            )]
        );
        assert_eq!(read_standard[0].sample().component, "1");
        let dell = json!({"Alerts": [{"EventId": "2266", "Severity": "Critical", "OriginOfCondition": "/redfish/v1/Systems/S.E.1"}]});
        assert_eq!(
            read(dell),
            Ok(vec![alert("2266", "Critical", Some("/redfish/v1/Systems/S.E.1"))])
        );
        let bare = read(json!({"Events": [{"OriginOfCondition": 3}, "text"]})).expect("readable");
        assert_eq!(bare, [alert("", "", None), alert("", "", None)]);
        assert_eq!(bare[0].sample().component, "system");
        assert_eq!(read(json!({})), Ok(vec![]));
        assert_eq!(read(json!({"Events": 3})), Ok(vec![]));
        for body in ["", "[]", "3", "\u{feff}{}"] {
            assert_eq!(alerts(body.as_bytes()), Err(Unreadable), "{body}");
        }
        let many = json!({"Events": vec![json!({}); 5000]});
        assert_eq!(read(many).map(|alerts| alerts.len()), Ok(MOST));
    }

    #[test]
    fn readings_are_numbers() {
        let body = json!({"MetricValues": [
            {"MetricId": "CPU1Temp", "MetricValue": "41.5", "MetricProperty": "/redfish/v1/Chassis/1/Thermal"},
            {"MetricId": "Fan", "MetricValue": 7000, "Units": "RPM", "MetricValueKind": "Numeric"},
            {"MetricId": "Health", "MetricValue": "OK"},
            {"MetricId": "Odd", "MetricValue": "NaN"},
            {"MetricValue": "1"},
        ]});
        let reading = |metric: &str, kind: &str, unit: &str, origin: &str, value| Reading {
            metric: metric.to_owned(),
            kind: kind.to_owned(),
            unit: unit.to_owned(),
            origin: origin.to_owned(),
            value,
        };
        assert_eq!(
            readings(body.to_string().as_bytes()),
            Ok(vec![
                reading(
                    "CPU1Temp",
                    "Temperature",
                    "seconds",
                    "/redfish/v1/Chassis/1/Thermal",
                    41.5
                ),
                reading("Fan", "Numeric", "RPM", "", 7000.0),
            ])
        );
    }
}
