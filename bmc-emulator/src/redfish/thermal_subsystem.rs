//! `ThermalSubsystem` with its fans and metrics, and `EnvironmentMetrics` (DSP0268).

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::sensors;
use crate::machine::sensors::{Quantity, Sensor};

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/ThermalSubsystem", cx.chassis_uri());
    match rest {
        [] => cx.read_only(|_| {
            json!({
                "@odata.type": "#ThermalSubsystem.v1_3_0.ThermalSubsystem",
                "@odata.id": uri,
                "Id": "ThermalSubsystem",
                "Name": "Thermal Subsystem",
                "Status": { "State": "Enabled", "Health": "OK" },
                "Fans": link(format!("{uri}/Fans")),
                "ThermalMetrics": link(format!("{uri}/ThermalMetrics")),
            })
        }),
        ["Fans"] => cx.read_only(|cx| {
            let members = of(cx, Quantity::FanPercent)
                .into_iter()
                .map(|fan| format!("{uri}/Fans/{}", fan.id));
            collection(&format!("{uri}/Fans"), "FanCollection", "Fans", members)
        }),
        ["Fans", id] => match of(cx, Quantity::FanPercent).into_iter().find(|fan| fan.id == *id) {
            Some(fan) => cx.read_only(|cx| fan_document(&uri, &sensors::uri(cx), &fan)),
            None => cx.not_found(),
        },
        ["ThermalMetrics"] => cx.read_only(|cx| metrics(cx, &uri)),
        _ => cx.not_found(),
    }
}

/// Sensors of one quantity.
pub(super) fn of(cx: &Context<'_>, quantity: Quantity) -> Vec<Sensor> {
    let all = cx.machine.sensors(cx.moment).into_iter();
    all.filter(|sensor| sensor.quantity == quantity).collect()
}

fn fan_document(uri: &str, sensors: &str, fan: &Sensor) -> Value {
    json!({
        "@odata.type": "#Fan.v1_5_0.Fan",
        "@odata.id": format!("{uri}/Fans/{}", fan.id),
        "Id": fan.id,
        "Name": fan.name,
        "PhysicalContext": "Chassis",
        "Status": sensors::status(fan),
        "SpeedPercent": sensors::excerpt(sensors, fan),
    })
}

fn metrics(cx: &Context<'_>, uri: &str) -> Value {
    let sensors = sensors::uri(cx);
    let temperatures = of(cx, Quantity::TemperatureCelsius);
    let intake = temperatures.iter().find(|sensor| sensor.context == "Intake");
    json!({
        "@odata.type": "#ThermalMetrics.v1_3_2.ThermalMetrics",
        "@odata.id": format!("{uri}/ThermalMetrics"),
        "Id": "ThermalMetrics",
        "Name": "Thermal Metrics",
        "TemperatureSummaryCelsius": { "Intake": intake.map(|sensor| sensors::excerpt(&sensors, sensor)) },
        "TemperatureReadingsCelsius": in_array(&sensors, &temperatures),
    })
}

fn in_array(uri: &str, sensors: &[Sensor]) -> Vec<Value> {
    sensors
        .iter()
        .map(|sensor| sensors::excerpt_in_array(uri, sensor))
        .collect()
}

/// What the whole chassis draws, blows and how warm its air is.
pub(super) fn environment_metrics(cx: &mut Context<'_>) -> Answer {
    cx.read_only(|cx| {
        let sensors = sensors::uri(cx);
        let first = |quantity| {
            of(cx, quantity)
                .first()
                .map(|sensor| sensors::excerpt(&sensors, sensor))
        };
        json!({
            "@odata.type": "#EnvironmentMetrics.v1_4_0.EnvironmentMetrics",
            "@odata.id": format!("{}/EnvironmentMetrics", cx.chassis_uri()),
            "Id": "EnvironmentMetrics",
            "Name": "Chassis Environment Metrics",
            "TemperatureCelsius": first(Quantity::TemperatureCelsius),
            "PowerWatts": first(Quantity::PowerWatts),
            "FanSpeedsPercent": of(cx, Quantity::FanPercent)
                .iter()
                .map(|fan| {
                    let mut excerpt = sensors::excerpt_in_array(&sensors, fan);
                    excerpt["SpeedRPM"] = json!(fan.speed_rpm());
                    excerpt
                })
                .collect::<Vec<_>>(),
        })
    })
}
