//! What is really the case, for those who judge a test. No face of the machine shows this.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Machine;
use super::boot::BootOverride;
use super::drive::DriveContent;
use super::guest::GuestIdentity;
use super::installed_firmware::Component;
use super::power::PowerState;

/// What executes on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum Execution {
    Nothing,
    Post,
    /// Power is on, and POST does not come to its end.
    PostHung {
        reason: String,
    },
    /// The firmware tries to boot from this device.
    Firmware {
        device: Option<String>,
    },
    /// The setup menu waits for somebody with a keyboard.
    Setup,
    Guest {
        source: String,
    },
    /// Power is on and nothing runs: no bootable device, or a guest that ended without switching off.
    Halted {
        reason: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    pub requests: u64,
    /// Reset commands that were accepted and reached the machine, even if there was nothing to do or nobody listened.
    pub resets: u64,
    pub boots: u64,
    pub bmc_resets: u64,
    /// Wrong user or password, by session or Basic authentication; a token that is not valid is no login.
    pub logins_failed: u64,
    pub sessions_opened: u64,
    /// Erasures of drives, out of band and in band, whatever became of them.
    pub erasures_started: u64,
}

/// A snapshot of one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineTruth {
    pub name: String,
    pub power_state: PowerState,
    pub execution: Execution,
    /// What the running guest says it is; absent while none runs or before it has said so.
    pub guest: Option<GuestIdentity>,
    pub bmc_available: bool,
    pub indicator_lit: bool,
    pub drives: Vec<DriveTruth>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeTruth>,
    pub boot_override: BootOverride,
    /// Boot option references as they are tried, and what they stand for.
    pub boot_order: Vec<String>,
    pub factory_boot_order: Vec<String>,
    pub staged_boot_order: Option<Vec<String>>,
    pub boot_devices: BTreeMap<String, String>,
    pub bios_attributes: BTreeMap<String, Value>,
    pub bios_pending: BTreeMap<String, Value>,
    pub bios_reset_pending: bool,
    pub firmware: FirmwareTruth,
    /// Whom the BMC asks for the time.
    pub ntp_servers: Vec<String>,
    /// Ids of open Redfish sessions.
    pub sessions: Vec<String>,
    pub accounts: Vec<String>,
    pub subscriptions: Vec<String>,
    pub tasks: BTreeMap<String, String>,
    pub faults: Vec<InjectedFault>,
    pub counters: Counters,
}

/// Versions that run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirmwareTruth {
    pub bios: String,
    pub bmc: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveTruth {
    pub name: String,
    pub serial_number: String,
    pub present: bool,
    pub erasing: bool,
    /// Record name → content as text; what is not UTF-8 is shown as its length.
    pub records: BTreeMap<String, String>,
}

/// A RAID volume, with what a host reads on it. What is on its drives beside that is shown there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeTruth {
    pub id: String,
    /// Under which name the host finds it.
    pub device: String,
    pub members: Vec<String>,
    pub records: BTreeMap<String, String>,
}

/// Record name → content as text; what is not UTF-8 is shown as its length.
fn texts(content: &DriveContent) -> BTreeMap<String, String> {
    let text =
        |data: &Vec<u8>| std::str::from_utf8(data).map_or_else(|_| format!("{} bytes", data.len()), str::to_owned);
    content
        .records
        .iter()
        .map(|(name, data)| (name.clone(), text(data)))
        .collect()
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectedFault {
    pub id: u64,
    pub fault: crate::fault::Fault,
}

impl Machine {
    pub(crate) fn truth(&self) -> MachineTruth {
        MachineTruth {
            name: self.hardware.name.clone(),
            power_state: self.power.state(true),
            execution: self.execution.clone(),
            guest: self
                .guest
                .clone()
                .filter(|_| matches!(self.execution, Execution::Guest { .. })),
            bmc_available: self.absence.is_none() && !self.faults.unreachable(),
            indicator_lit: self.indicator_lit,
            drives: self
                .drives
                .iter()
                .map(|drive| DriveTruth {
                    name: drive.name.0.clone(),
                    serial_number: drive.serial_number.clone(),
                    present: !drive.absent,
                    erasing: drive.erasure.is_some(),
                    records: texts(&drive.content),
                })
                .collect(),
            volumes: self
                .volumes
                .iter()
                .map(|volume| VolumeTruth {
                    id: volume.id.clone(),
                    device: volume.device.0.clone(),
                    members: volume.members.iter().map(|member| member.0.clone()).collect(),
                    records: texts(&volume.content),
                })
                .collect(),
            boot_override: self.boot.override_.clone(),
            boot_order: self.boot.order.clone(),
            factory_boot_order: self.boot.factory_order.clone(),
            staged_boot_order: self.boot.staged_order.clone(),
            boot_devices: self
                .boot
                .options
                .iter()
                .map(|option| (option.reference.clone(), option.device.label()))
                .collect(),
            bios_attributes: self.bios.current(self.personality),
            bios_pending: self.bios.pending().clone(),
            bios_reset_pending: self.bios.reset_pending(),
            ntp_servers: self.redfish.network.ntp_servers.clone(),
            firmware: FirmwareTruth {
                bios: self.firmware.version(Component::Bios, self.personality),
                bmc: self.firmware.version(Component::Bmc, self.personality),
            },
            sessions: self.redfish.sessions.ids(),
            accounts: self.redfish.accounts.names(),
            subscriptions: self.redfish.subscriptions.destinations(),
            tasks: self.redfish.tasks.states(),
            faults: self
                .faults
                .list()
                .map(|(id, fault)| InjectedFault {
                    id: id.0,
                    fault: fault.clone(),
                })
                .collect(),
            counters: self.counters.clone(),
        }
    }
}
