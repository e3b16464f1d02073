//! The deployed edge to BMCs: reqwest over rustls. Simulations bring their own [`HttpService`].

mod pinning;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, ClientBuilder, redirect};

use crate::bmc::Trust;
use crate::edges::{BoxError, HttpService};
use crate::options::{CertificatePolicy, ConfigError};

/// Longest answer that is read, in bytes. A Redfish document is a few kilobytes; a BMC gone mad must not fill our memory.
const BODY_LIMIT: usize = 16 << 20;
/// BMCs drop idle connections early and race with the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Ways to judge certificates of BMCs that are kept ready.
const MOST_CLIENTS: usize = 20_000;

/// Builds the transport, which judges certificates by `policy`, unless a request brings a [`Trust`] of its own along. The process must have a default rustls provider.
///
/// # Errors
/// The CA file cannot be read, or the TLS backend does not start.
pub fn service(
    policy: CertificatePolicy,
    ca_file: Option<&Path>,
    connect_timeout: Duration,
) -> Result<HttpService, ConfigError> {
    let authorities = match ca_file {
        Some(path) => read_authorities(path)?,
        None => Vec::new(),
    };
    let configured = client(connect_timeout, |builder| {
        let builder = builder.tls_danger_accept_invalid_certs(policy == CertificatePolicy::AcceptAny);
        Ok(if authorities.is_empty() {
            builder
        } else {
            builder.tls_certs_merge(authorities)
        })
    })
    .map_err(|error| ConfigError::Tls(error.to_string()))?;
    let clients = Arc::new(Clients {
        configured,
        connect_timeout,
        particular: Mutex::default(),
    });
    Ok(HttpService::new(tower::service_fn(
        move |request: http::Request<Bytes>| {
            let client = clients.of(request.extensions().get::<Trust>());
            async move { exchange(client?, request).await }
        },
    )))
}

/// A client for each way to judge certificates: connections are shared only by those who judge alike.
struct Clients {
    configured: Client,
    connect_timeout: Duration,
    particular: Mutex<BTreeMap<Trust, Client>>,
}

impl Clients {
    fn of(&self, trust: Option<&Trust>) -> Result<Client, BoxError> {
        let Some(trust) = trust.filter(|trust| **trust != Trust::AsConfigured) else {
            return Ok(self.configured.clone());
        };
        let mut clients = self.particular.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(trust) {
            return Ok(client.clone());
        }
        if clients.len() >= MOST_CLIENTS {
            // Secrets change, and nobody says which trust is needed no more. Connections are made again.
            clients.clear();
        }
        let client = client(self.connect_timeout, |builder| {
            Ok(match trust {
                Trust::AsConfigured => builder,
                Trust::Authorities(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem.as_bytes())?),
                Trust::Pinned(fingerprints) => {
                    builder.tls_backend_preconfigured(pinning::config(fingerprints.clone())?)
                }
            })
        })?;
        clients.insert(trust.clone(), client.clone());
        Ok(client)
    }
}

fn client(
    connect_timeout: Duration,
    with_tls: impl FnOnce(ClientBuilder) -> Result<ClientBuilder, BoxError>,
) -> Result<Client, BoxError> {
    let builder = Client::builder()
        // The driver follows redirects itself, on the same host only.
        .redirect(redirect::Policy::none())
        // A proxy of the environment has no business with BMC credentials.
        .no_proxy()
        // BMC firmware and HTTP/2 are not friends.
        .http1_only()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE_CONNECTION);
    Ok(with_tls(builder)?.build()?)
}

fn read_authorities(path: &Path) -> Result<Vec<Certificate>, ConfigError> {
    let invalid = |message: String| ConfigError::File {
        flag: "bmc-ca-file",
        path: path.display().to_string(),
        message,
    };
    let pem = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| invalid(error.to_string()))?;
    if certificates.is_empty() {
        return Err(invalid("no certificate in it".to_owned()));
    }
    Ok(certificates)
}

async fn exchange(client: Client, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, BoxError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut response = http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        std::mem::swap(headers, answer.headers_mut());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(format!("the answer is longer than {BODY_LIMIT} bytes").into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body.freeze())?)
}
