//! What somebody in front of the machine could do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::MachineEventKind;
use crate::machine::drive::{DriveContent, DriveError, DriveName};
use crate::machine::{Machine, Moment};
use crate::secret::Secret;

/// An action outside of every protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum AdminAction {
    /// Press the power button of a machine that is off.
    PowerOn,
    /// Pull the power cord of the host: it is off at once.
    PowerOff,
    /// Restart the BMC.
    BmcReset,
    /// Pull a drive out of its slot; it keeps its content.
    PullDrive {
        drive: DriveName,
    },
    InsertDrive {
        drive: DriveName,
    },
    /// Put something on a drive. What was there before is gone.
    WriteDrive {
        drive: DriveName,
        records: BTreeMap<String, String>,
    },
    /// Plug or unplug the cable of a NIC.
    SetLink {
        nic: String,
        up: bool,
    },
    /// Change a BMC password behind everybody's back.
    ChangePassword {
        username: String,
        password: Secret,
    },
}

/// An action that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error("this machine has no NIC {0:?}")]
    UnknownNic(String),
    #[error("this BMC has no account {0:?}")]
    UnknownAccount(String),
}

impl Machine {
    pub(crate) fn apply(&mut self, action: AdminAction, moment: Moment) -> Result<(), ActionError> {
        match action {
            AdminAction::PowerOn => self.press_power_button(moment),
            AdminAction::PowerOff => self.lose_power(moment),
            AdminAction::BmcReset => self.reset_bmc(moment),
            AdminAction::PullDrive { drive } => self.known_drive(drive)?.absent = true,
            AdminAction::InsertDrive { drive } => self.known_drive(drive)?.absent = false,
            AdminAction::WriteDrive { drive, records } => {
                let names = records.keys().cloned().collect();
                self.content_mut(&drive)?.records = records
                    .into_iter()
                    .map(|(name, text)| (name, text.into_bytes()))
                    .collect();
                self.event(
                    moment.wall,
                    MachineEventKind::DriveWritten {
                        drive: drive.0,
                        records: names,
                    },
                );
            }
            AdminAction::SetLink { nic, up } => {
                let known = self.hardware.nics.iter_mut().find(|known| known.name == nic);
                known.ok_or(ActionError::UnknownNic(nic))?.link_up = up;
            }
            AdminAction::ChangePassword { username, password } => {
                if !self.redfish.accounts.set_password(&username, password) {
                    return Err(ActionError::UnknownAccount(username));
                }
            }
        }
        Ok(())
    }

    /// What is on a drive, or on a volume under the name it has for the host.
    fn content_mut(&mut self, name: &DriveName) -> Result<&mut DriveContent, ActionError> {
        if self.volumes.iter().any(|volume| volume.device == *name) {
            let missing = || ActionError::Drive(DriveError::NotFound(name.clone()));
            return self.block_device(name).ok_or_else(missing);
        }
        Ok(&mut self.known_drive(name.clone())?.content)
    }

    fn known_drive(&mut self, name: DriveName) -> Result<&mut crate::machine::drive::Drive, ActionError> {
        self.drive(&name).ok_or(ActionError::Drive(DriveError::NotFound(name)))
    }
}
