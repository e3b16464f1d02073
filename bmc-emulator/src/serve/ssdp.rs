//! The sockets of SSDP: one that hears the group, one that speaks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ServeError, ServeOptions, Served};
use crate::fleet::Fleet;
use crate::ssdp::{self, Discoverable, GROUP};

/// Datagrams that wait to be understood, or sent.
const QUEUE: usize = 1024;
/// No search is longer.
const MAXIMUM_DATAGRAM: usize = 2048;
/// UPnP §1.1.
const TIME_TO_LIVE: u32 = 2;

/// Makes the BMCs of a served fleet discoverable on the network of `interface`, one of this host's addresses, until `stop`.
///
/// # Errors
/// If others could hear it and that is not allowed, or the sockets cannot be had.
pub fn serve_ssdp(
    fleet: &Fleet,
    served: &Served,
    interface: Ipv4Addr,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), ServeError> {
    if !options.allow_remote && !interface.is_loopback() {
        return Err(ServeError::NotLoopback {
            address: IpAddr::V4(interface),
        });
    }
    let failed = |source| ServeError::Discovery { interface, source };
    let ears = ears(interface).map_err(failed)?;
    let mouth = mouth(interface).map_err(failed)?;
    let bmcs = fleet.own_bmcs().into_iter().zip(&served.bmcs);
    let bmcs: Vec<Discoverable> = bmcs
        .map(|(bmc, served)| Discoverable {
            bmc,
            url: served.url.clone(),
        })
        .collect();
    let (arrives, arriving) = mpsc::channel(QUEUE);
    let (leaves, leaving) = mpsc::channel(QUEUE);
    tasks.spawn(hear(ears, arrives, stop.clone()));
    tasks.spawn(speak(mouth, leaving));
    tasks.spawn(ssdp::run(bmcs, fleet.seed(), arriving, leaves, stop.clone()));
    Ok(())
}

async fn hear(socket: UdpSocket, arrives: mpsc::Sender<(Bytes, SocketAddr)>, stop: CancellationToken) {
    let mut buffer = vec![0; MAXIMUM_DATAGRAM];
    loop {
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, sender)) => {
                // Whoever floods the group loses searches, as with any datagram.
                arrives
                    .try_send((Bytes::copy_from_slice(&buffer[..length]), sender))
                    .ok();
            }
            Err(error) => tracing::debug!(%error, "a datagram was not received"),
        }
    }
}

/// Ends when nobody has anything to say any more, after the last farewell.
async fn speak(socket: UdpSocket, mut leaving: mpsc::Receiver<(Bytes, SocketAddr)>) {
    while let Some((datagram, to)) = leaving.recv().await {
        if let Err(error) = socket.send_to(&datagram, to).await {
            tracing::debug!(%error, %to, "a datagram was not sent");
        }
    }
}

/// Hears what is sent to the group on the network of `interface`. Others may listen there, too.
fn ears(interface: Ipv4Addr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Bound to the group, it does not hear what is sent to this host. Windows cannot do that.
    let address = if cfg!(windows) {
        SocketAddr::new(IpAddr::V4(interface), GROUP.port())
    } else {
        GROUP
    };
    socket.bind(&address.into())?;
    let IpAddr::V4(group) = GROUP.ip() else {
        return Err(std::io::ErrorKind::Unsupported.into());
    };
    socket.join_multicast_v4(&group, &interface)?;
    UdpSocket::from_std(socket.into())
}

fn mouth(interface: Ipv4Addr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_if_v4(&interface)?;
    socket.set_multicast_ttl_v4(TIME_TO_LIVE)?;
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(interface, 0)).into())?;
    UdpSocket::from_std(socket.into())
}
