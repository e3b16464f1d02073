//! Whom an event concerns. Our own doings are events, too: a login that caused a look, which caused a login, would never end.

use super::message::Alert;

/// Who should look, from nobody to everybody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    Nobody,
    /// The BMC itself.
    Bmc,
    /// One system, by `@odata.id`.
    System(String),
    /// Whatever machines are behind the BMC.
    Systems,
}

/// Services of the BMC that tell nothing about machines. Their events are about us and others who talk to the BMC.
const OTHERS: [&str; 9] = [
    "SessionService",
    "AccountService",
    "EventService",
    "TelemetryService",
    "CertificateService",
    "Registries",
    "JsonSchemas",
    "KeyService",
    "LicenseService",
];

pub(super) fn concern(alert: &Alert) -> Concern {
    let (registry, key) = prefix_and_key(&alert.message_id);
    let origin = alert.origin.as_deref().unwrap_or_default();
    let mut segments = origin
        .trim_start_matches('/')
        .split(['/', '#'])
        .skip_while(|segment| matches!(*segment, "redfish" | "v1"));
    match (segments.next().unwrap_or_default(), segments.next()) {
        ("Systems", Some(system)) if !system.is_empty() => Concern::System(format!("/redfish/v1/Systems/{system}")),
        ("Managers", _) => Concern::Bmc,
        (service, _) if OTHERS.contains(&service) => Concern::Nobody,
        // A test is for whoever listens, not for a machine.
        ("", _) if registry != "TaskEvent" && key.starts_with("Test") => Concern::Nobody,
        // Tasks, chassis, and what names no place: it may be any of them.
        _ => Concern::Systems,
    }
}

/// `ResourceEvent.1.3.ResourceStatusChanged` is a message of registry `ResourceEvent`, whatever its version.
fn prefix_and_key(message_id: &str) -> (&str, &str) {
    let prefix = message_id.split('.').next().unwrap_or_default();
    (prefix, message_id.rsplit('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_wakes_whom_it_concerns() {
        let system = || Concern::System("/redfish/v1/Systems/1".to_owned());
        for (message_id, origin, expected) in [
            (
                "ResourceEvent.1.3.ResourceStateChanged",
                "/redfish/v1/Systems/1",
                system(),
            ),
            (
                "ResourceEvent.1.3.ResourceErrorsDetected",
                "/redfish/v1/Systems/1#/Boot",
                system(),
            ),
            (
                "ResourceEvent.1.3.ResourceChanged",
                "/redfish/v1/Systems/1/Storage/S/Drives/D1",
                system(),
            ),
            (
                "TaskEvent.1.0.TaskCompletedOK",
                "/redfish/v1/TaskService/Tasks/7",
                Concern::Systems,
            ),
            ("TaskEvent.1.0.TaskCompletedOK", "", Concern::Systems),
            ("IDRAC.2.8.PWR2266", "", Concern::Systems),
            ("iLOEvents.2.1.ServerPoweredOn", "/redfish/v1/Systems/1/", system()),
            (
                "ResourceEvent.1.0.ResourceErrorThresholdExceeded",
                "/redfish/v1/Chassis/1/Thermal",
                Concern::Systems,
            ),
            (
                "ResourceEvent.1.3.ResourceStateChanged",
                "/redfish/v1/Managers/bmc",
                Concern::Bmc,
            ),
            (
                "ResourceEvent.1.3.ResourceCreated",
                "/redfish/v1/SessionService/Sessions/9",
                Concern::Nobody,
            ),
            (
                "ResourceEvent.1.3.ResourceErrorsDetected",
                "/redfish/v1/SessionService",
                Concern::Nobody,
            ),
            (
                "ResourceEvent.1.3.ResourceCreated",
                "/redfish/v1/EventService/Subscriptions/1",
                Concern::Nobody,
            ),
            ("ResourceEvent.1.3.TestMessage", "", Concern::Nobody),
            ("Systems", "Systems", Concern::Systems),
        ] {
            let alert = Alert {
                message_id: message_id.to_owned(),
                severity: "OK".to_owned(),
                origin: Some(origin.to_owned()).filter(|origin| !origin.is_empty()),
            };
            assert_eq!(concern(&alert), expected, "{message_id} {origin}");
        }
    }
}
