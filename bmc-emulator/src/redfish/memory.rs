//! `Memory` modules of the system.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection};

/// The largest module; more memory means more modules.
const MODULE_GIB: u32 = 64;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = format!("{}/Memory", cx.system_uri());
    let known = !cx.machine.hides_inventory(cx.moment.now);
    let modules = modules(if known { cx.machine.hardware.memory_gib } else { 0 });
    match rest {
        [] => cx.read_only(|_| {
            let members = (1..=modules.len()).map(|number| format!("{uri}/DIMM.Socket.A{number}"));
            collection(&uri, "MemoryCollection", "Memory Devices Collection", members)
        }),
        [id] => {
            let number = id
                .strip_prefix("DIMM.Socket.A")
                .and_then(|number| number.parse::<usize>().ok());
            match number.and_then(|number| Some((number, modules.get(number.checked_sub(1)?)?))) {
                Some((number, gib)) => cx.read_only(|_| document(&uri, number, *gib)),
                None => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

fn modules(total_gib: u32) -> Vec<u32> {
    let mut modules = vec![MODULE_GIB; (total_gib / MODULE_GIB) as usize];
    modules.extend(Some(total_gib % MODULE_GIB).filter(|rest| *rest > 0));
    modules
}

fn document(uri: &str, number: usize, gib: u32) -> Value {
    let id = format!("DIMM.Socket.A{number}");
    json!({
        "@odata.type": "#Memory.v1_20_0.Memory",
        "@odata.id": format!("{uri}/{id}"),
        "Id": id,
        "Name": format!("DIMM A{number}"),
        "DeviceLocator": format!("DIMM A{number}"),
        "MemoryType": "DRAM",
        "MemoryDeviceType": "DDR5",
        "BaseModuleType": "RDIMM",
        "CapacityMiB": u64::from(gib) * 1024,
        "DataWidthBits": 64,
        "BusWidthBits": 80,
        "OperatingSpeedMhz": 4800,
        "ErrorCorrection": "MultiBitECC",
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}

#[cfg(test)]
mod tests {
    use super::modules;

    #[test]
    fn modules_add_up() {
        assert_eq!(modules(160), [64, 64, 32]);
        assert_eq!(modules(8), [8]);
    }
}
