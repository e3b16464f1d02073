//! Binds a router to a socket, over plain HTTP or TLS.

pub mod certificates;
mod tls;

use std::net::SocketAddr;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use tls::{HttpVersions, serve_tls};

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
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
        {
            tracing::error!(server = name, %error, "server ended");
        }
    });
    Ok(bound)
}
