//! Listening sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::{ServeError, ServeOptions};

/// As many connections may wait to be accepted; the kernel cuts it to its own limit (`net.core.somaxconn`). A whole fleet
/// is connected to at once when an operator starts.
const BACKLOG: u32 = 4096;

pub(super) fn bind(address: SocketAddr, options: ServeOptions) -> Result<TcpListener, ServeError> {
    if !options.allow_remote && !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback { address: address.ip() });
    }
    listen(address, |_| Ok(()))
}

/// One socket for `port` of all addresses in 127.0.0.0/8. It is bound to the loopback device: nothing else reaches it.
pub(super) fn bind_loopback(port: u16) -> Result<TcpListener, ServeError> {
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    listen(everywhere, |socket| {
        #[cfg(target_os = "linux")]
        return socket.bind_device(Some(b"lo"));
        #[cfg(not(target_os = "linux"))]
        {
            let _ = socket;
            Err(std::io::Error::other(
                "only Linux has a loopback device that a socket can be bound to",
            ))
        }
    })
}

fn listen(
    address: SocketAddr,
    prepare: impl FnOnce(&TcpSocket) -> std::io::Result<()>,
) -> Result<TcpListener, ServeError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A fleet that is started again must not wait for the connections of the one before.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        prepare(&socket)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source: std::io::Error| {
        let hint = match source.kind() {
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher bmc.port",
            std::io::ErrorKind::AddrInUse => "something else listens there; stop it or choose another port",
            std::io::ErrorKind::AddrNotAvailable => {
                "this host does not have the address; on macOS, add an alias for it to lo0"
            }
            _ => "with many BMCs, raise the limit of open files (ulimit -n), or give all of them one socket (--listen)",
        };
        ServeError::Bind { address, hint, source }
    })
}

pub(super) fn local_address(listener: &TcpListener, ip: IpAddr, port: u16) -> SocketAddr {
    listener.local_addr().unwrap_or_else(|_| SocketAddr::new(ip, port))
}
