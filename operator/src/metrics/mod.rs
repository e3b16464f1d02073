//! Prometheus metrics: the names of contract section 8.5 that exist in this version, and what W15 found missing.

mod access;
mod api;
mod redfish;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use access::guarded;
pub use api::counted;
pub use redfish::{AlertSample, Reading, Redfish};
pub use servers::{ServerSample, ServerSource};

/// All metrics of the operator. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    server_reconciliations: Family<ResultLabel, Counter>,
    reconciliations: Family<ReconcileLabels, Counter>,
    reconcile_seconds: Family<ControllerLabel, Histogram>,
    bmc_requests: Family<RequestLabels, Counter>,
    bmc_request_seconds: Family<OperationLabel, Histogram>,
    bmc_sessions: Gauge,
    api_requests: Family<ApiLabels, Counter>,
    registry_requests: Family<RegistryLabels, Counter>,
    admission_reviews: Family<AdmissionLabels, Counter>,
    claim_wait_seconds: Histogram,
    state_seconds: Family<StateLabel, Histogram>,
    leader: Gauge,
    servers: servers::Servers,
    redfish: Redfish,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabel {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RegistryLabels {
    endpoint: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AdmissionLabels {
    resource: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    method: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

/// Outcome of one pass of the Server controller, label `result` of `metal_server_reconciliation_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerReconciliation {
    /// The pass ended as it should.
    Success,
    /// The Server could not be read.
    ErrorFetch,
    /// The pass failed.
    ErrorReconcile,
}

/// What a webhook said, label `outcome` of `metal_admission_reviews_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionOutcome {
    Allowed,
    Denied,
    /// The question itself was wrong.
    Refused,
}

const REQUEST_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const LIFE_CYCLE_BUCKETS: [f64; 12] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0,
];

fn request_histogram() -> Histogram {
    Histogram::new(REQUEST_BUCKETS)
}

fn life_cycle_histogram() -> Histogram {
    Histogram::new(LIFE_CYCLE_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A fresh set, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let server_reconciliations = Family::default();
        registry.register(
            "metal_server_reconciliation",
            "Passes of the Server controller",
            server_reconciliations.clone(),
        );
        let reconciliations = Family::default();
        registry.register(
            "metal_reconciliation",
            "Passes of every controller by result",
            reconciliations.clone(),
        );
        let reconcile_seconds = Family::new_with_constructor(request_histogram as fn() -> Histogram);
        registry.register_with_unit(
            "metal_reconciliation_duration",
            "Duration of a pass",
            Unit::Seconds,
            reconcile_seconds.clone(),
        );
        let bmc_requests = Family::default();
        registry.register(
            "metal_bmc_requests",
            "Requests to BMCs by operation and result",
            bmc_requests.clone(),
        );
        let bmc_request_seconds = Family::new_with_constructor(request_histogram as fn() -> Histogram);
        registry.register_with_unit(
            "metal_bmc_request_duration",
            "Time to the answer of a BMC",
            Unit::Seconds,
            bmc_request_seconds.clone(),
        );
        let bmc_sessions = Gauge::default();
        registry.register(
            "metal_bmc_sessions",
            "Redfish sessions that are open",
            bmc_sessions.clone(),
        );
        let api_requests = Family::default();
        registry.register(
            "rest_client_requests",
            "Requests to the API server by method and status code",
            api_requests.clone(),
        );
        let registry_requests = Family::default();
        registry.register(
            "metal_registry_requests",
            "Requests to the registry by endpoint and status code",
            registry_requests.clone(),
        );
        let admission_reviews = Family::default();
        registry.register(
            "metal_admission_reviews",
            "Reviews of webhooks by resource and outcome",
            admission_reviews.clone(),
        );
        let claim_wait_seconds = life_cycle_histogram();
        registry.register_with_unit(
            "metal_claim_wait",
            "Time from a claim's creation to Bound",
            Unit::Seconds,
            claim_wait_seconds.clone(),
        );
        let state_seconds = Family::new_with_constructor(life_cycle_histogram as fn() -> Histogram);
        registry.register_with_unit(
            "metal_server_state_duration",
            "Time a server stayed in a state it has left",
            Unit::Seconds,
            state_seconds.clone(),
        );
        let leader = Gauge::default();
        registry.register("metal_leader", "Whether this process leads", leader.clone());
        let servers = servers::Servers::default();
        registry.register_collector(Box::new(servers.clone()));
        let redfish = Redfish::default();
        registry.register_collector(Box::new(redfish.clone()));
        Self(Arc::new(Inner {
            registry,
            server_reconciliations,
            reconciliations,
            reconcile_seconds,
            bmc_requests,
            bmc_request_seconds,
            bmc_sessions,
            api_requests,
            registry_requests,
            admission_reviews,
            claim_wait_seconds,
            state_seconds,
            leader,
            servers,
            redfish,
        }))
    }

    /// Where the per-server gauges come from: asked at every scrape.
    pub fn set_server_source(&self, source: ServerSource) {
        self.0.servers.set_source(source);
    }

    /// Counts a pass of the Server controller (`metal_server_reconciliation_total`).
    pub fn server_reconciled(&self, result: ServerReconciliation) {
        let result = match result {
            ServerReconciliation::Success => "success",
            ServerReconciliation::ErrorFetch => "error_fetch",
            ServerReconciliation::ErrorReconcile => "error_reconcile",
        };
        self.0
            .server_reconciliations
            .get_or_create(&ResultLabel { result })
            .inc();
    }

    /// Counts a pass of any controller and how long it took.
    pub fn reconciled(&self, controller: &'static str, success: bool, duration: Duration) {
        let result = if success { "success" } else { "error" };
        self.0
            .reconciliations
            .get_or_create(&ReconcileLabels { controller, result })
            .inc();
        self.0
            .reconcile_seconds
            .get_or_create(&ControllerLabel { controller })
            .observe(duration.as_secs_f64());
    }

    /// Counts a BMC operation; `result` is `success` or `BmcError::result_label`. Never labelled by address: a fleet has thousands.
    pub fn bmc_requested(&self, operation: &'static str, result: &'static str, duration: Duration) {
        self.0
            .bmc_requests
            .get_or_create(&RequestLabels { operation, result })
            .inc();
        self.0
            .bmc_request_seconds
            .get_or_create(&OperationLabel { operation })
            .observe(duration.as_secs_f64());
    }

    /// A Redfish session was opened.
    pub fn session_opened(&self) {
        self.0.bmc_sessions.inc();
    }

    /// A Redfish session was closed, or its BMC dropped it.
    pub fn session_closed(&self) {
        self.0.bmc_sessions.dec();
    }

    /// Counts a request to the API server; no code means that no answer came.
    pub fn api_requested(&self, method: &'static str, code: Option<u16>) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        self.0.api_requests.get_or_create(&ApiLabels { method, code }).inc();
    }

    /// Counts an answer of the registry.
    pub fn registry_answered(&self, endpoint: &'static str, code: u16) {
        self.0
            .registry_requests
            .get_or_create(&RegistryLabels { endpoint, code })
            .inc();
    }

    /// Counts an answer of a webhook.
    pub fn admission_reviewed(&self, resource: &'static str, outcome: AdmissionOutcome) {
        let outcome = match outcome {
            AdmissionOutcome::Allowed => "allowed",
            AdmissionOutcome::Denied => "denied",
            AdmissionOutcome::Refused => "refused",
        };
        self.0
            .admission_reviews
            .get_or_create(&AdmissionLabels { resource, outcome })
            .inc();
    }

    /// A claim became Bound after `waited`.
    pub fn claim_bound(&self, waited: Duration) {
        self.0.claim_wait_seconds.observe(waited.as_secs_f64());
    }

    /// A server left `state` after `stayed`.
    pub fn state_left(&self, state: &str, stayed: Duration) {
        self.0
            .state_seconds
            .get_or_create(&StateLabel {
                state: state.to_owned(),
            })
            .observe(stayed.as_secs_f64());
    }

    /// Whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// What BMCs tell about themselves.
    pub fn redfish(&self) -> &Redfish {
        &self.0.redfish
    }

    /// The text that Prometheus scrapes (OpenMetrics).
    ///
    /// # Errors
    /// Formatting failed.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut buffer = String::new();
        text::encode(&mut buffer, &self.0.registry)?;
        Ok(buffer)
    }

    /// `GET /metrics`.
    pub fn router(&self) -> axum::Router {
        axum::Router::new()
            .route("/metrics", get(scrape))
            .with_state(self.clone())
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_names_of_the_contract() {
        let metrics = Metrics::new();
        metrics.server_reconciled(ServerReconciliation::Success);
        metrics.reconciled("server", true, Duration::from_millis(3));
        metrics.bmc_requested("system", "success", Duration::from_millis(7));
        metrics.session_opened();
        metrics.registry_answered("register", 201);
        metrics.api_requested("PATCH", Some(409));
        metrics.admission_reviewed("endpoints", AdmissionOutcome::Denied);
        metrics.claim_bound(Duration::from_secs(2));
        metrics.state_left("Initial", Duration::from_secs(20));
        metrics.set_leader(true);
        metrics.set_server_source(Arc::new(|| {
            vec![ServerSample {
                name: "node-1".to_owned(),
                state: "Cleanup".to_owned(),
                power_state: "Off".to_owned(),
                conditions: vec![("PoweringOn".to_owned(), "False".to_owned())],
            }]
        }));
        insta::assert_snapshot!(metrics.encode().expect("metrics encode"));
    }

    #[test]
    fn a_request_without_answer_counts_as_in_client_go() {
        let metrics = Metrics::new();
        metrics.api_requested("GET", None);
        let line = r#"rest_client_requests_total{method="GET",code="<error>"} 1"#;
        assert!(metrics.encode().expect("metrics encode").contains(line));
    }
}
