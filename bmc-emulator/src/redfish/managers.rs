//! `Manager`: the BMC itself.

use http::StatusCode;
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::message::{self, Message};
use super::{ethernet_interfaces, log_services, virtual_media};
use crate::machine::installed_firmware::Component;
use crate::personality::Place;
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
        [manager] if *manager == id => cx.read_only(document),
        [manager, "Actions", "Manager.Reset"] if *manager == id => reset(cx),
        [manager, "VirtualMedia", rest @ ..] if *manager == id && cx.personality().media.place == Place::Manager => {
            let manager = cx.manager_uri();
            virtual_media::route(cx, &manager, rest)
        }
        [manager, "LogServices", rest @ ..] if *manager == id && cx.personality().log.place == Place::Manager => {
            let manager = cx.manager_uri();
            log_services::route(cx, &manager, rest)
        }
        [manager, "EthernetInterfaces", rest @ ..] if *manager == id => ethernet_interfaces::manager_route(cx, rest),
        _ => cx.not_found(),
    }
}

fn document(cx: &mut Context<'_>) -> Value {
    let uri = cx.manager_uri();
    let personality = cx.personality();
    let hardware = &cx.machine.hardware;
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
        "EthernetInterfaces": link(format!("{uri}/EthernetInterfaces")),
        "Links": {
            "ManagerForServers": [link(cx.system_uri())],
            "ManagerForChassis": [link(cx.chassis_uri())],
            "ManagerInChassis": link(cx.chassis_uri()),
        },
        "Actions": {
            "#Manager.Reset": {
                "target": format!("{uri}/Actions/Manager.Reset"),
                "ResetType@Redfish.AllowableValues": personality.manager_reset_types,
            },
        },
    });
    if personality.media.place == Place::Manager {
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
