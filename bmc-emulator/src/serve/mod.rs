//! The fleet on real sockets: TLS, each BMC on its own address, the admin API on another.

mod certificates;
mod listener;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::certificates::Authority;
pub use crate::certificate::CertificateError;
use crate::fleet::Fleet;

/// How a fleet is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeOptions {
    /// Allow addresses other machines can reach. Emulated BMCs have well-known passwords.
    pub allow_remote: bool,
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
}

/// A fleet that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the BMC of {machine} has the address {address:?}; only IP addresses can be served")]
    NotAnAddress { machine: String, address: String },
    #[error("{address} can be reached by other machines; allow that explicitly, or use an address in 127.0.0.0/8")]
    NotLoopback { address: IpAddr },
    #[error("cannot listen on {address}: {source}; {hint}")]
    Bind {
        address: SocketAddr,
        hint: &'static str,
        source: std::io::Error,
    },
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot use a certificate: {0}")]
    Certificate(#[from] CertificateError),
}

/// Serves every BMC of the fleet over HTTPS until `stop`. All sockets listen when this returns; `progress` is
/// called after each of them with how many there are.
///
/// # Errors
/// If an address is not allowed or not free. Nothing is served then.
pub async fn serve_fleet(
    fleet: &Fleet,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
    progress: impl Fn(usize),
) -> Result<Served, ServeError> {
    let authority = Authority::new()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut listeners = Vec::new();
    for bmc in fleet.bmcs() {
        let endpoint = bmc.endpoint();
        let ip: IpAddr = endpoint.address.parse().map_err(|_| ServeError::NotAnAddress {
            machine: bmc.name().to_owned(),
            address: endpoint.address.clone(),
        })?;
        let listener = bind(SocketAddr::new(ip, endpoint.port), options).await?;
        let address = local_address(&listener, ip, endpoint.port);
        let config = authority.server_config(&bmc, ip, &provider)?;
        listeners.push((bmc, listener, address, config));
        progress(listeners.len());
    }
    let mut bmcs = Vec::with_capacity(listeners.len());
    for (bmc, listener, address, tls) in listeners {
        bmcs.push(ServedBmc {
            name: bmc.name().to_owned(),
            address,
        });
        tasks.spawn(listener::serve_bmc(bmc, listener, tls, stop.clone()));
    }
    Ok(Served {
        ca_pem: authority.pem(),
        bmcs,
    })
}

/// Serves the admin API over HTTP until `stop`, and says where.
///
/// # Errors
/// If the address is not allowed or not free.
pub async fn serve_admin(
    fleet: &Fleet,
    token: &str,
    address: SocketAddr,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, ServeError> {
    let listener = bind(address, options).await?;
    let bound = local_address(&listener, address.ip(), address.port());
    tasks.spawn(listener::serve_plain(fleet.admin_router(token), listener, stop.clone()));
    Ok(bound)
}

async fn bind(address: SocketAddr, options: ServeOptions) -> Result<TcpListener, ServeError> {
    if !options.allow_remote && !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback { address: address.ip() });
    }
    TcpListener::bind(address).await.map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher bmc.port",
            std::io::ErrorKind::AddrInUse => "something else listens there; stop it or choose another port",
            std::io::ErrorKind::AddrNotAvailable => {
                "this host does not have the address; on macOS, add an alias for it to lo0"
            }
            _ => "with many BMCs, raise the limit of open files (ulimit -n)",
        };
        ServeError::Bind { address, hint, source }
    })
}

fn local_address(listener: &TcpListener, ip: IpAddr, port: u16) -> SocketAddr {
    listener.local_addr().unwrap_or_else(|_| SocketAddr::new(ip, port))
}
