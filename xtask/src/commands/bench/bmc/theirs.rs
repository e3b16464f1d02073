//! The emulators of others: a process per BMC, in plain HTTP and without a password, which is in their favour.

use super::Results;
use super::load::{Load, Service};
use super::process::{Process, free_address};
use crate::commands::venv::Venv;
use miette::Context;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// What they are installed as, and what the DMTF's server needs.
pub(super) const PINS: [&str; 3] = ["sushy-tools==2.2.0", "requests", "grequests"];

pub(super) async fn sushy(venv: &Venv, folder: &Path, load: &Load) -> miette::Result<Results> {
    let address = free_address()?;
    let mut command = Command::new(venv.program("sushy-emulator"));
    command.args([
        "--fake",
        "-i",
        &address.ip().to_string(),
        "-p",
        &address.port().to_string(),
    ]);
    let process = Process::start(&mut command, &folder.join("sushy-emulator.log"), false)?;
    // It knows no query parameters.
    measure("sushy-emulator", process, address, load, false).await
}

pub(super) async fn mockup_server(
    venv: &Venv,
    clone: &Path,
    recording: &Path,
    folder: &Path,
    load: &Load,
) -> miette::Result<Results> {
    let address = free_address()?;
    let mut command = Command::new(venv.python());
    command
        .arg("redfishMockupServer.py")
        .args(["-H", &address.ip().to_string(), "-p", &address.port().to_string(), "-D"])
        .arg(recording)
        .current_dir(clone);
    let process = Process::start(&mut command, &folder.join("mockup-server.log"), false)?;
    measure("DMTF mockup server", process, address, load, true).await
}

async fn measure(
    name: &'static str,
    mut process: Process,
    address: SocketAddr,
    load: &Load,
    expands: bool,
) -> miette::Result<Results> {
    let start = process.listens(address)?;
    let service = Service::new(format!("http://{address}"), None, None)?;
    let system = service.system().await.wrap_err(name)?;
    let memory = process.memory();
    let boot = json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } });
    let (get_system, work_per_get) = load.cost(&process, || service.get(&system)).await.wrap_err(name)?;
    let patch_boot = load.rate(|| service.patch(&system, &boot)).await.wrap_err(name)?;
    let expand = match expands {
        true => Some(
            load.rate(|| service.get("/redfish/v1/Systems?$expand=."))
                .await
                .wrap_err(name)?,
        ),
        false => None,
    };
    Ok(Results {
        name,
        get_system: Some(get_system),
        work_per_get,
        patch_boot: Some(patch_boot),
        expand,
        memory_per_bmc: memory,
        start,
    })
}
