//! `ComputerSystem`: the host, its power and its boot settings.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::actions::{self, Action, Parameter};
use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::message::{self, Message};
use super::{
    bios, boot_options, ethernet_interfaces, log_services, memory, network_adapters, pcie_devices, processors,
    secure_boot, storage, system_boot, trusted_components, virtual_media,
};
use crate::machine::Machine;
use crate::machine::installed_firmware::Component;
use crate::machine::power::{PowerState, Refusal, ResetType};
use crate::machine::truth::Execution;
use crate::personality::{PcieHolder, Place};
use crate::quirk::Quirk;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let is_this = |system: &str| cx.machine.position.system_id == system;
    match rest {
        [] => cx.read_only(|cx| {
            collection(
                "/redfish/v1/Systems",
                "ComputerSystemCollection",
                "Computer System Collection",
                cx.of_all(Machine::system_uri),
            )
        }),
        [system] if is_this(system) => this(cx),
        [system, rest @ ..] if is_this(system) => match rest {
            ["Actions", "ComputerSystem.Reset"] => reset(cx),
            [settings] if system_boot::settings_id(cx) == Some(*settings) => system_boot::settings(cx),
            ["Bios", rest @ ..] if !cx.machine.has(Quirk::NoBios) => bios::route(cx, rest),
            ["BootOptions", rest @ ..] if !cx.machine.has(Quirk::NoBootOrder) => boot_options::route(cx, rest),
            ["VirtualMedia", rest @ ..] if cx.machine.media_place() == Place::System => {
                let system = cx.system_uri();
                virtual_media::route(cx, &system, rest)
            }
            ["LogServices", rest @ ..] if cx.personality().log.place == Place::System => {
                let system = cx.system_uri();
                log_services::route(cx, &system, rest)
            }
            ["SecureBoot", rest @ ..] => secure_boot::route(cx, rest),
            ["Processors", rest @ ..] => processors::route(cx, rest),
            ["Memory", rest @ ..] => memory::route(cx, rest),
            ["EthernetInterfaces", rest @ ..] if !cx.machine.has(Quirk::NoEthernetInterfaces) => {
                ethernet_interfaces::system_route(cx, rest)
            }
            ["NetworkInterfaces", rest @ ..] if cx.personality().network_adapters => {
                network_adapters::interfaces_route(cx, rest)
            }
            ["PCIeDevices", rest @ ..] if cx.personality().pcie_devices == PcieHolder::System => {
                pcie_devices::route(cx, rest)
            }
            ["Storage", rest @ ..] if !cx.machine.has(Quirk::NoStorage) => storage::route(cx, rest),
            [info] => {
                let (system, action) = (cx.system_uri(), reset_action(cx.machine));
                actions::info(cx, &system, info, &[action])
            }
            _ => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn this(cx: &mut Context<'_>) -> Answer {
    match cx.call.method {
        Method::PATCH => patch(cx),
        _ => cx.read("GET, HEAD, PATCH", document),
    }
}

pub(super) fn document(cx: &mut Context<'_>) -> Value {
    let uri = cx.system_uri();
    let personality = cx.personality();
    let lie = cx.machine.faults.reported_power_state();
    let machine = &*cx.machine;
    let hardware = &machine.hardware;
    let state = lie.unwrap_or_else(|| machine.power_state_read(cx.moment.now));
    let threads: u32 = hardware.processors.iter().map(|processor| processor.threads).sum();
    let cores: u32 = hardware.processors.iter().map(|processor| processor.cores).sum();
    let enabled = if state == PowerState::Off {
        "Disabled"
    } else {
        "Enabled"
    };
    let mut document = json!({
        "@odata.type": "#ComputerSystem.v1_22_2.ComputerSystem",
        "@odata.id": uri,
        "Id": machine.position.system_id,
        "Name": "System",
        "Description": "Computer System",
        "SystemType": "Physical",
        "UUID": hardware.uuid.to_string(),
        "Manufacturer": hardware.manufacturer,
        "Model": hardware.model,
        "SKU": hardware.sku,
        "SerialNumber": hardware.serial_number,
        "AssetTag": machine.asset_tag,
        "HostName": "",
        "BiosVersion": machine.firmware.version(Component::Bios, personality),
        "PowerState": state.as_str(),
        "IndicatorLED": if machine.indicator_lit { "Lit" } else { "Off" },
        "LocationIndicatorActive": machine.indicator_lit,
        "Status": { "State": enabled, "Health": "OK", "HealthRollup": "OK" },
        "Boot": system_boot::boot(machine, &uri),
        "BootProgress": { "LastState": boot_progress(machine, state) },
        "ProcessorSummary": {
            "Count": hardware.processors.len(),
            "CoreCount": cores,
            "LogicalProcessorCount": threads,
            "Model": hardware.processors.first().map(|processor| processor.model.as_str()),
            "Status": { "State": "Enabled", "Health": "OK" },
        },
        "MemorySummary": {
            "TotalSystemMemoryGiB": hardware.memory_gib,
            "Status": { "State": "Enabled", "Health": "OK" },
        },
        "Bios": link(format!("{uri}/Bios")),
        "SecureBoot": link(format!("{uri}/SecureBoot")),
        "Processors": link(format!("{uri}/Processors")),
        "Memory": link(format!("{uri}/Memory")),
        "EthernetInterfaces": link(format!("{uri}/EthernetInterfaces")),
        "Storage": link(format!("{uri}/Storage")),
        "Links": {
            "Chassis": [link(cx.chassis_uri())],
            "ManagedBy": [link(cx.manager_uri())],
        },
        "Actions": {
            "#ComputerSystem.Reset": reset_action(machine).offer(personality, &uri),
        },
    });
    if personality.network_adapters {
        document["NetworkInterfaces"] = link(format!("{uri}/NetworkInterfaces"));
    }
    let modules = trusted_components::modules(cx);
    if !modules.is_empty() {
        document["TrustedModules"] = modules.into();
    }
    document["PCIeDevices"] = pcie_devices::links(cx).into();
    if cx.machine.media_place() == Place::System {
        document["VirtualMedia"] = link(format!("{uri}/VirtualMedia"));
    }
    if personality.log.place == Place::System {
        document["LogServices"] = link(format!("{uri}/LogServices"));
    }
    if let Some(settings) = system_boot::settings_id(cx) {
        document["@Redfish.Settings"] = json!({
            "@odata.type": "#Settings.v1_3_5.Settings",
            "SettingsObject": link(format!("{uri}/{settings}")),
            "SupportedApplyTimes": ["OnReset"],
        });
    }
    if machine.hides_inventory(cx.moment.now) {
        document["ProcessorSummary"] = json!({ "Count": 0, "Model": "" });
        document["MemorySummary"] = json!({ "TotalSystemMemoryGiB": null });
    }
    if machine.has(Quirk::NoStorage) {
        leave_out(&mut document, "Storage");
    }
    if machine.has(Quirk::NoEthernetInterfaces) {
        leave_out(&mut document, "EthernetInterfaces");
    }
    if machine.has(Quirk::NoBios) {
        leave_out(&mut document, "Bios");
    }
    if machine.faults.hides_power_state() {
        document["PowerState"] = Value::Null;
    }
    if machine.has(Quirk::NoManagedBy) {
        leave_out(&mut document["Links"], "ManagedBy");
    }
    cx.add_oem(&mut document, |oem| oem.system);
    document
}

/// With what `ResetType` may be, or is said to.
fn reset_action(machine: &Machine) -> Action {
    let known = machine.personality.reset_types.iter().map(|reset| reset.as_str());
    let listed = machine.has(Quirk::PushPowerButtonListed).then_some("PushPowerButton");
    Action {
        name: "ComputerSystem.Reset",
        parameters: vec![Parameter::one_of("ResetType", true, known.chain(listed))],
    }
}

/// `BootProgress.LastState` (BootProgressTypes).
fn boot_progress(machine: &Machine, state: PowerState) -> &'static str {
    match (state, &machine.execution) {
        (_, execution) if machine.has(Quirk::CoarseBootProgress) => match execution {
            Execution::Guest { .. } if state != PowerState::Off => "OSRunning",
            _ => "None",
        },
        (PowerState::Off, _) | (_, Execution::Nothing) => "None",
        (_, Execution::Post | Execution::PostHung { .. }) => "PrimaryProcessorInitializationStarted",
        (_, Execution::Firmware { .. }) => "OSBootStarted",
        (_, Execution::Setup) => "SetupEntered",
        (_, Execution::Guest { .. }) => "OSRunning",
        (_, Execution::Halted { .. }) => "SystemHardwareInitializationComplete",
    }
}

fn patch(cx: &mut Context<'_>) -> Answer {
    let before = document(cx);
    cx.check_if_match(&before)?;
    let body = cx.patch_object()?;
    cx.refuse_during_post()?;
    let mut wrong = Vec::new();
    let mut change = SystemChange::default();
    for (name, value) in &body {
        change.read(cx, &before, name, value, &mut wrong);
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(lit) = change.indicator_lit {
        cx.machine.indicator_lit = lit;
    }
    if let Some(tag) = change.asset_tag {
        cx.machine.asset_tag = tag;
    }
    if let Some(boot) = change.boot {
        let staged = boot.apply(cx);
        if let Some(task) = staged {
            return Ok(super::task_service::accepted(cx, &task));
        }
    }
    Ok(cx.success())
}

/// The properties of one PATCH, all checked before any of them is set.
#[derive(Default)]
struct SystemChange {
    indicator_lit: Option<bool>,
    asset_tag: Option<String>,
    boot: Option<system_boot::BootChange>,
}

impl SystemChange {
    fn read(&mut self, cx: &Context<'_>, before: &Value, name: &str, value: &Value, wrong: &mut Vec<Message>) {
        let pointer = format!("#/{name}");
        match (name, value) {
            ("IndicatorLED", Value::String(text)) => match text.as_str() {
                "Lit" | "Blinking" => self.indicator_lit = Some(true),
                "Off" => self.indicator_lit = Some(false),
                other => {
                    wrong.push(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [other, name]).about(pointer));
                }
            },
            ("LocationIndicatorActive", Value::Bool(lit)) => self.indicator_lit = Some(*lit),
            ("AssetTag", Value::String(text)) => self.asset_tag = Some(text.clone()),
            ("Boot", Value::Object(_)) if cx.machine.has(Quirk::BootOnlyInSettings) => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [name]).about(pointer));
            }
            ("Boot", Value::Object(boot)) => self.boot = Some(system_boot::BootChange::read(cx, boot, wrong)),
            ("IndicatorLED" | "LocationIndicatorActive" | "AssetTag" | "Boot", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), name]).about(pointer));
            }
            _ if before.get(name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
        }
    }
}

/// [`Quirk::BusyAfterPowerChange`].
const SETTLING: Duration = Duration::from_secs(5);

fn reset(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    let body = cx.action_object()?;
    let reset = reset_type(cx, &body)?;
    let changed = cx.machine.hiccups.power_changed;
    if cx
        .machine
        .is_disturbed(Quirk::BusyAfterPowerChange, changed, SETTLING, cx.moment.now)
    {
        let text = "The operation was not successful due to the current power state.";
        let id = "InvalidOperationForSystemState";
        return Err(cx.vendor_error(StatusCode::BAD_REQUEST, super::vendor::ILO, id, text));
    }
    if cx.machine.has(Quirk::RefusesNoChange) {
        refuse_no_change(cx, reset)?;
    }
    match cx.machine.reset(reset, cx.moment) {
        Ok(()) => Ok(Reply::new(StatusCode::NO_CONTENT)),
        Err(Refusal::InTransition) => Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, []))),
    }
}

fn reset_type(cx: &Context<'_>, body: &Map<String, Value>) -> Result<ResetType, Reply> {
    const ACTION: &str = "ComputerSystem.Reset";
    let bad = |message| Err(cx.error(StatusCode::BAD_REQUEST, message));
    if let Some(unknown) = body.keys().find(|name| *name != "ResetType") {
        return bad(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, unknown]).about(format!("#/{unknown}")));
    }
    let Some(wanted) = body.get("ResetType") else {
        return bad(Message::new(&message::ACTION_PARAMETER_MISSING, [ACTION, "ResetType"]));
    };
    let text = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
    match ResetType::parse(&text).filter(|reset| cx.personality().reset_types.contains(reset)) {
        Some(reset) => Ok(reset),
        None => {
            bad(Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [&text, "ResetType", ACTION]).about("#/ResetType"))
        }
    }
}

/// A command that asks for what already is ([`Quirk::RefusesNoChange`]).
fn refuse_no_change(cx: &Context<'_>, reset: ResetType) -> Result<(), Reply> {
    let state = cx.machine.power.state(false);
    let text = match (state, reset) {
        (PowerState::On, ResetType::On | ResetType::ForceOn) => "Server is already powered ON.",
        (
            PowerState::Off,
            ResetType::ForceOff | ResetType::GracefulShutdown | ResetType::GracefulRestart | ResetType::ForceRestart,
        ) => "Server is already powered OFF.",
        _ => return Ok(()),
    };
    let vendor = super::vendor::message(super::vendor::IDRAC, "PSU501", text, "Informational");
    let body = message::error_body(
        &[Message::new(&message::GENERAL_ERROR, [])],
        &[vendor],
        cx.personality(),
    );
    Err(Reply::json(StatusCode::CONFLICT, body))
}
