//! All BMCs behind one port, told apart by name.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::certificates::{Authority, Name};
use crate::bmc::Bmc;
use crate::fleet::Fleet;

#[derive(Clone)]
pub(super) struct Names {
    fleet: Fleet,
    /// TLS for clients that name nobody.
    nameless: Arc<ServerConfig>,
}

/// Where the requests of one connection go.
#[derive(Clone)]
struct Connection {
    fleet: Fleet,
    /// Whom the handshake has named.
    bmc: Option<Bmc>,
}

impl Names {
    pub(super) fn new(fleet: Fleet, nameless: Arc<ServerConfig>) -> Self {
        Self { fleet, nameless }
    }

    /// Shakes hands as the BMC that the client asks for (RFC 6066 §3), and returns who answers its requests. Nothing if
    /// there is no such BMC, or none that answers.
    pub(super) async fn accept(
        self,
        stream: TcpStream,
        authority: &Authority,
    ) -> Option<(TlsStream<TcpStream>, Router)> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
        let host = hello.client_hello().server_name().map(str::to_owned);
        let (bmc, config) = match host {
            Some(host) => {
                let bmc = find(&self.fleet, &host).filter(Bmc::accepts_connections)?;
                let config = authority.config_of(&bmc, Name::Host(host));
                (Some(bmc), config)
            }
            None => (None, self.nameless),
        };
        let stream = hello.into_stream(config).await.ok()?;
        let connection = Connection { fleet: self.fleet, bmc };
        Some((stream, Router::new().fallback(answer).with_state(connection)))
    }
}

/// The BMC whose name is `host`, or the first label of it.
fn find(fleet: &Fleet, host: &str) -> Option<Bmc> {
    fleet.bmc(host).or_else(|| fleet.bmc(host.split('.').next()?))
}

/// The `Host` header decides where the handshake has not. Where both name somebody, they must name the same BMC: a
/// certificate speaks for one (RFC 9110 §7.4, §15.5.20).
async fn answer(State(connection): State<Connection>, request: Request) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let bmc = match (connection.bmc, find(&connection.fleet, host)) {
        (Some(bmc), Some(named)) if bmc.index() != named.index() => None,
        (Some(bmc), _) | (None, Some(bmc)) => Some(bmc),
        (None, None) => None,
    };
    let Some(bmc) = bmc else {
        let text = "There is no BMC of this name here: connect to <machine>.localhost, or send it as the Host.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    };
    match bmc.router().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
