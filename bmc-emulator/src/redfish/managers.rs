//! `Manager`: the BMC itself.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::actions::{self, Action, Parameter};
use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::message::{self, Message};
use super::{certificate_service, dell_jobs, ethernet_interfaces, log_services, network_protocol, virtual_media};
use crate::machine::installed_firmware::Component;
use crate::personality::{JobStyle, Personality, Place};
use crate::quirk::Quirk;

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let id = cx.personality().manager_id;
    match rest {
        [] => cx.read_only(|cx| {
            collection(
                "/redfish/v1/Managers",
                "ManagerCollection",
                "Manager Collection",
                [cx.manager_uri()],
            )
        }),
        [manager] if *manager == id => match cx.call.method {
            Method::PATCH => patch(cx),
            _ => cx.read("GET, HEAD, PATCH", document),
        },
        [manager, "Actions", "Manager.ResetToDefaults"] if *manager == id => reset_to_defaults(cx),
        [manager, "Actions", "Manager.Reset"] if *manager == id => reset(cx),
        [manager, "VirtualMedia", rest @ ..] if *manager == id && cx.machine.media_place() == Place::Manager => {
            let manager = cx.manager_uri();
            virtual_media::route(cx, &manager, rest)
        }
        [manager, "LogServices", rest @ ..] if *manager == id && cx.personality().log.place == Place::Manager => {
            let manager = cx.manager_uri();
            log_services::route(cx, &manager, rest)
        }
        [manager, "NetworkProtocol", "HTTPS", "Certificates", rest @ ..] if *manager == id => {
            certificate_service::https_route(cx, rest)
        }
        [manager, "NetworkProtocol"] if *manager == id => network_protocol::route(cx),
        [manager, "EthernetInterfaces", rest @ ..] if *manager == id => ethernet_interfaces::manager_route(cx, rest),
        [manager, "Oem", "Dell", rest @ ..]
            if *manager == id && cx.personality().jobs == JobStyle::ServiceAndDellQueue =>
        {
            dell_jobs::route(cx, rest)
        }
        [manager, info] if *manager == id => {
            let (uri, offered) = (cx.manager_uri(), offered(cx.personality()));
            actions::info(cx, &uri, info, &offered)
        }
        _ => cx.not_found(),
    }
}

fn document(cx: &mut Context<'_>) -> Value {
    let uri = cx.manager_uri();
    let systems = cx.of_all(|machine| link(machine.system_uri()));
    let chassis = cx.of_all(|machine| link(machine.chassis_uri()));
    let personality = cx.personality();
    let hardware = &cx.machine.hardware;
    let [reset, reset_to_defaults] = offered(personality);
    let mut document = json!({
        "@odata.type": "#Manager.v1_19_2.Manager",
        "@odata.id": uri,
        "Id": personality.manager_id,
        "Name": "Manager",
        "Description": "Baseboard Management Controller",
        "ManagerType": "BMC",
        "UUID": hardware.bmc_uuid.to_string(),
        "ServiceEntryPointUUID": hardware.bmc_uuid.to_string(),
        "Manufacturer": hardware.manufacturer,
        "Model": personality.manager_model,
        "SerialNumber": hardware.serial_number,
        "PartNumber": "0001",
        "FirmwareVersion": cx.machine.firmware.version(Component::Bmc, personality),
        "PowerState": "On",
        "DateTime": cx.machine.bmc_time(cx.moment.wall).to_string(),
        "DateTimeLocalOffset": "+00:00",
        "LastResetTime": cx.machine.bmc_time(cx.machine.bmc_started).to_string(),
        "Status": { "State": "Enabled", "Health": "OK" },
        "GraphicalConsole": { "ServiceEnabled": true, "MaxConcurrentSessions": 4, "ConnectTypesSupported": ["KVMIP"] },
        "SerialConsole": { "ServiceEnabled": false, "MaxConcurrentSessions": 1, "ConnectTypesSupported": ["SSH", "IPMI"] },
        "CommandShell": { "ServiceEnabled": false, "MaxConcurrentSessions": 1, "ConnectTypesSupported": ["SSH"] },
        "NetworkProtocol": link(format!("{uri}/NetworkProtocol")),
        "EthernetInterfaces": link(format!("{uri}/EthernetInterfaces")),
        "Links": {
            "ManagerForServers": systems,
            "ManagerForChassis": chassis,
            "ManagerInChassis": link(cx.chassis_uri()),
        },
        "Actions": {
            "#Manager.Reset": reset.offer(personality, &uri),
            "#Manager.ResetToDefaults": reset_to_defaults.offer(personality, &uri),
        },
    });
    if cx.machine.media_place() == Place::Manager {
        document["VirtualMedia"] = link(format!("{uri}/VirtualMedia"));
    }
    if personality.log.place == Place::Manager {
        document["LogServices"] = link(format!("{uri}/LogServices"));
    }
    if cx.machine.has(Quirk::ManagerWithoutPowerState) {
        leave_out(&mut document, "PowerState");
    }
    if cx.machine.has(Quirk::ResetTimeZero) {
        document["LastResetTime"] = json!("0000-00-00T00:00:00Z");
    }
    cx.add_oem(&mut document, |oem| oem.manager);
    document
}

fn offered(personality: &Personality) -> [Action; 2] {
    let reset_types = personality.manager_reset_types.iter().copied();
    [
        Action {
            name: "Manager.Reset",
            parameters: vec![Parameter::one_of("ResetType", false, reset_types)],
        },
        Action {
            name: "Manager.ResetToDefaults",
            parameters: vec![Parameter::one_of("ResetType", true, ["ResetAll"])],
        },
    ]
}

/// Sets the clock.
fn patch(cx: &mut Context<'_>) -> Answer {
    let before = document(cx);
    cx.check_if_match(&before)?;
    let (mut time, mut wrong) = (None, Vec::new());
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("DateTime", Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(wanted) if wanted.subsec_nanosecond() != 0 && cx.machine.has(Quirk::ClockTakesWholeSeconds) => {
                    wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer));
                }
                Ok(wanted) => time = Some(wanted),
                Err(_) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer)),
            },
            ("DateTimeLocalOffset", Value::String(_)) if cx.machine.has(Quirk::SameOffsetRefused) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer));
            }
            // The clock shows UTC, and nothing else.
            ("DateTimeLocalOffset", Value::String(text)) if matches!(text.as_str(), "+00:00" | "Z") => {}
            ("DateTimeLocalOffset", Value::String(_)) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer));
            }
            ("DateTime" | "DateTimeLocalOffset", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(time) = time {
        cx.machine.clock_offset = SignedDuration::ZERO;
        cx.machine.clock_offset = time.duration_since(cx.machine.bmc_time(cx.moment.wall));
    }
    Ok(cx.success())
}

/// Accounts, sessions, subscriptions and settings of the BMC are as delivered again; then it restarts.
fn reset_to_defaults(cx: &mut Context<'_>) -> Answer {
    const ACTION: &str = "Manager.ResetToDefaults";
    cx.require_post()?;
    let body = cx.action_object()?;
    let bad = |message| Err(cx.error(StatusCode::BAD_REQUEST, message));
    if let Some(unknown) = body.keys().find(|name| *name != "ResetType") {
        return bad(Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, unknown]).about(format!("#/{unknown}")));
    }
    match body.get("ResetType") {
        Some(Value::String(text)) if text == "ResetAll" => {}
        Some(other) => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            let message = Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [&text, "ResetType", ACTION]);
            return bad(message.about("#/ResetType"));
        }
        None => return bad(Message::new(&message::ACTION_PARAMETER_MISSING, [ACTION, "ResetType"])),
    }
    let (personality, now) = (cx.personality(), cx.moment.now);
    cx.machine.redfish.reset_to_defaults(personality, now);
    cx.machine.reset_bmc(cx.moment);
    Ok(cx.success())
}

/// Restarts the BMC: the answer still goes out, then nothing answers for a while.
fn reset(cx: &mut Context<'_>) -> Answer {
    const ACTION: &str = "Manager.Reset";
    cx.require_post()?;
    let body = cx.action_object()?;
    for (name, value) in &body {
        let known = value
            .as_str()
            .is_some_and(|text| cx.personality().manager_reset_types.contains(&text));
        let message = match name.as_str() {
            "ResetType" if known => continue,
            "ResetType" => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Message::new(&message::ACTION_PARAMETER_NOT_IN_LIST, [&text, name, ACTION])
            }
            _ => Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, name]),
        };
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about(format!("#/{name}"))));
    }
    cx.machine.reset_bmc(cx.moment);
    Ok(Reply::new(StatusCode::NO_CONTENT))
}
