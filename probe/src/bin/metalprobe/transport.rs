//! HTTP and HTTPS over real sockets.

use bytes::Bytes;
use http::{Request, Response};
use probe::{BoxError, HttpService};

/// A client with the certificate authorities of the system.
pub(crate) fn http() -> anyhow::Result<HttpService> {
    // Fails only if a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .user_agent(concat!("metalprobe/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move {
            let response = client.execute(reqwest::Request::try_from(request)?).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut answer = Response::new(response.bytes().await?);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok::<_, BoxError>(answer)
        }
    })))
}
