//! Connections: accepted, served one request at a time, and closed without an answer where a fault says so.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::certificates::{Authority, Name};
use super::names::Names;
use crate::bmc::Bmc;
use crate::fault::ConnectionDropped;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped by a fault")]
struct Dropped;

/// Which BMC a connection is for.
pub(super) enum Front {
    Each(Bmc),
    /// By the address that is connected to.
    Loopback(BTreeMap<IpAddr, Bmc>),
    Named(Names),
}

pub(super) async fn serve_bmcs(front: Front, listener: TcpListener, authority: Authority, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(stream) = next(&listener, &mut connections, &stop).await {
        // Where many addresses lead here, this is the one that the client knows.
        let Ok(ip) = stream.local_addr().map(|address| address.ip()) else {
            continue;
        };
        let bmc = match &front {
            Front::Each(bmc) => bmc,
            Front::Loopback(bmcs) => match bmcs.get(&ip) {
                Some(bmc) => bmc,
                None => continue,
            },
            Front::Named(names) => {
                let (names, authority) = (names.clone(), authority.clone());
                connections.spawn(async move {
                    let hello = timeout(HANDSHAKE_TIMEOUT, names.accept(stream, &authority));
                    if let Ok(Some((stream, router))) = hello.await {
                        serve(stream, router).await;
                    }
                });
                continue;
            }
        };
        // A BMC that does not answer does not shake hands either.
        if !bmc.accepts_connections() {
            continue;
        }
        let acceptor = TlsAcceptor::from(authority.config_of(bmc, Name::Address(ip)));
        let router = bmc.router();
        connections.spawn(async move {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                serve(stream, router).await;
            }
        });
    }
    connections.shutdown().await;
}

pub(super) async fn serve_plain(router: Router, listener: TcpListener, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(stream) = next(&listener, &mut connections, &stop).await {
        connections.spawn(serve(stream, router.clone()));
    }
    connections.shutdown().await;
}

/// The next connection, or nothing when it is time to stop.
async fn next(listener: &TcpListener, connections: &mut JoinSet<()>, stop: &CancellationToken) -> Option<TcpStream> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without it, small answers wait for the client's acknowledgement.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot disable Nagle's algorithm");
                    }
                    return Some(stream);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = tower::service_fn(move |request: http::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = router
                .oneshot(request.map(Body::new))
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<ConnectionDropped>() {
                Some(ConnectionDropped) => Err(Dropped),
                None => Ok(response),
            }
        }
    });
    // HTTP/2 is what a client has asked for by ALPN, where the BMC offers it.
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = connection.await {
        tracing::debug!(error, "a connection ended early");
    }
}
