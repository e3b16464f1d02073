//! The real clock, the operating system's randomness and real HTTP. The only place that takes them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bmc_emulator::{BoxError, Clock, HttpService};
use bytes::Bytes;

#[expect(clippy::disallowed_methods, reason = "this module owns the clock of the binary")]
pub(crate) fn clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the operating system gives no randomness"))?;
    Ok(bytes)
}

/// 32 hexadecimal digits nobody can guess.
pub(crate) fn random_token() -> anyhow::Result<String> {
    let bytes: [u8; 16] = random()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// HTTP by reqwest, without following redirects: firmware does not either.
pub(crate) fn http() -> anyhow::Result<HttpService> {
    service(builder().build().context("cannot set up the HTTP client")?)
}

/// Whose certificates are believed.
pub(crate) enum Trust {
    /// Those of the authorities that this host knows.
    Host,
    /// Those of one authority (PEM).
    Only(Vec<u8>),
    Everybody,
}

/// A BMC answers slowly, but not slower than this.
const BMC_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) fn bmc_http(trust: Trust) -> anyhow::Result<HttpService> {
    let builder = builder().timeout(BMC_TIMEOUT);
    let builder = match trust {
        Trust::Host => builder,
        Trust::Only(pem) => {
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).context("there is no certificate in it")?;
            builder.tls_certs_only(authorities)
        }
        Trust::Everybody => builder.tls_danger_accept_invalid_certs(true),
    };
    service(builder.build().context("cannot set up the HTTP client")?)
}

fn builder() -> reqwest::ClientBuilder {
    // A second call in one process finds the provider installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none())
}

fn service(client: reqwest::Client) -> anyhow::Result<HttpService> {
    Ok(HttpService::new(tower::service_fn(
        move |request: http::Request<Bytes>| {
            let client = client.clone();
            async move {
                let answer = client.execute(reqwest::Request::try_from(request)?).await?;
                let mut response = http::Response::new(Bytes::new());
                *response.status_mut() = answer.status();
                *response.headers_mut() = answer.headers().clone();
                *response.body_mut() = answer.bytes().await?;
                Ok::<_, BoxError>(response)
            }
        },
    )))
}
