//! The operating systems of emulated machines: what firmware hands over to.
//!
//! A machine runs what its ignition asks for, and nothing else decides it: the probe agent or the wipe agent with
//! exactly the flags found there, else a tenant's workload. The agents are the ones that run on real hosts. One image is no tenant's: what
//! people boot in a maintenance ([`MAINTENANCE_IMAGE`]) runs from memory.
//!
//! | module | subject |
//! |---|---|
//! | `ignition` | reading an Ignition document as its first boot would |
//! | `unit` | the part of systemd units that decides what is started |
//! | `agents` | runs an agent as its unit says |
//! | `host` | an emulated machine as the agents see it |
//! | [`identity`] | what a guest turned out to be, as observers of its machine read it |
//! | [`tenant`] | a tenant's workload, and the label that tells whose data is on a drive |

mod agents;
mod host;
pub mod identity;
mod ignition;
pub mod tenant;
mod unit;

use bmc_emulator::{Boot, BootSource, GuestExit, GuestOs, InBand};
use futures::FutureExt;
use futures::future::BoxFuture;
use probe::HttpService;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use identity::GuestKind;
use ignition::{AgentService, FirstBoot};
use tenant::TenantLabel;

/// Last part of the name of an image that installs nothing: tools for people who work on a machine.
pub const MAINTENANCE_IMAGE: &str = "maintenance-os";

/// All operating systems of a fleet. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    http: HttpService,
}

impl Guests {
    /// `http` is the network as seen from the machines.
    #[must_use]
    pub fn new(http: HttpService) -> Self {
        Self { http }
    }
}

impl GuestOs for Guests {
    fn boot(&self, boot: Boot) -> BoxFuture<'static, GuestExit> {
        let guests = self.clone();
        async move {
            let Boot { machine, source, stop } = boot;
            let system = match source {
                BootSource::Drive { drive, image } => match TenantLabel::from_bytes(&image) {
                    Some(label) => Ok(System::Installed(label)),
                    None => Err(format!("the image on {drive} is none of this world")),
                },
                BootSource::Media { image, .. } => Err(format!("the image {image} is none of this world")),
                BootSource::Network { script, ignition, .. } => first_boot(&script, ignition.as_ref()),
            };
            match system {
                Ok(system) => guests.run(machine, system, &stop).await,
                Err(reason) => GuestExit::Halted { reason },
            }
        }
        .boxed()
    }
}

/// What a machine turned out to be.
enum System {
    Agent(AgentService),
    /// A tenant that was just delivered.
    Delivered(TenantLabel, FirstBoot),
    /// A tenant that boots from its own drive.
    Installed(TenantLabel),
    /// What people boot to work on the machine.
    Tools(TenantLabel),
}

fn first_boot(script: &str, document: Option<&Value>) -> Result<System, String> {
    let first_boot = ignition::read(document).map_err(|error| format!("ignition failed: {error}"))?;
    Ok(match first_boot.agent {
        Some(agent) => System::Agent(agent),
        None => {
            let label = TenantLabel::of_script(script, document);
            match label.is_of(MAINTENANCE_IMAGE) {
                true => System::Tools(label),
                false => System::Delivered(label, first_boot),
            }
        }
    })
}

impl Guests {
    /// Runs until the power goes off: an operating system outlives what it runs.
    async fn run(&self, machine: InBand, system: System, stop: &CancellationToken) -> GuestExit {
        let outcome = match system {
            System::Agent(service) => {
                agents::run(&service, &machine, self.http.clone(), stop).await;
                Ok(())
            }
            System::Delivered(label, first_boot) => {
                identity::label(&machine, GuestKind::DeliveredTenant, &label);
                info!(machine = machine.machine_name(), %label, "tenant installs itself");
                match ignition::fetch_files(&first_boot.files, &self.http).await {
                    Ok(files) => {
                        let disk = first_boot.disk.as_deref();
                        tenant::install(&machine, &label, disk, files).map_err(|error| error.to_string())
                    }
                    Err(error) => Err(format!("ignition failed: {error}")),
                }
            }
            System::Tools(label) => {
                identity::label(&machine, GuestKind::MaintenanceSystem, &label);
                Ok(())
            }
            System::Installed(label) => {
                identity::label(&machine, GuestKind::InstalledTenant, &label);
                info!(machine = machine.machine_name(), %label, "tenant boots from its drive");
                tenant::work(&machine, &label).map_err(|error| error.to_string())
            }
        };
        match outcome {
            Ok(()) => {
                stop.cancelled().await;
                GuestExit::PoweredOff
            }
            Err(reason) => GuestExit::Halted { reason },
        }
    }
}
