//! HTTPS on a socket: a certificate authority of its own, HTTP/1.1 and HTTP/2, and a kubeconfig that fits.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::controllers::publish_ca;
use crate::emulator::KubeEmulator;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificates could not be made.
    #[error("cannot make the certificates of the API server: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS settings were refused.
    #[error("cannot set up TLS for the API server: {0}")]
    Tls(#[from] rustls::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another address with --bind, port 0 takes a free one")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running HTTPS server.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate authority that clients must trust, in PEM.
    pub ca_pem: String,
}

impl Served {
    /// A kubeconfig (YAML) for a bearer token, with the authority embedded.
    pub fn kubeconfig(&self, token: &str) -> String {
        let ca = STANDARD.encode(&self.ca_pem);
        let address = self.address;
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: kube-emulator\n  cluster:\n    \
             certificate-authority-data: {ca}\n    server: https://{address}\nusers:\n- name: admin\n  user:\n    \
             token: {token:?}\ncontexts:\n- name: kube-emulator\n  context:\n    cluster: kube-emulator\n    \
             user: admin\ncurrent-context: kube-emulator\n"
        )
    }
}

/// Listens on `bind` and serves until stopped; connections live in `tasks` and end with it.
///
/// The certificates are drawn from the operating system's randomness: a served emulator is not deterministic.
///
/// # Errors
/// When the address cannot be bound or the certificates cannot be made.
pub async fn serve_https(
    emulator: &KubeEmulator,
    bind: SocketAddr,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<Served, ServeError> {
    let bind_error = |source| ServeError::Bind { address: bind, source };
    let listener = TcpListener::bind(bind).await.map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;
    let (ca_pem, tls) = certificates(address)?;
    emulator.set_ca(&ca_pem);
    publish_ca(emulator);
    let service = TowerToHyperService::new(emulator.router());
    tasks.spawn(accept(listener, TlsAcceptor::from(Arc::new(tls)), service, stop));
    Ok(Served { address, ca_pem })
}

/// A fresh authority and a server certificate for loopback and the address itself.
fn certificates(address: SocketAddr) -> Result<(String, rustls::ServerConfig), ServeError> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "kube-emulator CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut names = vec![
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        "localhost".to_owned(),
        "kubernetes".to_owned(),
    ];
    if !names.contains(&address.ip().to_string()) {
        names.push(address.ip().to_string());
    }
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "kube-emulator");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((authority.pem(), tls))
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: TowerToHyperService<axum::Router>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, tls.clone(), service.clone()));
            }
            // Out of file descriptors, most likely: give connections a moment to end.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
    // Watches never end by themselves.
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, service: TowerToHyperService<axum::Router>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off Nagle's algorithm");
    }
    match tls.accept(stream).await {
        Ok(stream) => {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await
            {
                tracing::debug!(%error, "connection ended early");
            }
        }
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
    }
}
