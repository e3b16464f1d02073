//! `Thermal` and `Power` of the chassis: deprecated in favour of the subsystems, and what most tools still read (DSP0268).

use serde_json::{Value, json};

use super::context::{Answer, Context};
use super::sensors;
use super::thermal_subsystem::of;
use crate::machine::sensors::{POWER_SUPPLIES, POWER_SUPPLY_WATTS, Quantity};

pub(super) fn thermal(cx: &mut Context<'_>) -> Answer {
    cx.read_only(|cx| {
        let uri = format!("{}/Thermal", cx.chassis_uri());
        json!({
            "@odata.type": "#Thermal.v1_7_3.Thermal",
            "@odata.id": uri,
            "Id": "Thermal",
            "Name": "Thermal",
            "Temperatures": temperatures(cx, &uri),
            "Fans": fans(cx, &uri),
        })
    })
}

fn temperatures(cx: &Context<'_>, uri: &str) -> Vec<Value> {
    let all = of(cx, Quantity::TemperatureCelsius).into_iter().enumerate();
    all.map(|(index, sensor)| {
        json!({
            "@odata.id": format!("{uri}#/Temperatures/{index}"),
            "MemberId": index.to_string(),
            "Name": sensor.name,
            "ReadingCelsius": sensor.reading,
            "UpperThresholdNonCritical": sensor.thresholds.map(|thresholds| thresholds.caution),
            "UpperThresholdCritical": sensor.thresholds.map(|thresholds| thresholds.critical),
            "PhysicalContext": sensor.context,
            "Status": sensors::status(&sensor),
        })
    })
    .collect()
}

fn fans(cx: &Context<'_>, uri: &str) -> Vec<Value> {
    let all = of(cx, Quantity::FanPercent).into_iter().enumerate();
    all.map(|(index, fan)| {
        json!({
            "@odata.id": format!("{uri}#/Fans/{index}"),
            "MemberId": index.to_string(),
            "Name": fan.name,
            // The schema wants an integer; rotations are whole numbers already.
            "Reading": fan.speed_rpm().map(|speed| speed as i64),
            "ReadingUnits": "RPM",
            "PhysicalContext": "SystemBoard",
            "Status": sensors::status(&fan),
        })
    })
    .collect()
}

pub(super) fn power(cx: &mut Context<'_>) -> Answer {
    cx.read_only(|cx| {
        let uri = format!("{}/Power", cx.chassis_uri());
        let consumed = of(cx, Quantity::PowerWatts).first().and_then(|sensor| sensor.reading);
        json!({
            "@odata.type": "#Power.v1_7_3.Power",
            "@odata.id": uri,
            "Id": "Power",
            "Name": "Power",
            "PowerControl": [{
                "@odata.id": format!("{uri}#/PowerControl/0"),
                "MemberId": "0",
                "Name": "System Power Control",
                "PowerConsumedWatts": consumed,
                "PowerCapacityWatts": POWER_SUPPLY_WATTS,
                "Status": { "State": "Enabled", "Health": "OK" },
            }],
            "PowerSupplies": power_supplies(cx, &uri),
        })
    })
}

fn power_supplies(cx: &Context<'_>, uri: &str) -> Vec<Value> {
    let voltages = of(cx, Quantity::LineVolts);
    let supplies = voltages.into_iter().take(POWER_SUPPLIES).enumerate();
    supplies
        .map(|(index, voltage)| {
            json!({
                "@odata.id": format!("{uri}#/PowerSupplies/{index}"),
                "MemberId": index.to_string(),
                "Name": format!("Power Supply {}", index + 1),
                "PowerSupplyType": "AC",
                "LineInputVoltage": voltage.reading,
                "PowerCapacityWatts": POWER_SUPPLY_WATTS,
                "Status": { "State": "Enabled", "Health": "OK" },
            })
        })
        .collect()
}
