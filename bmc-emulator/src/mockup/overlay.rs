//! What of a recorded resource is alive: the table, and how it is applied.

use serde_json::Value;

/// Properties that the emulated machine has the say about, by schema. A name with slashes is a property of a property.
/// They are replaced where the recording has them, since a machine does not get features by being replayed.
const LIVE: &[(&str, &[&str])] = &[
    ("ServiceRoot", &["UUID"]),
    (
        "ComputerSystem",
        &[
            "UUID",
            "SerialNumber",
            "SKU",
            "AssetTag",
            "BiosVersion",
            "IndicatorLED",
            "LocationIndicatorActive",
            "PowerState",
            "BootProgress/LastState",
            "Boot/BootOrder",
            "Boot/BootSourceOverrideEnabled",
            "Boot/BootSourceOverrideEnabled@Redfish.AllowableValues",
            "Boot/BootSourceOverrideMode",
            "Boot/BootSourceOverrideTarget",
            "Boot/BootSourceOverrideTarget@Redfish.AllowableValues",
            "Boot/HttpBootUri",
        ],
    ),
    (
        "Manager",
        &["DateTime", "DateTimeLocalOffset", "FirmwareVersion", "LastResetTime"],
    ),
    (
        "Chassis",
        &["AssetTag", "IndicatorLED", "LocationIndicatorActive", "PowerState"],
    ),
    ("Bios", &["Attributes"]),
    ("Drive", &["SerialNumber", "Operations"]),
    ("EthernetInterface", &["MACAddress", "PermanentMACAddress"]),
    (
        "VirtualMedia",
        &[
            "ConnectedVia",
            "Image",
            "ImageName",
            "Inserted",
            "TransferProtocolType",
            "UserName",
            "WriteProtected",
        ],
    ),
    (
        "SecureBoot",
        &["SecureBootCurrentBoot", "SecureBootEnable", "SecureBootMode"],
    ),
    ("SoftwareInventory", &["Version"]),
    ("SessionService", &["SessionTimeout"]),
    (
        "AccountService",
        &[
            "AccountLockoutCounterResetAfter",
            "AccountLockoutDuration",
            "AccountLockoutThreshold",
        ],
    ),
    (
        "ManagerNetworkProtocol",
        &["HostName", "NTP/NTPServers", "NTP/ProtocolEnabled"],
    ),
];

/// Shown even where the recorded machine does not have them: without them, nobody could see what has become of a command.
const ALWAYS: &[&str] = &[
    "PowerState",
    "Boot/BootSourceOverrideEnabled",
    "Boot/BootSourceOverrideTarget",
];

/// Brings `recorded` up to date with what the emulated machine says about the same resource.
pub(crate) fn overlay(recorded: &mut Value, live: &Value) {
    let schema = schema(live);
    let Some((_, properties)) = LIVE.iter().find(|(name, _)| *name == schema) else {
        return;
    };
    for property in *properties {
        let pointer = format!("/{property}");
        let Some(now) = live.pointer(&pointer) else {
            continue;
        };
        match recorded.pointer_mut(&pointer) {
            Some(then) => replace(then, now),
            None if schema == "ComputerSystem" && ALWAYS.contains(property) => {
                let mut place = &mut *recorded;
                for name in property.split('/') {
                    place = &mut place[name];
                }
                *place = now.clone();
            }
            None => {}
        }
    }
}

/// `ComputerSystem` of `#ComputerSystem.v1_22_2.ComputerSystem`.
fn schema(document: &Value) -> &str {
    let name = document["@odata.type"].as_str().unwrap_or_default();
    name.rsplit('.').next().unwrap_or_default()
}

/// Objects are brought up to date member by member. What differs in case only stays as it was recorded.
fn replace(then: &mut Value, now: &Value) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (name, value) in now {
                match then.get_mut(name) {
                    Some(place) => replace(place, value),
                    None => {
                        then.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::String(then), Value::String(now)) if then.eq_ignore_ascii_case(now) => {}
        (then, now) => *then = now.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_alive_shows_through() {
        let mut recorded = json!({
            "@odata.type": "#ComputerSystem.v1_11_0.ComputerSystem",
            "Name": "Recorded",
            "UUID": "BC20D65A",
            "Boot": { "BootOrder": ["Boot0001"], "AutomaticRetryAttempts": 50 },
        });
        let live = json!({
            "@odata.type": "#ComputerSystem.v1_22_2.ComputerSystem",
            "Name": "System",
            "UUID": "bc20d65a",
            "PowerState": "On",
            "AssetTag": "",
            "Boot": { "BootOrder": ["Boot0002"], "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideMode": "UEFI" },
        });
        overlay(&mut recorded, &live);
        let expected = json!({
            "@odata.type": "#ComputerSystem.v1_11_0.ComputerSystem",
            "Name": "Recorded",
            "UUID": "BC20D65A",
            "PowerState": "On",
            "Boot": {
                "BootOrder": ["Boot0002"],
                "AutomaticRetryAttempts": 50,
                "BootSourceOverrideTarget": "Pxe",
            },
        });
        assert_eq!(recorded, expected);
    }

    #[test]
    fn what_nobody_knows_better_stays() {
        let recorded = json!({ "@odata.type": "#Sensor.v1_1_0.Sensor", "Reading": 21 });
        let mut shown = recorded.clone();
        overlay(
            &mut shown,
            &json!({ "@odata.type": "#Sensor.v1_1_0.Sensor", "Reading": 22 }),
        );
        assert_eq!(shown, recorded);
    }
}
