//! `Processors` of the system.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/Processors", cx.system_uri());
    let known = !cx.machine.hides_inventory(cx.moment.now);
    let ids: Vec<String> = (1..=cx.machine.hardware.processors.len())
        .filter(|_| known)
        .map(|number| format!("CPU.Socket.{number}"))
        .collect();
    match rest {
        [] => cx.read_only(|_| {
            let members = ids.iter().map(|id| format!("{uri}/{id}"));
            collection(&uri, "ProcessorCollection", "Processors Collection", members)
        }),
        [id] => match ids.iter().position(|known| known == id) {
            Some(index) => {
                let document = document(cx, &uri, &ids[index], index);
                cx.read_only(|_| document)
            }
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, uri: &str, id: &str, index: usize) -> Value {
    let processor = &cx.machine.hardware.processors[index];
    json!({
        "@odata.type": "#Processor.v1_20_1.Processor",
        "@odata.id": format!("{uri}/{id}"),
        "Id": id,
        "Name": format!("Processor {}", index + 1),
        "Socket": id,
        "ProcessorType": "CPU",
        "ProcessorArchitecture": processor.architecture,
        "InstructionSet": processor.instruction_set,
        "Manufacturer": processor.manufacturer,
        "Model": processor.model,
        "MaxSpeedMHz": processor.max_speed_mhz,
        "TotalCores": processor.cores,
        "TotalThreads": processor.threads,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
