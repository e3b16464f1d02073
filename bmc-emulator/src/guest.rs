//! What runs once the firmware has booted, and how it sees the machine from inside.

use std::fmt;
use std::net::IpAddr;

use futures::future::BoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bmc::Bmc;
use crate::event::MachineEventKind;
use crate::fleet::spec::{NeighborSpec, ProcessorSpec};
use crate::machine::drive::{DriveContent, DriveError, DriveName};
use crate::machine::guest::GuestIdentity;
use crate::machine::installed_firmware::Component;
use crate::machine::power::Input;

/// The operating systems of the emulated world, provided by whoever runs the fleet.
pub trait GuestOs: Send + Sync {
    /// Starts what `boot` asks for. The future is dropped when the machine loses power or is reset.
    fn boot(&self, boot: Boot) -> BoxFuture<'static, GuestExit>;
}

/// Everything a guest gets when it is started.
pub struct Boot {
    pub machine: InBand,
    pub source: BootSource,
    /// Cancelled just before the future is dropped.
    pub stop: CancellationToken,
}

/// Where the guest was loaded from.
#[derive(Clone, Debug, PartialEq)]
pub enum BootSource {
    Network {
        /// The kernel command line, with all variables resolved.
        kernel_arguments: String,
        /// The boot script as it was fetched.
        script: String,
        /// What `ignition.config.url` of the command line served.
        ignition: Option<serde_json::Value>,
    },
    Drive {
        drive: DriveName,
        /// The bytes of the record [`DriveContent::BOOT_IMAGE`].
        image: Vec<u8>,
    },
    /// A virtual medium.
    Media {
        /// `Id` of the `VirtualMedia` resource.
        slot: String,
        /// Where the image is.
        image: String,
        /// How it begins: as much as firmware reads.
        beginning: Vec<u8>,
    },
}

/// How a guest ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestExit {
    PoweredOff,
    Rebooted,
    /// Nothing runs any more, but the power stays on (a kernel panic, or the end of a test agent).
    Halted {
        reason: String,
    },
}

/// A machine as its own operating system sees it. Every access fails once the machine has been reset under it.
#[derive(Clone)]
pub struct InBand {
    bmc: Bmc,
    generation: u64,
}

/// What the firmware's tables say (DMI).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dmi {
    pub system_uuid: Uuid,
    pub manufacturer: String,
    pub product_name: String,
    pub sku: String,
    pub serial_number: String,
    pub bios_vendor: String,
    pub bios_version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InBandNic {
    pub name: String,
    pub mac_address: String,
    pub ips: Vec<IpAddr>,
    pub speed_mbps: u32,
    pub carrier: bool,
    pub neighbor: Option<NeighborSpec>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InBandDrive {
    /// Device path, for example `/dev/nvme0n1`.
    pub path: String,
    pub name: DriveName,
    pub serial_number: String,
    pub wwid: String,
    pub model: String,
    pub manufacturer: String,
    pub size_bytes: u64,
    pub rotational: bool,
    /// `NVMe`, `SATA` or `SAS`.
    pub protocol: &'static str,
}

impl fmt::Debug for InBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InBand")
            .field("machine", &self.bmc.name())
            .finish_non_exhaustive()
    }
}

impl InBand {
    pub(crate) fn new(bmc: Bmc, generation: u64) -> Self {
        Self { bmc, generation }
    }

    /// The machine's name in the fleet, for logs.
    pub fn machine_name(&self) -> &str {
        self.bmc.name()
    }

    pub fn system_uuid(&self) -> Uuid {
        self.bmc.system_uuid()
    }

    pub fn dmi(&self) -> Dmi {
        self.bmc.with(|machine, _| Dmi {
            system_uuid: machine.hardware.uuid,
            manufacturer: machine.hardware.manufacturer.clone(),
            product_name: machine.hardware.model.clone(),
            sku: machine.hardware.sku.clone(),
            serial_number: machine.hardware.serial_number.clone(),
            bios_vendor: machine.hardware.manufacturer.clone(),
            bios_version: machine.firmware.version(Component::Bios, machine.personality),
        })
    }

    pub fn processors(&self) -> Vec<ProcessorSpec> {
        self.bmc.with(|machine, _| machine.hardware.processors.clone())
    }

    /// In bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.bmc.with(|machine, _| u64::from(machine.hardware.memory_gib) << 30)
    }

    pub fn nics(&self) -> Vec<InBandNic> {
        self.bmc.with(|machine, _| {
            machine
                .hardware
                .nics
                .iter()
                .map(|nic| InBandNic {
                    name: nic.name.clone(),
                    mac_address: nic.mac_address.clone(),
                    ips: nic.ips.clone(),
                    speed_mbps: nic.speed_mbps,
                    carrier: nic.link_up,
                    neighbor: nic
                        .neighbor
                        .clone()
                        .filter(|_| nic.link_up && !machine.faults.silence_neighbors()),
                })
                .collect()
        })
    }

    /// All drives that are plugged in, and all volumes that work. A drive that is a member of a volume is not seen.
    pub fn drives(&self) -> Vec<InBandDrive> {
        self.bmc.with(|machine, _| {
            let volumes = machine.volumes.iter().filter(|volume| machine.volume_works(volume));
            machine
                .drives
                .iter()
                .filter(|drive| !drive.absent && machine.volume_of(&drive.name).is_none())
                .map(|drive| InBandDrive {
                    path: format!("/dev/{}", drive.name),
                    name: drive.name.clone(),
                    serial_number: drive.serial_number.clone(),
                    wwid: drive.wwid.clone(),
                    model: drive.model.clone(),
                    manufacturer: drive.manufacturer.clone(),
                    size_bytes: drive.size_bytes,
                    rotational: drive.is_rotational(),
                    protocol: drive.protocol.as_str(),
                })
                .chain(volumes.map(|volume| {
                    InBandDrive {
                        path: format!("/dev/{}", volume.device),
                        name: volume.device.clone(),
                        serial_number: volume.serial_number.clone(),
                        wwid: volume.wwid.clone(),
                        model: "RAID Volume".to_owned(),
                        manufacturer: machine.hardware.manufacturer.clone(),
                        size_bytes: volume.capacity_bytes,
                        rotational: machine
                            .drives
                            .iter()
                            .any(|drive| volume.members.contains(&drive.name) && drive.is_rotational()),
                        protocol: "SAS",
                    }
                }))
                .collect()
        })
    }

    pub fn read(&self, drive: &DriveName) -> Result<DriveContent, DriveError> {
        let generation = self.generation;
        self.bmc
            .with(|machine, _| machine.guest_drive(generation, drive).cloned())
    }

    /// Replaces the whole content of a drive.
    pub fn write(&self, drive: &DriveName, content: DriveContent) -> Result<(), DriveError> {
        let generation = self.generation;
        self.bmc.with(|machine, moment| {
            let records = content.records.keys().cloned().collect();
            *machine.guest_drive(generation, drive)? = content;
            machine.event(
                moment.wall,
                MachineEventKind::DriveWritten {
                    drive: drive.0.clone(),
                    records,
                },
            );
            Ok(())
        })
    }

    /// Erases a drive; takes as long as the hardware takes. Dropped half way, it has erased nothing.
    pub async fn erase(&self, drive: &DriveName) -> Result<(), DriveError> {
        let generation = self.generation;
        let duration = self.bmc.with(|machine, moment| {
            machine.guest_drive(generation, drive)?;
            machine.erase_started(drive, true, moment.wall);
            Ok(machine.timing.secure_erase)
        })?;
        tokio::time::sleep(duration).await;
        self.bmc.with(|machine, moment| {
            machine.guest_drive(generation, drive)?;
            machine.finish_erase(drive, true, moment.wall)
        })
    }

    /// What the clock of the machine shows, right or wrong.
    pub fn time(&self) -> jiff::Timestamp {
        self.bmc.with(|machine, moment| machine.host_time(moment.wall))
    }

    /// Says what this guest is, for those who watch the machine from outside of the emulated world. No face of the
    /// machine shows it. The words are up to whoever provides the guests.
    pub fn identify(&self, kind: impl Into<String>, label: impl Into<String>) {
        let identity = GuestIdentity {
            kind: kind.into(),
            label: label.into(),
        };
        let generation = self.generation;
        self.bmc.with(|machine, moment| {
            if machine.generation == generation {
                machine.guest_identified(identity, moment);
            }
        });
    }

    /// Switches the machine off, as `poweroff` does. The calling guest is cut off by it.
    pub fn power_off(&self) {
        self.guest_input(Input::GuestPoweredOff);
    }

    /// Restarts the machine, as `reboot` does. The calling guest is cut off by it.
    pub fn reboot(&self) {
        self.guest_input(Input::GuestRebooted);
    }

    fn guest_input(&self, input: Input) {
        let generation = self.generation;
        self.bmc.with(|machine, moment| {
            if machine.generation == generation {
                machine.guest_input(input, moment);
            }
        });
    }
}
