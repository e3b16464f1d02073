//! One request, reduced to what Redfish looks at, and the answer to it.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{negotiation, server_sent_events};

/// A request whose body has been read.
#[derive(Debug)]
pub(super) struct Call {
    pub method: Method,
    /// Without trailing slash and query.
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
}

impl Call {
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Option<Content>,
}

#[derive(Debug)]
pub(super) enum Content {
    Json(Value),
    Xml(Bytes),
    /// One of the former, with its media type.
    Compressed {
        content_type: &'static str,
        bytes: Vec<u8>,
    },
    /// Server-sent events, as they come.
    Events(mpsc::Receiver<Bytes>),
}

const JSON: &str = "application/json;charset=utf-8";
const XML: &str = "application/xml;charset=utf-8";

fn json_text(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl Reply {
    pub(super) fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(Content::Json(body)),
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// For a client that takes gzip.
    #[must_use]
    pub(super) fn compressed(mut self) -> Self {
        let (content_type, bytes) = match &self.body {
            Some(Content::Json(value)) => (JSON, negotiation::compressed(&json_text(value))),
            Some(Content::Xml(text)) => (XML, negotiation::compressed(text)),
            Some(Content::Compressed { .. } | Content::Events(_)) | None => return self,
        };
        let Some(bytes) = bytes else {
            return self;
        };
        self.body = Some(Content::Compressed { content_type, bytes });
        self.with(header::CONTENT_ENCODING, "gzip")
            .with(header::VARY, "Accept-Encoding")
    }

    /// `head` keeps the headers and drops the body (RFC 9110 §9.3.2).
    pub(super) fn into_response(self, head: bool, server: Option<&'static str>) -> axum::response::Response {
        let (content_type, body) = match self.body {
            Some(Content::Json(value)) => (Some(JSON), Body::from(json_text(&value))),
            Some(Content::Xml(text)) => (Some(XML), Body::from(text)),
            Some(Content::Compressed { content_type, bytes }) => (Some(content_type), Body::from(bytes)),
            Some(Content::Events(events)) => (Some("text/event-stream"), server_sent_events::body(events)),
            None => (None, Body::empty()),
        };
        let mut response = http::Response::new(if head { Body::empty() } else { body });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("OData-Version", HeaderValue::from_static("4.0"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(server) = server {
            headers.insert(header::SERVER, HeaderValue::from_static(server));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(name, value);
            }
        }
        response
    }
}
