//! HTTP client of the operator's registry (contract §6.1).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use serde::Serialize;
use tower::ServiceExt;

use crate::edges::{BoxError, HttpService};
use crate::model::{CleanupReport, Registration};

/// How much of an error body is worth repeating in an error message.
const EXCERPT_CHARS: usize = 200;

/// Base URL of the registry, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUrl(String);

impl FromStr for RegistryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.query().is_none() => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(format!(
                "{text:?} is not a base URL; write it like http://registry.example:10000"
            )),
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Bearer token that binds an agent to one machine, one tenancy and one purpose. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryToken(HeaderValue);

impl FromStr for RegistryToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The value itself must not appear in the complaint: it would end in a console log.
        let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| "the token holds characters that cannot be sent in an HTTP header".to_owned())?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for RegistryToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RegistryToken(…)")
    }
}

/// Why the registry did not take what was sent.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{url} did not answer within {} s", timeout.as_secs_f64())]
    Timeout { url: String, timeout: Duration },
    #[error("{url} could not be reached: {source}")]
    Transport {
        url: String,
        #[source]
        source: BoxError,
    },
    #[error(
        "{url} refused the registry token (401: {body}); it belongs to another machine, tenancy or purpose, \
         so this boot is out of date"
    )]
    Unauthorized { url: String, body: String },
    #[error(
        "{url} does not exist (404: {body}); check --registry-url, or the server is not known to the operator any more"
    )]
    NotFound { url: String, body: String },
    #[error("{url} answered {status}: {body}")]
    Status {
        url: String,
        status: StatusCode,
        body: String,
    },
    #[error("the message for {url} cannot be encoded: {source}")]
    Encode {
        url: String,
        #[source]
        source: BoxError,
    },
}

impl RegistryError {
    /// Whether the registry says that this agent, as it was started, has no business with it. One such answer may come
    /// from an operator that is just starting; several in a row are final.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Unauthorized { .. } | Self::NotFound { .. })
    }
}

/// Client for one agent.
#[derive(Clone)]
pub struct RegistryClient {
    base: RegistryUrl,
    token: Option<RegistryToken>,
    timeout: Duration,
    http: HttpService,
}

impl RegistryClient {
    /// `timeout` holds for each request, from sending it to the end of the answer.
    #[must_use]
    pub fn new(base: RegistryUrl, token: Option<RegistryToken>, timeout: Duration, http: HttpService) -> Self {
        Self {
            base,
            token,
            timeout,
            http,
        }
    }

    /// `POST /register`; replaces what was registered before.
    ///
    /// # Errors
    /// Anything but 200 or 201.
    pub async fn register(&self, registration: &Registration) -> Result<(), RegistryError> {
        self.post("register", registration).await
    }

    /// `POST /cleanup`.
    ///
    /// # Errors
    /// Anything but 2xx.
    pub async fn cleanup(&self, report: &CleanupReport) -> Result<(), RegistryError> {
        self.post("cleanup", report).await
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<(), RegistryError> {
        let url = format!("{}/{path}", self.base);
        let encode = |source: BoxError| RegistryError::Encode {
            url: url.clone(),
            source,
        };
        let body = serde_json::to_vec(body).map_err(|error| encode(error.into()))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&url)
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| encode(error.into()))?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.0.clone());
        }
        let response = tokio::time::timeout(self.timeout, self.http.clone().oneshot(request))
            .await
            .map_err(|_| RegistryError::Timeout {
                url: url.clone(),
                timeout: self.timeout,
            })?
            .map_err(|source| RegistryError::Transport {
                url: url.clone(),
                source,
            })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = String::from_utf8_lossy(response.body())
            .trim()
            .chars()
            .take(EXCERPT_CHARS)
            .collect();
        Err(match status {
            StatusCode::UNAUTHORIZED => RegistryError::Unauthorized { url, body },
            StatusCode::NOT_FOUND => RegistryError::NotFound { url, body },
            _ => RegistryError::Status { url, status, body },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for (text, kept) in [
            ("http://10.0.0.1:10000", "http://10.0.0.1:10000"),
            ("https://[fd00::1]:10000/", "https://[fd00::1]:10000"),
            ("http://registry/prefix/", "http://registry/prefix"),
        ] {
            assert_eq!(
                text.parse::<RegistryUrl>().map(|url| url.to_string()),
                Ok(kept.to_owned())
            );
        }
        for text in [
            "",
            "registry:10000",
            "/register",
            "ftp://registry",
            "http://registry?x=1",
        ] {
            assert!(text.parse::<RegistryUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let token: RegistryToken = "s3cr3t-canary".parse().expect("a plain token");
        assert!(!format!("{token:?}").contains("canary"));
        let error = "s3cr3t-canary\n"
            .parse::<RegistryToken>()
            .expect_err("a newline cannot be sent");
        assert!(!error.contains("canary"), "{error}");
    }
}
