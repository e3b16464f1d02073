//! The real clock, the operating system's randomness and real HTTP. The only place that takes them.

use std::sync::Arc;

use anyhow::Context;
use bmc_emulator::{BoxError, Clock, HttpService};
use bytes::Bytes;

#[expect(clippy::disallowed_methods, reason = "this module owns the clock of the binary")]
pub(crate) fn clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

/// 32 hexadecimal digits nobody can guess.
pub(crate) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the operating system gives no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// HTTP by reqwest, without following redirects: firmware does not either.
pub(crate) fn http() -> anyhow::Result<HttpService> {
    // A second call in one process finds the provider installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("cannot set up the HTTP client")?;
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
