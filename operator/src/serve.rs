//! Binds a router to a socket.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot listen on {address}: {source}")]
pub struct ServeError {
    name: &'static str,
    address: SocketAddr,
    source: std::io::Error,
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
    let failed = |source| ServeError { name, address, source };
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
