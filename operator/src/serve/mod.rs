//! Binds a router to a socket, over plain HTTP or TLS.

pub mod certificates;
mod connections;
mod tls;

use std::net::SocketAddr;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use connections::Door;
pub use tls::{HttpVersions, serve_tls};

/// Connections at the same time: probes, wipe agents and BMCs with something to tell come in crowds when a data centre is switched on.
const CONNECTIONS: usize = 4096;

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot listen on {address}: {source}")]
pub struct ServeError {
    name: &'static str,
    address: SocketAddr,
    source: std::io::Error,
}

impl ServeError {
    fn new(name: &'static str, address: SocketAddr, source: std::io::Error) -> Self {
        Self { name, address, source }
    }
}

/// What a replica answers that does not lead, where only the leader can.
pub(crate) fn not_leading() -> Response {
    let again = [(header::RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, again, "this replica does not lead").into_response()
}

/// Serves plain HTTP until `stop`; requests under way are answered. Returns the address that was bound.
///
/// # Errors
/// The address is taken or not ours.
pub async fn serve(
    name: &'static str,
    address: SocketAddr,
    router: axum::Router,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, ServeError> {
    let failed = |source| ServeError::new(name, address, source);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(server = name, address = %bound, "listening");
    tasks.spawn(connections::accept(
        name,
        listener,
        Door::Open,
        CONNECTIONS,
        router,
        stop,
    ));
    Ok(bound)
}
