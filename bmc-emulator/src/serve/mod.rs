//! The fleet on real sockets: TLS, each BMC on its own address, the admin API on another.

mod certificates;
mod listener;
mod names;
mod sockets;
mod ssdp;
mod ssh;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::certificates::Authority;
use self::listener::Front;
pub use self::ssdp::serve_ssdp;
use crate::bmc::Bmc;
pub use crate::certificate::CertificateError;
use crate::fleet::Fleet;

/// How a fleet is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeOptions {
    /// Allow addresses other machines can reach. Emulated BMCs have well-known passwords.
    pub allow_remote: bool,
    pub listen: Listen,
}

/// Where the BMCs of a fleet are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// Each at its address and port, with a socket of its own.
    #[default]
    Each,
    /// Each at its address and port, all with one socket: for more BMCs than a process may have sockets. Linux only, and
    /// only for addresses in 127.0.0.0/8. Where no BMC is, connections are accepted and closed.
    Loopback,
    /// All at one address, at a port each: this one, and those that follow.
    Ports(SocketAddr),
    /// All behind one port. Clients say which BMC they want by its name: the first label of the host name they connect
    /// to, as in `https://node-7.localhost:8443` (SNI, else the `Host` header).
    One(SocketAddr),
}

/// A fleet that is being served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The certificate of the authority that has signed all BMC certificates, as PEM.
    pub ca_pem: String,
    /// In the order of the fleet.
    pub bmcs: Vec<ServedBmc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedBmc {
    pub name: String,
    /// Where it listens; the port is the real one where the fleet file says 0.
    pub address: SocketAddr,
    /// What clients call it, without a path.
    pub url: String,
}

impl ServedBmc {
    fn at(bmc: &Bmc, address: SocketAddr) -> Self {
        Self {
            name: bmc.name().to_owned(),
            address,
            url: format!("https://{address}"),
        }
    }

    fn named(bmc: &Bmc, address: SocketAddr) -> Self {
        let name = bmc.name().to_owned();
        Self {
            url: format!("https://{name}.localhost:{}", address.port()),
            name,
            address,
        }
    }
}

/// A fleet that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the BMC of {machine} has the address {address:?}; only IP addresses can be served")]
    NotAnAddress { machine: String, address: String },
    #[error("{address} can be reached by other machines; allow that explicitly, or use an address in 127.0.0.0/8")]
    NotLoopback { address: IpAddr },
    #[error("the BMC of {machine} at {address} cannot share a socket: it needs a port, and an address in 127.0.0.0/8")]
    NotShared { machine: String, address: SocketAddr },
    #[error("there are no {bmcs} ports from {first} on; begin lower, or share the fleet among processes (--shard)")]
    NoPorts { first: SocketAddr, bmcs: usize },
    #[error(
        "cannot take part in discovery on {interface}: {source}; the address must be one of this host's, and nothing else may have UDP port 1900 for itself"
    )]
    Discovery {
        interface: Ipv4Addr,
        source: std::io::Error,
    },
    #[error("cannot listen on {address}: {source}; {hint}")]
    Bind {
        address: SocketAddr,
        hint: &'static str,
        source: std::io::Error,
    },
    #[error("the BMC of {machine} has no SSH key: {message}")]
    SshKey { machine: String, message: String },
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot use a certificate: {0}")]
    Certificate(#[from] CertificateError),
}

/// Serves every BMC of the fleet over HTTPS until `stop`. All sockets listen when this returns; `progress` is
/// called after each of them with how many BMCs there are.
///
/// # Errors
/// If an address is not allowed or not free. Nothing is served then.
pub fn serve_fleet(
    fleet: &Fleet,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
    progress: impl Fn(usize),
) -> Result<Served, ServeError> {
    let authority = Authority::new()?;
    ssh::serve(fleet, options, stop, tasks)?;
    let bmcs = match options.listen {
        Listen::Each => {
            let own = |_: usize, bmc: &Bmc| Ok(SocketAddr::new(ip_of(bmc)?, bmc.endpoint().port));
            each(fleet, &authority, options, stop, tasks, progress, own)?
        }
        Listen::Ports(first) => {
            let counted = |index: usize, _: &Bmc| {
                let port = u16::try_from(usize::from(first.port()) + index);
                let port = port.map_err(|_| ServeError::NoPorts {
                    first,
                    bmcs: fleet.own_bmcs().len(),
                })?;
                Ok(SocketAddr::new(first.ip(), port))
            };
            each(fleet, &authority, options, stop, tasks, progress, counted)?
        }
        Listen::Loopback => loopback(fleet, &authority, stop, tasks, progress)?,
        Listen::One(address) => one(fleet, &authority, address, options, stop, tasks, progress)?,
    };
    Ok(Served {
        ca_pem: authority.pem(),
        bmcs,
    })
}

fn ip_of(bmc: &Bmc) -> Result<IpAddr, ServeError> {
    let address = bmc.endpoint().address;
    address.parse().map_err(|_| ServeError::NotAnAddress {
        machine: bmc.name().to_owned(),
        address,
    })
}

fn each(
    fleet: &Fleet,
    authority: &Authority,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
    progress: impl Fn(usize),
    address_of: impl Fn(usize, &Bmc) -> Result<SocketAddr, ServeError>,
) -> Result<Vec<ServedBmc>, ServeError> {
    let mut listeners = Vec::new();
    for (index, bmc) in fleet.own_bmcs().into_iter().enumerate() {
        let wanted = address_of(index, &bmc)?;
        let listener = sockets::bind(wanted, options)?;
        let address = sockets::local_address(&listener, wanted.ip(), wanted.port());
        listeners.push((bmc, listener, address));
        progress(listeners.len());
    }
    let mut served = Vec::with_capacity(listeners.len());
    for (bmc, listener, address) in listeners {
        served.push(ServedBmc::at(&bmc, address));
        let front = Front::Each(bmc);
        tasks.spawn(listener::serve_bmcs(front, listener, authority.clone(), stop.clone()));
    }
    Ok(served)
}

fn loopback(
    fleet: &Fleet,
    authority: &Authority,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
    progress: impl Fn(usize),
) -> Result<Vec<ServedBmc>, ServeError> {
    let mut ports: BTreeMap<u16, BTreeMap<IpAddr, Bmc>> = BTreeMap::new();
    let mut served = Vec::new();
    for bmc in fleet.own_bmcs() {
        let (ip, port) = (ip_of(&bmc)?, bmc.endpoint().port);
        if !(ip.is_ipv4() && ip.is_loopback()) || port == 0 {
            return Err(ServeError::NotShared {
                machine: bmc.name().to_owned(),
                address: SocketAddr::new(ip, port),
            });
        }
        served.push(ServedBmc::at(&bmc, SocketAddr::new(ip, port)));
        ports.entry(port).or_default().insert(ip, bmc);
    }
    let mut listeners = Vec::new();
    for (port, bmcs) in ports {
        listeners.push((sockets::bind_loopback(port)?, bmcs));
    }
    progress(served.len());
    for (listener, bmcs) in listeners {
        tasks.spawn(listener::serve_bmcs(
            Front::Loopback(bmcs),
            listener,
            authority.clone(),
            stop.clone(),
        ));
    }
    Ok(served)
}

fn one(
    fleet: &Fleet,
    authority: &Authority,
    address: SocketAddr,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
    progress: impl Fn(usize),
) -> Result<Vec<ServedBmc>, ServeError> {
    let nameless = authority.config_of_front(address.ip())?;
    let listener = sockets::bind(address, options)?;
    let address = sockets::local_address(&listener, address.ip(), address.port());
    let served: Vec<ServedBmc> = fleet
        .own_bmcs()
        .iter()
        .map(|bmc| ServedBmc::named(bmc, address))
        .collect();
    progress(served.len());
    let front = Front::Named(names::Names::new(fleet.clone(), nameless));
    tasks.spawn(listener::serve_bmcs(front, listener, authority.clone(), stop.clone()));
    Ok(served)
}

/// Serves the admin API over HTTP until `stop`, and says where.
///
/// # Errors
/// If the address is not allowed or not free.
pub fn serve_admin(
    fleet: &Fleet,
    token: &str,
    address: SocketAddr,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, ServeError> {
    let listener = sockets::bind(address, options)?;
    let bound = sockets::local_address(&listener, address.ip(), address.port());
    tasks.spawn(listener::serve_plain(fleet.admin_router(token), listener, stop.clone()));
    Ok(bound)
}
