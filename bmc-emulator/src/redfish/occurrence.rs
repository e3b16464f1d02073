//! What happened, in the words of the event registries (DSP8013): for subscribers and for the log.

use super::message::Template;
use super::{resource_event, storage, task_event};
use crate::event::MachineEventKind;
use crate::machine::Machine;
use crate::machine::drive::DriveName;

/// One message of an event registry, with its arguments.
#[derive(Debug)]
pub(super) struct Occurrence {
    registry: &'static str,
    template: &'static Template,
    pub arguments: Vec<String>,
    /// `OriginOfCondition`.
    pub origin: String,
}

impl Occurrence {
    /// Nothing for what a BMC does not tell.
    pub(super) fn of(machine: &Machine, kind: &MachineEventKind) -> Option<Self> {
        let personality = machine.personality;
        let system = machine.system_uri();
        let drive = |name: &str| storage::uri_of(machine, &DriveName(name.to_owned()));
        // The volume itself may be gone when somebody reads about it.
        let volumes = |controller: &str| format!("{system}/Storage/{controller}/Volumes");
        Some(match kind {
            MachineEventKind::Power { state } => Self::of_resource(
                &resource_event::STATE_CHANGED,
                vec![system.clone(), state.as_str().to_owned()],
                system,
            ),
            MachineEventKind::BootFailed { reason } => Self::of_resource(
                &resource_event::ERRORS_DETECTED,
                vec![format!("{system}#/Boot"), reason.clone()],
                system,
            ),
            MachineEventKind::BmcReady => {
                let manager = format!("/redfish/v1/Managers/{}", personality.manager_id);
                let arguments = vec![manager.clone(), "Enabled".to_owned()];
                Self::of_resource(&resource_event::STATE_CHANGED, arguments, manager)
            }
            MachineEventKind::LoginFailed { user } => Self::of_resource(
                &resource_event::ERRORS_DETECTED,
                vec![
                    "/redfish/v1/SessionService".to_owned(),
                    format!("login of user {user} refused"),
                ],
                "/redfish/v1/SessionService".to_owned(),
            ),
            MachineEventKind::DriveErased {
                drive: name,
                in_band: false,
            }
            | MachineEventKind::DriveEraseLied {
                drive: name,
                in_band: false,
            } => Self::of_resource(&resource_event::CHANGED, Vec::new(), drive(name)?),
            MachineEventKind::DriveEraseFailed {
                drive: name,
                in_band: false,
                message,
            } => {
                let uri = drive(name)?;
                Self::of_resource(
                    &resource_event::ERRORS_DETECTED,
                    vec![uri.clone(), message.clone()],
                    uri,
                )
            }
            MachineEventKind::VolumeCreated { controller, .. } => {
                Self::of_resource(&resource_event::CREATED, Vec::new(), volumes(controller))
            }
            MachineEventKind::VolumeDeleted { controller, .. } => {
                Self::of_resource(&resource_event::REMOVED, Vec::new(), volumes(controller))
            }
            MachineEventKind::VolumeInitialized { controller, .. } => {
                Self::of_resource(&resource_event::CHANGED, Vec::new(), volumes(controller))
            }
            MachineEventKind::TaskFinished { task, state } => Self {
                registry: task_event::ID,
                template: if state == "Completed" {
                    &task_event::COMPLETED_OK
                } else {
                    &task_event::ABORTED
                },
                arguments: vec![task.clone()],
                origin: format!("/redfish/v1/TaskService/Tasks/{task}"),
            },
            _ => return None,
        })
    }

    fn of_resource(template: &'static Template, arguments: Vec<String>, origin: String) -> Self {
        Self {
            registry: resource_event::ID,
            template,
            arguments,
            origin,
        }
    }

    pub(super) fn message_id(&self) -> String {
        format!("{}.{}", self.registry, self.template.id)
    }

    pub(super) fn text(&self) -> String {
        self.template.fill(&self.arguments)
    }

    /// `EventType`, which is deprecated and still filtered by.
    pub(super) fn event_type(&self) -> &'static str {
        match self.template.id {
            "ResourceCreated" => "ResourceAdded",
            "ResourceRemoved" => "ResourceRemoved",
            _ => "ResourceUpdated",
        }
    }

    pub(super) fn severity(&self) -> &'static str {
        self.template.severity
    }
}
