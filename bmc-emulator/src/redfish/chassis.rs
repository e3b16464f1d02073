//! `Chassis`: the box.

use http::Method;
use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::{
    network_adapters, pcie_devices, power_subsystem, sensors, storage, thermal_and_power, thermal_subsystem,
    trusted_components,
};
use crate::machine::Machine;
use crate::personality::PcieHolder;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|cx| {
            collection(
                "/redfish/v1/Chassis",
                "ChassisCollection",
                "Chassis Collection",
                cx.of_all(Machine::chassis_uri),
            )
        }),
        [id] if cx.machine.position.chassis_id == *id => match cx.call.method {
            Method::PATCH => patch(cx),
            _ => cx.read("GET, HEAD, PATCH", document),
        },
        [id, rest @ ..] if cx.machine.position.chassis_id == *id => part(cx, rest),
        _ => cx.not_found(),
    }
}

/// What is below the chassis.
fn part(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let environment = cx.personality().environment;
    match rest {
        ["Sensors", rest @ ..] => sensors::route(cx, rest),
        ["ThermalSubsystem", rest @ ..] if environment.has_subsystems() => thermal_subsystem::route(cx, rest),
        ["PowerSubsystem", rest @ ..] if environment.has_subsystems() => power_subsystem::route(cx, rest),
        ["EnvironmentMetrics"] if environment.has_subsystems() => thermal_subsystem::environment_metrics(cx),
        ["Thermal"] if environment.has_legacy() => thermal_and_power::thermal(cx),
        ["NetworkAdapters", rest @ ..] if cx.personality().network_adapters => network_adapters::route(cx, rest),
        ["PCIeDevices", rest @ ..] if cx.personality().pcie_devices == PcieHolder::Chassis => {
            pcie_devices::route(cx, rest)
        }
        ["TrustedComponents", rest @ ..] if cx.personality().trusted_components => trusted_components::route(cx, rest),
        ["Power"] if environment.has_legacy() => thermal_and_power::power(cx),
        _ => cx.not_found(),
    }
}

/// EIA-310.
const RACK_UNIT_HUNDREDTHS_MM: u32 = 4445;

fn document(cx: &mut Context<'_>) -> Value {
    let drives: Vec<Value> = storage::drive_uris(cx).into_iter().map(link).collect();
    let personality = cx.personality();
    let machine = &cx.machine;
    let state = machine.power.state(personality.power.shows_guest_shutdown);
    let mut document = json!({
        "@odata.type": "#Chassis.v1_25_2.Chassis",
        "@odata.id": cx.chassis_uri(),
        "Id": machine.position.chassis_id,
        "Name": "Computer System Chassis",
        "ChassisType": "RackMount",
        "Manufacturer": machine.hardware.manufacturer,
        "Model": machine.hardware.model,
        "SKU": machine.hardware.sku,
        "SerialNumber": machine.hardware.chassis_serial_number,
        "AssetTag": machine.asset_tag,
        "PowerState": state.as_str(),
        "IndicatorLED": if machine.indicator_lit { "Lit" } else { "Off" },
        "LocationIndicatorActive": machine.indicator_lit,
        "Status": { "State": "Enabled", "Health": "OK" },
        "Links": {
            "ComputerSystems": [link(cx.system_uri())],
            "ManagedBy": [link(cx.manager_uri())],
            "Drives": drives,
        },
    });
    if let Some(units) = machine.hardware.height_units {
        document["HeightMm"] = json!(f64::from(u32::from(units) * RACK_UNIT_HUNDREDTHS_MM) / 100.0);
    }
    let environment = personality.environment;
    let subsystems = ["ThermalSubsystem", "PowerSubsystem", "EnvironmentMetrics"];
    let all = [
        ("Sensors", true),
        ("NetworkAdapters", personality.network_adapters),
        ("TrustedComponents", personality.trusted_components),
        ("PCIeDevices", personality.pcie_devices == PcieHolder::Chassis),
        ("Thermal", environment.has_legacy()),
        ("Power", environment.has_legacy()),
    ];
    for (name, shown) in all
        .into_iter()
        .chain(subsystems.map(|name| (name, environment.has_subsystems())))
    {
        if shown {
            document[name] = link(format!("{}/{name}", cx.chassis_uri()));
        }
    }
    document
}

fn patch(cx: &mut Context<'_>) -> Answer {
    let before = document(cx);
    cx.check_if_match(&before)?;
    let mut wrong = Vec::new();
    let (mut lit, mut tag) = (None, None);
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("IndicatorLED", Value::String(text)) if matches!(text.as_str(), "Lit" | "Off") => {
                lit = Some(text == "Lit")
            }
            ("LocationIndicatorActive", Value::Bool(active)) => lit = Some(*active),
            ("AssetTag", Value::String(text)) => tag = Some(text.clone()),
            ("IndicatorLED" | "LocationIndicatorActive" | "AssetTag", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(lit) = lit {
        cx.machine.indicator_lit = lit;
    }
    if let Some(tag) = tag {
        cx.machine.asset_tag = tag;
    }
    Ok(cx.success())
}
