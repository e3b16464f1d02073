//! `TelemetryService`: readings of sensors as metrics, reported together and at intervals (DSP0268).

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::{Action, Kind, Parameter};
use super::context::{Answer, Context, collection, leave_out, link};
use super::message::{self, Message};
use super::telemetry::{ReportKind, SHORTEST_INTERVAL};
use crate::machine::sensors::Quantity;
use crate::machine::{Machine, Moment};
use crate::personality::TelemetryStyle;

const URI: &str = "/redfish/v1/TelemetryService";
const METRICS: &str = "/redfish/v1/TelemetryService/MetricDefinitions";
const DEFINITIONS: &str = "/redfish/v1/TelemetryService/MetricReportDefinitions";
const REPORTS: &str = "/redfish/v1/TelemetryService/MetricReports";
const SUBMIT_TEST: &str = "TelemetryService.SubmitTestMetricReport";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let Some(style) = &cx.personality().telemetry else {
        return cx.not_found();
    };
    let kind = |id: &str| ReportKind::ALL.into_iter().find(|kind| kind.id(style) == id);
    match rest {
        [] => cx.read_only(service),
        ["Actions", SUBMIT_TEST] => submit_test(cx),
        ["MetricDefinitions"] => cx.read_only(|_| {
            let members = METRIC_IDS.map(|(_, id, _)| format!("{METRICS}/{id}"));
            collection(METRICS, "MetricDefinitionCollection", "Metric Definitions", members)
        }),
        ["MetricDefinitions", id] => match METRIC_IDS.into_iter().find(|(_, known, _)| known == id) {
            Some((quantity, id, units)) => cx.read_only(|cx| metric(cx, quantity, id, units)),
            None => cx.not_found(),
        },
        ["MetricReportDefinitions"] => cx.read_only(|_| {
            let members = ReportKind::ALL.map(|kind| format!("{DEFINITIONS}/{}", kind.id(style)));
            collection(
                DEFINITIONS,
                "MetricReportDefinitionCollection",
                "Metric Report Definitions",
                members,
            )
        }),
        ["MetricReportDefinitions", id] => match kind(id) {
            Some(kind) if cx.call.method == Method::PATCH => patch(cx, style, kind),
            Some(kind) => cx.read("GET, HEAD, PATCH", |cx| definition(cx, style, kind)),
            None => cx.not_found(),
        },
        ["MetricReports"] => cx.read_only(|cx| {
            let enabled = |kind: &ReportKind| cx.machine.redfish.telemetry.report(*kind).enabled;
            let kinds = ReportKind::ALL.into_iter().filter(enabled);
            let members: Vec<String> = kinds.map(|kind| format!("{REPORTS}/{}", kind.id(style))).collect();
            collection(REPORTS, "MetricReportCollection", "Metric Reports", members)
        }),
        ["MetricReports", id] => {
            let kind = kind(id).filter(|kind| cx.machine.redfish.telemetry.report(*kind).enabled);
            match kind.and_then(|kind| report(cx.machine, kind, cx.moment)) {
                Some((_, report)) => cx.read_only(|_| report),
                None => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

/// What is measured: id of the `MetricDefinition`, and units.
const METRIC_IDS: [(Quantity, &str, &str); 4] = [
    (Quantity::TemperatureCelsius, "TemperatureReading", "Cel"),
    (Quantity::FanPercent, "FanSpeedReading", "%"),
    (Quantity::PowerWatts, "PowerReading", "W"),
    (Quantity::LineVolts, "VoltageReading", "V"),
];

fn metric_id(quantity: Quantity) -> &'static str {
    let mut all = METRIC_IDS.into_iter();
    all.find(|(known, ..)| *known == quantity).map_or("", |(_, id, _)| id)
}

/// What can be told: the property of a sensor that is a metric.
fn metric_property(machine: &Machine, sensor: &str) -> String {
    format!("{}/Sensors/{sensor}#/Reading", machine.chassis_uri())
}

fn service(cx: &mut Context<'_>) -> Value {
    let submit = Action {
        name: SUBMIT_TEST,
        parameters: vec![
            Parameter {
                name: "TestMetricReportName",
                required: true,
                kind: Kind::Text,
            },
            Parameter::optional("GeneratedMetricReportValues", Kind::Texts),
        ],
    };
    json!({
        "@odata.type": "#TelemetryService.v1_3_4.TelemetryService",
        "@odata.id": URI,
        "Id": "TelemetryService",
        "Name": "Telemetry Service",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "MaxReports": ReportKind::ALL.len(),
        "MinCollectionInterval": duration_text(SHORTEST_INTERVAL),
        "MetricDefinitions": link(METRICS),
        "MetricReportDefinitions": link(DEFINITIONS),
        "MetricReports": link(REPORTS),
        "Actions": { format!("#{SUBMIT_TEST}"): submit.offer(cx.personality(), URI) },
    })
}

fn metric(cx: &Context<'_>, quantity: Quantity, id: &str, units: &str) -> Value {
    let sensors = cx.machine.sensors(cx.moment);
    let properties = sensors.iter().filter(|sensor| sensor.quantity == quantity);
    let properties: Vec<String> = properties
        .map(|sensor| metric_property(cx.machine, &sensor.id))
        .collect();
    json!({
        "@odata.type": "#MetricDefinition.v1_3_3.MetricDefinition",
        "@odata.id": format!("{METRICS}/{id}"),
        "Id": id,
        "Name": id,
        "MetricType": "Gauge",
        "MetricDataType": "Decimal",
        "Implementation": "PhysicalSensor",
        "IsLinear": true,
        "Units": units,
        "MetricProperties": properties,
    })
}

fn definition(cx: &Context<'_>, style: &TelemetryStyle, kind: ReportKind) -> Value {
    let id = kind.id(style);
    let settings = cx.machine.redfish.telemetry.report(kind);
    let sensors = cx.machine.sensors(cx.moment);
    let metrics = kind.quantities().map(|quantity| {
        let of_this = sensors.iter().filter(|sensor| sensor.quantity == quantity);
        let properties = of_this.map(|sensor| metric_property(cx.machine, &sensor.id));
        json!({
            "MetricId": metric_id(quantity),
            "MetricProperties": properties.collect::<Vec<_>>(),
            "CollectionTimeScope": "Point",
        })
    });
    let mut document = json!({
        "@odata.type": "#MetricReportDefinition.v1_4_4.MetricReportDefinition",
        "@odata.id": format!("{DEFINITIONS}/{id}"),
        "Id": id,
        "Name": format!("{id} Metric Report"),
        "Status": { "State": if settings.enabled { "Enabled" } else { "Disabled" }, "Health": "OK" },
        "MetricReportDefinitionEnabled": settings.enabled,
        "MetricReportDefinitionType": "Periodic",
        "ReportActions": ["LogToMetricReportsCollection", "RedfishEvent"],
        "ReportUpdates": "Overwrite",
        "Schedule": { "RecurrenceInterval": duration_text(settings.interval) },
        "Metrics": metrics,
        "MetricReport": link(format!("{REPORTS}/{id}")),
    });
    if !settings.enabled {
        leave_out(&mut document, "MetricReport");
    }
    document
}

/// As in `PT60S`: Redfish takes what ISO 8601 calls a duration, without years and months.
fn duration_text(duration: Duration) -> String {
    format!("PT{}S", duration.as_secs())
}

fn parse_duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let of_days = jiff::SpanRelativeTo::days_are_24_hours();
    let seconds = span.to_duration(of_days).ok()?.as_secs();
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

fn patch(cx: &mut Context<'_>, style: &TelemetryStyle, kind: ReportKind) -> Answer {
    let before = definition(cx, style, kind);
    cx.check_if_match(&before)?;
    let settings = cx.machine.redfish.telemetry.report(kind);
    let (mut enabled, mut interval, mut wrong) = (settings.enabled, settings.interval, Vec::new());
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("MetricReportDefinitionEnabled", Value::Bool(wanted)) => enabled = *wanted,
            ("Schedule", Value::Object(schedule)) => {
                let text = schedule.get("RecurrenceInterval").and_then(Value::as_str);
                match text
                    .and_then(parse_duration)
                    .filter(|wanted| *wanted >= SHORTEST_INTERVAL)
                {
                    Some(wanted) => interval = wanted,
                    None => wrong.push(
                        Message::new(&message::PROPERTY_VALUE_ERROR, ["RecurrenceInterval"])
                            .about("#/Schedule/RecurrenceInterval"),
                    ),
                }
            }
            ("MetricReportDefinitionEnabled" | "Schedule", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    cx.machine.set_report(kind, enabled, interval, cx.moment.now);
    Ok(cx.success())
}

/// A report as it was due last, with the URI of its definition.
pub(super) fn report(machine: &Machine, kind: ReportKind, moment: Moment) -> Option<(String, Value)> {
    let id = kind.id(machine.personality.telemetry.as_ref()?);
    let collected = machine.last_collection(kind, moment.now);
    let at = Moment {
        now: collected,
        wall: moment.wall_at(collected),
    };
    let time = machine.bmc_time(at.wall).to_string();
    let sensors = machine.sensors(at);
    // What is off has no reading, and a report only what was read.
    let read = sensors
        .iter()
        .filter(|sensor| kind.quantities().contains(&sensor.quantity))
        .filter_map(|sensor| Some((sensor, sensor.reading?)));
    let values: Vec<Value> = read
        .map(|(sensor, reading)| {
            let metric = metric_id(sensor.quantity);
            json!({
                "MetricId": metric,
                "MetricProperty": metric_property(machine, &sensor.id),
                "MetricValue": reading.to_string(),
                "Timestamp": time,
            })
        })
        .collect();
    let definition = format!("{DEFINITIONS}/{id}");
    let document = json!({
        "@odata.type": "#MetricReport.v1_4_5.MetricReport",
        "@odata.id": format!("{REPORTS}/{id}"),
        "Id": id,
        "Name": format!("{id} Metric Report"),
        "Timestamp": time,
        "MetricReportDefinition": link(&definition),
        "MetricValues": values,
    });
    Some((definition, document))
}

/// Sends whoever gets metric reports one with the values of the request.
fn submit_test(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    let body = cx.action_object()?;
    let missing = |name: &str| Message::new(&message::ACTION_PARAMETER_MISSING, [SUBMIT_TEST, name]);
    let Some(name) = body.get("TestMetricReportName").and_then(Value::as_str) else {
        return Err(cx.error(StatusCode::BAD_REQUEST, missing("TestMetricReportName")));
    };
    let values = body.get("GeneratedMetricReportValues").cloned().unwrap_or(json!([]));
    if !values.is_array() {
        let message = Message::new(&message::PROPERTY_VALUE_ERROR, ["GeneratedMetricReportValues"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/GeneratedMetricReportValues")));
    }
    let report = json!({
        "@odata.type": "#MetricReport.v1_4_5.MetricReport",
        "@odata.id": format!("{REPORTS}/{name}"),
        "Id": name,
        "Name": name,
        "Timestamp": cx.machine.bmc_time(cx.moment.wall).to_string(),
        "MetricValues": values,
    });
    cx.machine.deliver_report("", &report);
    Ok(cx.success())
}
