//! Requests, several at a time, for some seconds.

use super::process::Process;
use miette::IntoDiagnostic;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Before anything is counted: connections are made, caches filled.
const WARM_UP: Duration = Duration::from_millis(500);

pub(super) struct Load {
    pub duration: Duration,
    pub connections: usize,
}

/// A service, and who it lets in.
#[derive(Clone)]
pub(super) struct Service {
    client: Client,
    base: String,
    password: Option<String>,
}

impl Service {
    /// Over TLS with `ca_file`, or in plain HTTP without one.
    pub(super) fn new(base: String, password: Option<&str>, ca_file: Option<&Path>) -> miette::Result<Self> {
        Ok(Self {
            client: trusting(ca_file)?.build().into_diagnostic()?,
            base,
            password: password.map(str::to_owned),
        })
    }

    /// For many BMCs: no connection is kept, since a process may not have as many open.
    pub(super) fn passing_by(password: &str, ca_file: &Path) -> miette::Result<Self> {
        let client = trusting(Some(ca_file))?.pool_max_idle_per_host(0);
        Ok(Self {
            client: client.build().into_diagnostic()?,
            base: String::new(),
            password: Some(password.to_owned()),
        })
    }

    /// The same client of another service.
    pub(super) fn at(&self, base: String) -> Self {
        Self { base, ..self.clone() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.password {
            Some(password) => request.basic_auth("admin", Some(password)),
            None => request,
        }
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(super) fn patch(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.request(Method::PATCH, path);
        request
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(super) async fn json(&self, path: &str) -> miette::Result<Value> {
        let response = self.get(path).send().await.into_diagnostic()?;
        let status = response.status();
        let text = response.bytes().await.into_diagnostic()?;
        match serde_json::from_slice(&text) {
            Ok(document) if status.is_success() => Ok(document),
            _ => miette::bail!("{}{path} answers {status}", self.base),
        }
    }

    /// Where its first system is.
    pub(super) async fn system(&self) -> miette::Result<String> {
        let systems = self.json("/redfish/v1/Systems").await?;
        match systems["Members"][0]["@odata.id"].as_str() {
            Some(path) => Ok(path.to_owned()),
            None => miette::bail!("{} has no system", self.base),
        }
    }
}

fn trusting(ca_file: Option<&Path>) -> miette::Result<ClientBuilder> {
    // A second call finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().timeout(Duration::from_secs(60));
    let Some(file) = ca_file else {
        return Ok(builder);
    };
    let pem = std::fs::read(file).into_diagnostic()?;
    Ok(builder.tls_certs_only([reqwest::Certificate::from_pem(&pem).into_diagnostic()?]))
}

impl Load {
    /// Good answers a second, and how long `server` has worked for each.
    pub(super) async fn cost(
        &self,
        server: &Process,
        request: impl Fn() -> RequestBuilder,
    ) -> miette::Result<(f64, Option<Duration>)> {
        let before = server.processor_time();
        let rate = self.rate(request).await?;
        let worked = server
            .processor_time()
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        // Answers before anything was counted were work, too.
        let answers = rate * (self.duration + WARM_UP).as_secs_f64();
        Ok((rate, worked.map(|worked| worked.div_f64(answers.max(1.0)))))
    }

    /// Good answers a second.
    ///
    /// # Errors
    /// If one is not good: what refuses is fast, and proves nothing.
    pub(super) async fn rate(&self, request: impl Fn() -> RequestBuilder) -> miette::Result<f64> {
        let begin = Instant::now() + WARM_UP;
        let end = begin + self.duration;
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            let template = request();
            workers.spawn(async move {
                let mut answers = 0_u64;
                while Instant::now() < end {
                    let Some(next) = template.try_clone() else {
                        break;
                    };
                    let response = next.send().await.map_err(|error| error.to_string())?;
                    let status = response.status();
                    response.bytes().await.map_err(|error| error.to_string())?;
                    if !status.is_success() {
                        return Err(format!("it answers {status}"));
                    }
                    if Instant::now() >= begin {
                        answers += 1;
                    }
                }
                Ok(answers)
            });
        }
        let mut answers = 0;
        while let Some(finished) = workers.join_next().await {
            answers += finished
                .into_diagnostic()?
                .map_err(|error| miette::miette!("{error}"))?;
        }
        // Counts of any size that fits into a measurement are exact.
        Ok(answers as f64 / self.duration.as_secs_f64())
    }
}
