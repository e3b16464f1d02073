//! `Processors` of the system, and its GPUs, which are processors as well (DSP0268).

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};
use crate::fleet::spec::AcceleratorSpec;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/Processors", cx.system_uri());
    let known = !cx.machine.hides_inventory(cx.moment.now);
    let hardware = &cx.machine.hardware;
    let sockets = (1..=hardware.processors.len()).map(|number| format!("CPU.Socket.{number}"));
    let accelerators = (1..=hardware.accelerators.len()).map(|number| format!("GPU.{number}"));
    let ids: Vec<String> = sockets.chain(accelerators).filter(|_| known).collect();
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
    let hardware = &cx.machine.hardware;
    let Some(processor) = hardware.processors.get(index) else {
        return accelerator(uri, id, &hardware.accelerators[index - hardware.processors.len()]);
    };
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

fn accelerator(uri: &str, id: &str, accelerator: &AcceleratorSpec) -> Value {
    json!({
        "@odata.type": "#Processor.v1_20_1.Processor",
        "@odata.id": format!("{uri}/{id}"),
        "Id": id,
        "Name": format!("Accelerator {id}"),
        "ProcessorType": "GPU",
        "Manufacturer": accelerator.manufacturer,
        "Model": accelerator.model,
        "MemorySummary": { "TotalMemorySizeMiB": u64::from(accelerator.memory_gib) * 1024 },
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}
