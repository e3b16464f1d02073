//! `PowerSubsystem` with its power supplies (DSP0268).

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use crate::machine::sensors::{POWER_SUPPLIES, POWER_SUPPLY_WATTS};

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/PowerSubsystem", cx.chassis_uri());
    let supplies = format!("{uri}/PowerSupplies");
    match rest {
        [] => cx.read_only(|_| {
            json!({
                "@odata.type": "#PowerSubsystem.v1_1_2.PowerSubsystem",
                "@odata.id": uri,
                "Id": "PowerSubsystem",
                "Name": "Power Subsystem",
                // One supply is enough; the other one is there in case it fails.
                "CapacityWatts": POWER_SUPPLY_WATTS,
                "Status": { "State": "Enabled", "Health": "OK" },
                "PowerSupplies": link(&supplies),
            })
        }),
        ["PowerSupplies"] => cx.read_only(|_| {
            let members = (1..=POWER_SUPPLIES).map(|number| format!("{supplies}/{}", id(number)));
            collection(&supplies, "PowerSupplyCollection", "Power Supplies", members)
        }),
        ["PowerSupplies", wanted] => match (1..=POWER_SUPPLIES).find(|number| id(*number) == *wanted) {
            Some(number) => cx.read_only(|cx| document(cx, &supplies, number)),
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn id(number: usize) -> String {
    format!("PSU{number}")
}

fn document(cx: &Context<'_>, supplies: &str, number: usize) -> Value {
    let hardware = &cx.machine.hardware;
    json!({
        "@odata.type": "#PowerSupply.v1_6_0.PowerSupply",
        "@odata.id": format!("{supplies}/{}", id(number)),
        "Id": id(number),
        "Name": format!("Power Supply {number}"),
        "Manufacturer": hardware.manufacturer,
        "SerialNumber": format!("{}-PSU{number}", hardware.chassis_serial_number),
        "PowerSupplyType": "AC",
        "PowerCapacityWatts": POWER_SUPPLY_WATTS,
        "LineInputStatus": "Normal",
        "HotPluggable": true,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
