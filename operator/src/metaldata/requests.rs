//! How many requests were answered, and how.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    code: u16,
}

/// Counters of this process.
#[derive(Clone)]
pub(super) struct Requests {
    registry: Arc<Mutex<Registry>>,
    answered: Family<Labels, Counter>,
}

impl Requests {
    pub(super) fn new() -> Self {
        let (mut registry, answered) = (Registry::default(), Family::default());
        registry.register(
            "metaldata_requests",
            "Requests of machines by HTTP status",
            Family::clone(&answered),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            answered,
        }
    }

    pub(super) fn count(&self, status: StatusCode) {
        let code = status.as_u16();
        self.answered.get_or_create(&Labels { code }).inc();
    }

    /// `/metrics`.
    pub(super) fn router(&self) -> Router {
        let own = self.clone();
        Router::new().route("/metrics", get(move || std::future::ready(own.scrape())))
    }

    fn scrape(&self) -> Response {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut encoded = String::new();
        match text::encode(&mut encoded, &registry) {
            Ok(()) => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], encoded).into_response()
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
