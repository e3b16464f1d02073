//! `bmc-emulator serve`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use bmc_emulator::fleet::spec::MachineSpec;
use bmc_emulator::serve::{Listen, ServeOptions, Served, serve_admin, serve_fleet, serve_ssdp};
use bmc_emulator::{Edges, Fleet, FleetSpec, Mockup, Mockups, Shard};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{edges, files, guest};

/// Longer tables are cut; the admin API lists all machines.
const TABLE_ROWS: usize = 40;

#[derive(Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    what: What,
    /// Where the certificate of the BMCs' authority is written.
    #[arg(long, value_name = "FILE", default_value = "bmc-emulator-ca.pem")]
    ca_file: PathBuf,
    /// Serve the admin API here (HTTP).
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Bearer token of the admin API. Default: made up and printed.
    #[arg(long, value_name = "TOKEN", env = "BMC_EMULATOR_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Hardware takes this many times less time than it would.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    time_scale: f64,
    /// Derived identities (UUIDs, serial numbers, addresses) follow from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where BMCs listen: `each` at its own address, with a socket each; `loopback`, the same with one socket for all of
    /// them, for more BMCs than a process may have sockets (Linux); ADDRESS:PORT+, a port each from this one on; or one
    /// ADDRESS:PORT for all, where they are told apart by name, as in https://node-7.localhost:8443.
    #[arg(long, value_name = "each|loopback|ADDRESS:PORT+|ADDRESS:PORT", default_value = "each", value_parser = listen)]
    listen: Listen,
    /// Serve only part I (from 0) of N, as in 0/4: every Nth machine.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Let BMCs be discovered by SSDP on the network of this address of this host, as in 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    ssdp: Option<Ipv4Addr>,
    /// Allow addresses that other machines can reach.
    #[arg(long)]
    allow_remote: bool,
}

/// The machines.
#[derive(Args, Debug)]
#[group(required = true)]
struct What {
    /// The fleet file; `bmc-emulator schema` says what may be in it.
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// Bring a recorded tree to life: a folder or archive in the layout of the DMTF's mockups. Can be repeated.
    #[arg(long = "mockup", value_name = "DIR|ARCHIVE")]
    mockups: Vec<PathBuf>,
}

impl What {
    /// All machines, and the recordings some of them replay.
    fn load(&self) -> anyhow::Result<(FleetSpec, Mockups)> {
        let (mut spec, folder) = match &self.fleet {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the fleet file {}", file.display()))?;
                let folder = file.parent().map(Path::to_owned).unwrap_or_default();
                (FleetSpec::from_yaml(&text, &file.to_string_lossy())?, folder)
            }
            None => (FleetSpec::default(), PathBuf::new()),
        };
        let mut mockups = Mockups::new();
        for name in spec.machines.iter().filter_map(|machine| machine.mockup.as_ref()) {
            if !mockups.contains_key(name) {
                mockups.insert(name.clone(), Mockup::load(&folder.join(name))?);
            }
        }
        for path in &self.mockups {
            let mockup = path.to_string_lossy().into_owned();
            mockups.insert(mockup.clone(), Mockup::load(path)?);
            spec.machines.push(MachineSpec {
                name: stem(path),
                mockup: Some(mockup),
                ..MachineSpec::default()
            });
        }
        Ok((spec, mockups))
    }
}

/// A name for a machine: the file's, without what says how it is packed.
fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let stem = name.split_once(".t").map_or(name.as_str(), |(stem, _)| stem);
    if stem.is_empty() {
        "recorded".to_owned()
    } else {
        stem.to_owned()
    }
}

impl std::fmt::Debug for ServeArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeArguments")
            .field("what", &self.what)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

fn listen(text: &str) -> Result<Listen, String> {
    match text {
        "each" => Ok(Listen::Each),
        "loopback" => Ok(Listen::Loopback),
        text => {
            let (address, counts) = text.strip_suffix('+').map_or((text, false), |address| (address, true));
            match address.parse() {
                Ok(address) if counts => Ok(Listen::Ports(address)),
                Ok(address) => Ok(Listen::One(address)),
                Err(_) => Err("each, loopback, or an address with a port is needed".to_owned()),
            }
        }
    }
}

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let (spec, mockups) = arguments.what.load()?;
    let edges = Edges {
        clock: edges::clock(),
        http: edges::http()?,
        guest: Arc::new(guest::IdleGuest),
        seed: arguments.seed,
        time_scale: arguments.time_scale,
    };
    let fleet = Fleet::part(&spec, edges, &mockups, arguments.shard)?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let options = ServeOptions {
        allow_remote: arguments.allow_remote,
        listen: arguments.listen,
    };
    let total = fleet.own_bmcs().len();
    files::allow(total);
    let served = serve_fleet(&fleet, options, &stop, &mut tasks, |done| {
        if done % 1000 == 0 {
            eprintln!("{done} of {total} BMCs listen");
        }
    })?;
    std::fs::write(&arguments.ca_file, &served.ca_pem)
        .with_context(|| format!("cannot write the CA certificate to {}", arguments.ca_file.display()))?;
    print_table(&fleet, &served);
    println!(
        "\n{total} BMCs listen; their certificates are signed by {}",
        arguments.ca_file.display()
    );
    if let Some(interface) = arguments.ssdp {
        serve_ssdp(&fleet, &served, interface, options, &stop, &mut tasks)?;
    }
    if let Some(address) = arguments.admin {
        let token = arguments.admin_token.map_or_else(edges::random_token, Ok)?;
        let address = serve_admin(&fleet, &token, address, options, &stop, &mut tasks)?;
        println!("admin API: curl -H 'Authorization: Bearer {token}' http://{address}/machines");
    }
    if let (Some(bmc), Some(first)) = (fleet.own_bmcs().first(), served.bmcs.first()) {
        let endpoint = bmc.endpoint();
        println!(
            "try: curl --cacert {} -u {}:{} {}/redfish/v1/Systems",
            arguments.ca_file.display(),
            endpoint.username,
            endpoint.password.expose(),
            first.url,
        );
    }
    let (running, token) = (fleet.clone(), stop.clone());
    tasks.spawn(async move { running.run(token).await });
    // The first process of a container is not ended by a signal that it does not wait for.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for an interrupt")?,
        _ = terminate.recv() => {}
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn print_table(fleet: &Fleet, served: &Served) {
    let rows: Vec<[String; 4]> = fleet
        .own_bmcs()
        .iter()
        .zip(&served.bmcs)
        .take(TABLE_ROWS)
        .map(|(bmc, served)| {
            [
                bmc.name().to_owned(),
                served.url.clone(),
                bmc.system_uuid().to_string(),
                bmc.endpoint().username,
            ]
        })
        .collect();
    let header = ["NAME", "BMC", "SYSTEM UUID", "USER"].map(str::to_owned);
    let width = |column: usize| {
        rows.iter()
            .chain([&header])
            .map(|row| row[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 3] = [width(0), width(1), width(2)];
    for row in [&header].into_iter().chain(&rows) {
        let [name, bmc, uuid, user] = row;
        let [first, second, third] = widths;
        println!("{name:first$}  {bmc:second$}  {uuid:third$}  {user}");
    }
    if served.bmcs.len() > rows.len() {
        println!("… and {} more", served.bmcs.len() - rows.len());
    }
}
