//! The deployed edge to BMCs: reqwest over rustls. Simulations bring their own [`HttpService`].

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, redirect};

use crate::edges::{BoxError, HttpService};
use crate::options::{CertificatePolicy, ConfigError};

/// Longest answer that is read, in bytes. A Redfish document is a few kilobytes; a BMC gone mad must not fill our memory.
const BODY_LIMIT: usize = 16 << 20;
/// BMCs drop idle connections early and race with the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Builds the transport. The process must have a default rustls provider.
///
/// # Errors
/// The CA file cannot be read, or the TLS backend does not start.
pub fn service(
    policy: CertificatePolicy,
    ca_file: Option<&Path>,
    connect_timeout: Duration,
) -> Result<HttpService, ConfigError> {
    let mut builder = Client::builder()
        // The driver follows redirects itself, on the same host only.
        .redirect(redirect::Policy::none())
        // A proxy of the environment has no business with BMC credentials.
        .no_proxy()
        // BMC firmware and HTTP/2 are not friends.
        .http1_only()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE_CONNECTION)
        .tls_danger_accept_invalid_certs(policy == CertificatePolicy::AcceptAny);
    if let Some(path) = ca_file {
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
        builder = builder.tls_certs_merge(certificates);
    }
    let client = builder.build().map_err(|error| ConfigError::Tls(error.to_string()))?;
    Ok(HttpService::new(tower::service_fn(move |request| {
        exchange(client.clone(), request)
    })))
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
