//! HTTPS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::ServeError;
use super::certificates::Certificate;
use super::connections::{Door, accept};

/// Connections at the same time: API servers and those who collect metrics are few.
const CONNECTIONS: usize = 256;

/// Which protocols are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersions {
    /// HTTP/1.1 only. HTTP/2 lets a client make a server work for requests that it takes back at once.
    One,
    OneAndTwo,
}

/// Serves HTTPS until `stop`; requests under way are answered. Returns the address that was bound.
///
/// # Errors
/// The address is taken or not ours, or TLS cannot be set up.
pub async fn serve_tls(
    name: &'static str,
    address: SocketAddr,
    router: axum::Router,
    certificate: Arc<Certificate>,
    versions: HttpVersions,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, ServeError> {
    let failed = |source| ServeError::new(name, address, source);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let acceptor = acceptor(certificate.clone(), versions).map_err(|error| failed(std::io::Error::other(error)))?;
    tracing::info!(server = name, address = %bound, tls = true, "listening");
    tasks.spawn(async move {
        tokio::join!(
            certificate.follow(stop.clone()),
            accept(name, listener, Door::Tls(acceptor), CONNECTIONS, router, stop)
        );
    });
    Ok(bound)
}

fn acceptor(certificate: Arc<Certificate>, versions: HttpVersions) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = match versions {
        HttpVersions::One => vec![b"http/1.1".to_vec()],
        HttpVersions::OneAndTwo => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(TlsAcceptor::from(Arc::new(config)))
}
