//! `PCIeDevices` with their functions: network adapters, NVMe drives, storage controllers that are described, and GPUs.
//! They are worked out from the rest of the hardware, so that nothing can be in one list and not in the other.

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::{network_adapters, storage};
use crate::fleet::spec::DriveProtocol;
use crate::machine::drive::Drive;
use crate::machine::power::Power;
use crate::personality::PcieHolder;
use crate::quirk::Quirk;

struct Device {
    id: String,
    name: String,
    manufacturer: String,
    model: String,
    /// `DeviceClass`, and the code that PCI has for it.
    class: (&'static str, &'static str),
    /// One entry per function: what it links to, if there is a link for it, by the name of the link.
    functions: Vec<Option<(&'static str, String)>>,
}

pub(super) fn uri(cx: &Context<'_>) -> String {
    let holder = match cx.personality().pcie_devices {
        PcieHolder::Chassis => cx.chassis_uri(),
        PcieHolder::System => cx.system_uri(),
    };
    format!("{holder}/PCIeDevices")
}

/// Where the card is that something with this id is a part of.
pub(super) fn uri_of(cx: &Context<'_>, id: &str) -> String {
    format!("{}/{id}", uri(cx))
}

/// Links to all devices. The system has them, which clients read all the time: the devices themselves are not needed.
pub(super) fn links(cx: &Context<'_>) -> Vec<Value> {
    let uri = uri(cx);
    let hardware = &cx.machine.hardware;
    let adapters = network_adapters::ids(cx);
    let adapters = adapters.iter().map(String::as_str);
    let drives = nvme_drives(cx).map(|drive| drive.name.0.as_str());
    let controllers = hardware.storage_controllers.iter().map(|one| one.id.as_str());
    let named = adapters.chain(drives).chain(controllers);
    let named = named.map(|id| member(cx, format!("{uri}/{id}")));
    let accelerators = (0..hardware.accelerators.len()).map(|index| member(cx, format!("{uri}/{}", gpu_id(index))));
    named.chain(accelerators).collect()
}

fn nvme_drives<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = &'a Drive> {
    let is_nvme = |drive: &&Drive| drive.protocol == DriveProtocol::NVMe;
    cx.machine.drives.iter().filter(|drive| !drive.absent).filter(is_nvme)
}

fn gpu_id(index: usize) -> String {
    format!("GPU.{}", index + 1)
}

/// A link, or what stands for one ([`Quirk::PcieMembersEmpty`]).
fn member(cx: &Context<'_>, uri: String) -> Value {
    let powers_on = matches!(cx.machine.power, Power::PoweringOn { .. } | Power::Post { .. });
    if powers_on && cx.machine.has(Quirk::PcieMembersEmpty) {
        json!({})
    } else {
        link(uri)
    }
}

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = uri(cx);
    let Some((id, rest)) = rest.split_first() else {
        return cx.read_only(|cx| {
            let mut document = collection(&uri, "PCIeDeviceCollection", "PCIe Devices", []);
            let members = links(cx);
            document["Members@odata.count"] = members.len().into();
            document["Members"] = members.into();
            document
        });
    };
    let Some(device) = devices(cx).into_iter().find(|device| device.id == *id) else {
        return cx.not_found();
    };
    let uri = format!("{uri}/{id}");
    let functions = format!("{uri}/PCIeFunctions");
    match rest {
        [] => cx.read_only(|cx| document(cx, &uri, &device)),
        ["PCIeFunctions"] => cx.read_only(|_| {
            let members = (0..device.functions.len()).map(|number| format!("{functions}/{number}"));
            collection(&functions, "PCIeFunctionCollection", "PCIe Functions", members)
        }),
        ["PCIeFunctions", number] => {
            let number = number.parse::<usize>().ok();
            match number.filter(|number| *number < device.functions.len()) {
                Some(number) => cx.read_only(|_| function_document(&uri, &device, number)),
                None => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

fn devices(cx: &Context<'_>) -> Vec<Device> {
    let hardware = &cx.machine.hardware;
    let system = cx.system_uri();
    let adapters = network_adapters::ids(cx).into_iter().map(|id| {
        let first = network_adapters::of(cx, &id).next().map(|(_, nic)| nic);
        let manufacturer = first.and_then(|nic| nic.manufacturer.clone());
        let model = first.and_then(|nic| nic.model.clone());
        let functions = network_adapters::of(cx, &id);
        Device {
            name: format!("Network Adapter {id}"),
            manufacturer: manufacturer.unwrap_or_else(|| "Emulated Networks".to_owned()),
            model: model.unwrap_or_else(|| "EN25".to_owned()),
            class: ("NetworkController", "0x020000"),
            functions: functions
                .map(|(_, nic)| format!("{system}/EthernetInterfaces/{}", nic.name))
                .map(|uri| Some(("EthernetInterfaces", uri)))
                .collect(),
            id,
        }
    });
    let drives = nvme_drives(cx).filter_map(|drive| {
        Some(Device {
            id: drive.name.0.clone(),
            name: format!("Drive {}", drive.name),
            manufacturer: drive.manufacturer.clone(),
            model: drive.model.clone(),
            class: ("MassStorageController", "0x010802"),
            functions: vec![Some(("Drives", storage::uri_of(cx.machine, &drive.name)?))],
        })
    });
    let controllers = hardware.storage_controllers.iter().map(|controller| Device {
        id: controller.id.clone(),
        name: format!("Storage Controller {}", controller.id),
        manufacturer: controller.manufacturer.clone(),
        model: controller.model.clone(),
        class: ("MassStorageController", "0x010400"),
        // The link is to what controllers were before they became resources.
        functions: vec![None],
    });
    let accelerators = hardware.accelerators.iter().enumerate().map(|(index, accelerator)| {
        let id = gpu_id(index);
        Device {
            name: format!("Accelerator {id}"),
            manufacturer: accelerator.manufacturer.clone(),
            model: accelerator.model.clone(),
            class: ("DisplayController", "0x030200"),
            functions: vec![Some(("Processor", format!("{system}/Processors/{id}")))],
            id,
        }
    });
    let all = adapters.chain(drives).chain(controllers);
    all.chain(accelerators).collect()
}

fn document(cx: &Context<'_>, uri: &str, device: &Device) -> Value {
    json!({
        "@odata.type": "#PCIeDevice.v1_15_0.PCIeDevice",
        "@odata.id": uri,
        "Id": device.id,
        "Name": device.name,
        "Manufacturer": device.manufacturer,
        "Model": device.model,
        "DeviceType": if device.functions.len() > 1 { "MultiFunction" } else { "SingleFunction" },
        "Status": { "State": "Enabled", "Health": "OK" },
        "PCIeFunctions": link(format!("{uri}/PCIeFunctions")),
        "Links": { "Chassis": [link(cx.chassis_uri())] },
    })
}

fn function_document(uri: &str, device: &Device, number: usize) -> Value {
    let (class, code) = device.class;
    let mut links = json!({ "PCIeDevice": link(uri) });
    if let Some((kind, target)) = &device.functions[number] {
        // A function is of one processor, and of any number of other things.
        links[*kind] = if *kind == "Processor" {
            link(target)
        } else {
            json!([link(target)])
        };
    }
    json!({
        "@odata.type": "#PCIeFunction.v1_5_0.PCIeFunction",
        "@odata.id": format!("{uri}/PCIeFunctions/{number}"),
        "Id": number.to_string(),
        "Name": format!("{} Function {number}", device.name),
        "FunctionId": number,
        "FunctionType": "Physical",
        "DeviceClass": class,
        "ClassCode": code,
        "Status": { "State": "Enabled", "Health": "OK" },
        "Links": links,
    })
}
