//! `bmc-emulator`.

use super::load::{Load, Service};
use super::process::Process;
use super::{Results, Size};
use miette::{Context, IntoDiagnostic};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const PASSWORD: &str = "Bench-1234";
/// With a socket each, as many as are usual.
const OWN_SOCKETS: u32 = 10_000;
/// BMCs that are contacted at the same time.
const CONTACTS: u32 = 64;

struct Served {
    process: Process,
    start: Duration,
    first_url: String,
    ca_file: PathBuf,
}

/// A fleet of `count` machines. `listen` as the option of the program.
fn serve(program: &Path, folder: &Path, count: u32, listen: &str) -> miette::Result<Served> {
    let fleet = folder.join("fleet.yaml");
    let port = if listen == "each" && count == 1 { 0 } else { 8443 };
    let text = format!(
        "machines:\n- name: node\n  count: {count}\n  bmc: {{ port: {port}, password: {PASSWORD} }}\nfirstAddress: 127.64.0.1\n"
    );
    std::fs::write(&fleet, text)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", fleet.display()))?;
    let ca_file = folder.join("ca.pem");
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", listen, "--fleet"])
        .arg(fleet)
        .arg("--ca-file")
        .arg(&ca_file);
    command.env("RUST_LOG", "warn");
    let mut process = Process::start(&mut command, &folder.join("bmc-emulator.log"), true)?;
    let mut first_url = None;
    let start = process.line_with("BMCs listen", |line| {
        let url = line.split_whitespace().find(|word| word.starts_with("https://"));
        first_url = first_url.take().or_else(|| url.map(str::to_owned));
    })?;
    Ok(Served {
        process,
        start,
        first_url: first_url.unwrap_or_default(),
        ca_file,
    })
}

pub(super) async fn requests(program: &Path, folder: &Path, load: &Load) -> miette::Result<Results> {
    let served = serve(program, folder, 1, "each")?;
    let service = Service::new(served.first_url.clone(), Some(PASSWORD), Some(&served.ca_file))?;
    let system = service.system().await?;
    let boot = json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } });
    let (get_system, work_per_get) = load.cost(&served.process, || service.get(&system)).await?;
    Ok(Results {
        name: "bmc-emulator",
        get_system: Some(get_system),
        work_per_get,
        patch_boot: Some(load.rate(|| service.patch(&system, &boot)).await?),
        expand: Some(load.rate(|| service.get("/redfish/v1/Systems?$expand=.")).await?),
        memory_per_bmc: None,
        start: served.start,
    })
}

/// Its own tree as files, for servers of mockups.
pub(super) fn record(program: &Path, folder: &Path) -> miette::Result<PathBuf> {
    let served = serve(program, folder, 1, "each")?;
    let output = folder.join("recording");
    std::fs::remove_dir_all(&output).ok();
    let finished = Command::new(program)
        .args([
            "record",
            &served.first_url,
            "--user",
            "admin",
            "--rate",
            "1000",
            "--ca-file",
        ])
        .arg(&served.ca_file)
        .arg("--output")
        .arg(&output)
        .env("BMC_PASSWORD", PASSWORD)
        .output()
        .into_diagnostic()?;
    if !finished.status.success() {
        miette::bail!(
            "the emulator cannot be recorded: {}",
            String::from_utf8_lossy(&finished.stderr)
        );
    }
    Ok(output)
}

pub(super) async fn size(program: &Path, folder: &Path, bmcs: u32) -> miette::Result<Size> {
    let own = serve(program, folder, OWN_SOCKETS.min(bmcs), "each")?.start;
    let alone = serve(program, folder, 1, "loopback")?.process.memory();
    let served = serve(program, folder, bmcs, "loopback")?;
    let idle_memory = served.process.memory();
    let per_bmc = |all: Option<u64>| Some(all?.saturating_sub(alone?) / u64::from(bmcs.max(1)));
    let service = Service::passing_by(PASSWORD, &served.ca_file)?;
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..CONTACTS {
        let service = service.clone();
        workers.spawn(async move {
            let mut unanswered = 0;
            for index in (worker..bmcs).step_by(CONTACTS as usize) {
                // As the fleet counts its addresses: without those that end in 0 or 255.
                let address = format!(
                    "127.{}.{}.{}",
                    64 + index / 254 / 256,
                    index / 254 % 256,
                    index % 254 + 1
                );
                let bmc = service.at(format!("https://{address}:8443"));
                if bmc.json("/redfish/v1/Systems/1").await.is_err() {
                    unanswered += 1;
                }
            }
            unanswered
        });
    }
    let mut unanswered = 0;
    while let Some(finished) = workers.join_next().await {
        unanswered += finished.into_diagnostic()?;
    }
    Ok(Size {
        bmcs,
        shared_start: served.start,
        own_sockets: OWN_SOCKETS.min(bmcs),
        own_start: own,
        idle_memory: per_bmc(idle_memory),
        contact: begin.elapsed(),
        unanswered,
        memory_after_contact: per_bmc(served.process.memory()),
    })
}
