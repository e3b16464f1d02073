//! `Sensors` of the chassis, and their excerpts in other resources (DSP0268, Sensor).

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, leave_out};
use crate::machine::sensors::{Quantity, Sensor};

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = uri(cx);
    let sensors = cx.machine.sensors(cx.moment);
    match rest {
        [] => cx.read_only(|_| {
            let members = sensors.iter().map(|sensor| format!("{uri}/{}", sensor.id));
            collection(&uri, "SensorCollection", "Sensors", members)
        }),
        [id] => match sensors.iter().find(|sensor| sensor.id == *id) {
            Some(sensor) => cx.read_only(|_| document(&uri, sensor)),
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

pub(super) fn uri(cx: &Context<'_>) -> String {
    format!("{}/Sensors", cx.chassis_uri())
}

/// `ReadingType` and `ReadingUnits`.
fn reading_type(quantity: Quantity) -> (&'static str, &'static str) {
    match quantity {
        Quantity::TemperatureCelsius => ("Temperature", "Cel"),
        Quantity::FanPercent => ("Percent", "%"),
        Quantity::PowerWatts => ("Power", "W"),
        Quantity::LineVolts => ("Voltage", "V"),
    }
}

/// `Status` of what a sensor measures.
pub(super) fn status(sensor: &Sensor) -> Value {
    match sensor.reading {
        Some(_) => json!({ "State": "Enabled", "Health": "OK" }),
        None => json!({ "State": "UnavailableOffline" }),
    }
}

fn document(collection: &str, sensor: &Sensor) -> Value {
    let (reading_type, units) = reading_type(sensor.quantity);
    let mut document = json!({
        "@odata.type": "#Sensor.v1_9_1.Sensor",
        "@odata.id": format!("{collection}/{}", sensor.id),
        "Id": sensor.id,
        "Name": sensor.name,
        "ReadingType": reading_type,
        "Reading": sensor.reading,
        "ReadingUnits": units,
        "PhysicalContext": sensor.context,
        "SpeedRPM": sensor.speed_rpm(),
        "Status": status(sensor),
    });
    if sensor.quantity != Quantity::FanPercent {
        leave_out(&mut document, "SpeedRPM");
    }
    if let Some(thresholds) = sensor.thresholds {
        document["Thresholds"] = json!({
            "UpperCaution": { "Reading": thresholds.caution },
            "UpperCritical": { "Reading": thresholds.critical },
        });
    }
    document
}

/// The copy of a sensor that other resources show.
pub(super) fn excerpt(collection: &str, sensor: &Sensor) -> Value {
    let mut excerpt = json!({
        "DataSourceUri": format!("{collection}/{}", sensor.id),
        "Reading": sensor.reading,
    });
    if sensor.quantity == Quantity::FanPercent {
        excerpt["SpeedRPM"] = json!(sensor.speed_rpm());
    }
    excerpt
}

/// The same among others of its kind, which its name tells it from.
pub(super) fn excerpt_in_array(collection: &str, sensor: &Sensor) -> Value {
    let mut excerpt = excerpt(collection, sensor);
    excerpt["DeviceName"] = json!(sensor.name);
    excerpt["PhysicalContext"] = json!(sensor.context);
    excerpt
}
