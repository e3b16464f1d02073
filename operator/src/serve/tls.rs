//! HTTPS: connections are bounded in number and in the time they may take to say what they want.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::crypto::ring::default_provider;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::ServeError;
use super::certificates::Certificate;

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// A client that has not said which request it makes by then is not one.
const GREETING: Duration = Duration::from_secs(10);
/// Out of file descriptors, most likely: connections get a moment to end.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

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
            accept(name, listener, acceptor, router, stop)
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

async fn accept(
    name: &'static str,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: axum::Router,
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = next(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let connection = connection(stream, acceptor.clone(), service.clone(), graceful.watcher());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(server = name, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    graceful.shutdown().await;
    connections.shutdown().await;
}

async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: TowerToHyperService<axum::Router>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let stream = match tokio::time::timeout(GREETING, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(GREETING);
    server.http2().timer(TokioTimer::new());
    let served = watcher.watch(server.serve_connection(TokioIo::new(stream), service).into_owned());
    if let Err(error) = served.await {
        tracing::debug!(%error, "connection ended early");
    }
}
