//! The firmware after POST: works through the boot devices, and hands over to an operating system.

mod ipxe;
mod media;
pub(crate) mod network;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bmc::Bmc;
use crate::event::MachineEventKind;
use crate::guest::{Boot, BootSource, GuestExit, InBand};
use crate::machine::boot::BootDevice;
use crate::machine::power::Input;
use crate::machine::truth::Execution;
use crate::machine::{Machine, Moment};

/// One boot, decided by the end of POST and carried out by `Fleet::run`.
#[derive(Debug)]
pub(crate) struct BootJob {
    pub generation: u64,
    pub devices: Vec<BootDevice>,
    pub http_boot_uri: Option<String>,
    pub stop: CancellationToken,
}

/// Runs one boot until its guest ends or the machine is reset.
pub(crate) async fn run(bmc: Bmc, job: BootJob) {
    let stop = job.stop.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = boot(bmc, job) => {}
    }
}

async fn boot(bmc: Bmc, job: BootJob) {
    let mut failures = Vec::new();
    // Decided once per boot, by the first NIC that is tried.
    let mut misled = None;
    for device in &job.devices {
        let label = device.label();
        let current = update(&bmc, job.generation, |machine, _| {
            machine.execution = Execution::Firmware {
                device: Some(label.clone()),
            };
        });
        if current.is_none() {
            return;
        }
        let is_misled = || bmc.with(|machine, _| machine.faults.mislead_network_boot());
        let loaded = match device {
            BootDevice::Network { .. } if *misled.get_or_insert_with(is_misled) => {
                Err("sent by another NIC, which has no link to the boot server".to_owned())
            }
            device => load(&bmc, &job, device).await,
        };
        match loaded {
            Ok(source) => return hand_over(bmc, job.generation, job.stop, &label, source).await,
            Err(reason) => failures.push(format!("{label}: {reason}")),
        }
    }
    failures.push("no bootable device".to_owned());
    let reason = failures.join("; ");
    tracing::debug!(machine = bmc.name(), reason, "boot failed");
    update(&bmc, job.generation, |machine, moment| {
        machine.event(moment.wall, MachineEventKind::BootFailed { reason: reason.clone() });
        machine.execution = Execution::Halted { reason };
    });
}

/// Finds out what `device` would boot.
async fn load(bmc: &Bmc, job: &BootJob, device: &BootDevice) -> Result<BootSource, String> {
    match device {
        BootDevice::Network { nic } => network::load(bmc, nic, job.http_boot_uri.as_deref()).await,
        BootDevice::Media { slot, .. } => media::load(bmc, slot).await,
        BootDevice::Drive { drive } => bmc.with(|machine, _| {
            let content = machine.block_device(drive).ok_or("the drive is missing")?;
            let image = content.boot_image().ok_or("nothing to boot on it")?.to_vec();
            Ok(BootSource::Drive {
                drive: drive.clone(),
                image,
            })
        }),
    }
}

async fn hand_over(bmc: Bmc, generation: u64, stop: CancellationToken, label: &str, source: BootSource) {
    let loading = bmc.with(|machine, _| machine.timing.os_boot);
    sleep(loading).await;
    update(&bmc, generation, |machine, _| machine.load_kernel(measured(&source)));
    let source = match source {
        BootSource::Network {
            kernel_arguments,
            script,
            ..
        } => {
            match network::ignition(&bmc, &kernel_arguments).await {
                Ok(ignition) => BootSource::Network {
                    kernel_arguments,
                    script,
                    ignition,
                },
                Err(reason) => {
                    // The kernel runs already, so there is no way back to the firmware: an emergency shell.
                    update(&bmc, generation, |machine, moment| {
                        machine.event(moment.wall, MachineEventKind::BootFailed { reason: reason.clone() });
                        machine.execution = Execution::Halted { reason };
                    });
                    return;
                }
            }
        }
        local @ (BootSource::Drive { .. } | BootSource::Media { .. }) => local,
    };
    let started = update(&bmc, generation, |machine, moment| machine.guest_started(label, moment));
    let Some(life) = started else { return };
    let boot = Boot {
        machine: InBand::new(bmc.clone(), generation),
        source,
        stop,
    };
    let mut guest = bmc.shared().edges.guest.boot(boot);
    let exit = tokio::select! {
        biased;
        exit = &mut guest => exit,
        () = sleep(life.unwrap_or_default()), if life.is_some() => {
            update(&bmc, generation, Machine::guest_dies);
            return;
        }
    };
    update(&bmc, generation, |machine, moment| match exit {
        GuestExit::PoweredOff => machine.guest_input(Input::GuestPoweredOff, moment),
        GuestExit::Rebooted => machine.guest_input(Input::GuestRebooted, moment),
        GuestExit::Halted { reason } => machine.guest_halted(reason, moment),
    });
}

/// What the firmware measures before it starts it.
fn measured(source: &BootSource) -> &[u8] {
    match source {
        BootSource::Network { kernel_arguments, .. } => kernel_arguments.as_bytes(),
        BootSource::Drive { image, .. } => image,
        BootSource::Media { beginning, .. } => beginning,
    }
}

/// Changes the machine, unless it has been reset since `generation` began.
fn update<R>(bmc: &Bmc, generation: u64, f: impl FnOnce(&mut Machine, Moment) -> R) -> Option<R> {
    bmc.with(|machine, moment| (machine.generation == generation).then(|| f(machine, moment)))
}
