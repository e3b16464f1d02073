//! One operation on a BMC: requests with credentials, a deadline and a place in the BMC's short queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use nv_redfish::core::ODataId;
use nv_redfish::quirks::{BmcQuirks, CompatBmc, RootEvidence};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use super::answer::{Answer, local_path};
use super::breaker::{Breaker, Permission};
use super::gate::LoginGate;
use super::session::Session;
use crate::bmc::pool::PoolSettings;
use crate::bmc::{BmcAccess, BmcError, Credentials, Scheme, Trust};
use crate::edges::{BoxError, HttpService};
use crate::metrics::Metrics;
use crate::sabotage::{self, Bug};

const SERVICE_ROOT: &str = "/redfish/v1/";
const MAX_REDIRECTS: u8 = 3;

/// Network identity of a BMC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bmc) struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Endpoint {
    pub(in crate::bmc) fn of(access: &BmcAccess) -> Self {
        Self {
            scheme: access.scheme,
            host: access.host.clone(),
            port: access.port,
        }
    }

    /// `https://[fd00::1]:443`.
    pub(super) fn base(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{}://{open}{}{close}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

/// What all operations on one BMC share.
pub(in crate::bmc) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) credentials: Credentials,
    trust: Trust,
    pub(super) gate: Arc<LoginGate>,
    pub(super) settings: PoolSettings,
    pub(super) metrics: Metrics,
    pub(super) session: tokio::sync::Mutex<Session>,
    http: HttpService,
    breaker: Breaker,
    permits: Semaphore,
    root: OnceCell<Arc<Root>>,
    last_used: Mutex<Instant>,
}

/// What the service root says.
pub(super) struct Root {
    pub(super) quirks: Arc<BmcQuirks>,
    /// The root as it came.
    pub(super) document: Value,
    /// Where sessions are made; `None` for a BMC without `SessionService`.
    pub(super) sessions: Option<String>,
}

impl Shared {
    pub(in crate::bmc) fn new(
        access: &BmcAccess,
        gate: Arc<LoginGate>,
        http: HttpService,
        metrics: Metrics,
        settings: PoolSettings,
    ) -> Self {
        Self {
            endpoint: Endpoint::of(access),
            credentials: access.credentials.clone(),
            trust: access.trust.clone(),
            breaker: Breaker::new(settings.outage_backoff, settings.outage_backoff_max),
            gate,
            metrics,
            session: tokio::sync::Mutex::default(),
            http,
            permits: Semaphore::new(settings.max_concurrent_requests),
            root: OnceCell::new(),
            last_used: Mutex::new(Instant::now()),
            settings,
        }
    }

    /// Whether this client logs in as this access says, and trusts what it says.
    pub(in crate::bmc) fn is_for(&self, access: &BmcAccess) -> bool {
        self.credentials == access.credentials && self.trust == access.trust
    }

    /// Where operations are counted.
    pub(in crate::bmc) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// No request is under way and none was for `idle`.
    pub(in crate::bmc) fn is_idle(&self, idle: Duration) -> bool {
        let last_used = *self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        self.permits.available_permits() == self.settings.max_concurrent_requests && last_used.elapsed() >= idle
    }

    /// Takes no further request, and closes the session.
    pub(in crate::bmc) async fn retire(self: &Arc<Self>) {
        self.permits.close();
        self.close_session().await;
    }

    fn touch(&self) {
        *self.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// How a request identifies us.
enum Authorization {
    None,
    Basic,
    Session(Arc<super::session::Token>),
}

/// A request before it has credentials.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) if_match: Option<String>,
    pub(super) body: Option<Bytes>,
}

impl Outgoing {
    pub(super) fn get(uri: &str) -> Self {
        Self {
            method: Method::GET,
            path: local_path(uri),
            if_match: None,
            body: None,
        }
    }

    pub(super) fn new(method: Method, uri: &str, body: Bytes) -> Self {
        Self {
            method,
            path: local_path(uri),
            if_match: None,
            body: Some(body),
        }
    }
}

/// One operation. Reads have a deadline each; an operation that changes the machine has one for all its requests, so that its
/// caller can compare it with the leader lease.
pub(in crate::bmc) struct Call {
    pub(super) shared: Arc<Shared>,
    deadline: Option<Instant>,
    /// Whether a modifying request may have reached the BMC.
    posted: AtomicBool,
}

impl Call {
    /// An operation that only reads.
    pub(in crate::bmc) fn reading(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            deadline: None,
            posted: AtomicBool::new(false),
        }
    }

    /// An operation that changes something, with one deadline for everything.
    pub(in crate::bmc) fn modifying(shared: Arc<Shared>) -> Self {
        let deadline = Instant::now() + shared.settings.request_timeout;
        Self {
            shared,
            deadline: Some(deadline),
            posted: AtomicBool::new(false),
        }
    }

    /// Proves that a BMC answers at the address.
    pub(in crate::bmc) async fn connect(&self) -> Result<(), BmcError> {
        self.connected_root().await.map(drop)
    }

    /// The layer with the vendor's quirks over this operation.
    pub(super) async fn compat(self: &Arc<Self>) -> Result<CompatBmc<Self>, BmcError> {
        let root = self.connected_root().await?;
        Ok(CompatBmc::new(self.clone(), root.quirks.clone()))
    }

    /// Whether a modifying request may have reached the BMC.
    pub(super) fn posted(&self) -> bool {
        self.posted.load(Ordering::Relaxed)
    }

    /// The service root, read once per client.
    pub(super) async fn connected_root(&self) -> Result<Arc<Root>, BmcError> {
        if let Some(root) = self.shared.root.get() {
            return Ok(root.clone());
        }
        self.in_time(async {
            let _permit = self.shared.permits.acquire().await.map_err(|_| BmcError::Closed)?;
            self.root().await
        })
        .await
    }

    /// Sends a request with credentials. Every status but 401 and redirects is the caller's to judge.
    pub(super) async fn exchange(&self, request: Outgoing) -> Result<Answer, BmcError> {
        self.in_time(async {
            let _permit = self.shared.permits.acquire().await.map_err(|_| BmcError::Closed)?;
            self.shared.touch();
            let answer = self.authenticated(request).await;
            self.shared.touch();
            answer
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, BmcError>>) -> Result<T, BmcError> {
        let settings = &self.shared.settings;
        let (mut after, mut deadline) = match self.deadline {
            Some(deadline) => (settings.request_timeout, deadline),
            None => (settings.read_timeout, Instant::now() + settings.read_timeout),
        };
        match self.shared.breaker.check() {
            Permission::Granted => {}
            Permission::Try(patience) => {
                after = after.min(patience);
                deadline = deadline.min(Instant::now() + patience);
            }
            Permission::Refused(pause) => {
                return Err(BmcError::Unreachable {
                    reason: format!("it has not answered lately, and is asked again in {}s", pause.as_secs()),
                    sent: self.posted(),
                });
            }
        }
        let result = timeout_at(deadline, work).await.unwrap_or_else(|_| {
            Err(BmcError::Timeout {
                after,
                sent: self.posted(),
            })
        });
        match &result {
            Err(BmcError::Unreachable { .. } | BmcError::Timeout { .. }) => self.shared.breaker.failed(),
            // Says nothing about the BMC.
            Err(BmcError::Closed) => {}
            _ => self.shared.breaker.answered(),
        }
        result
    }

    async fn authenticated(&self, mut request: Outgoing) -> Result<Answer, BmcError> {
        let mut renewed = false;
        let mut redirects = 0;
        loop {
            let authorization = self.authorization().await?;
            let answer = self.send(&request, &authorization).await?;
            match (answer.status, &authorization) {
                // The BMC dropped the session: a refused request was not executed, so it may be sent again.
                (StatusCode::UNAUTHORIZED, Authorization::Session(token)) if !renewed => {
                    renewed = true;
                    self.shared.drop_session(token).await;
                }
                (StatusCode::UNAUTHORIZED, _) => {
                    return Err(BmcError::Unauthorized {
                        retry_after: self.shared.gate.refused(),
                    });
                }
                (status, _)
                    if status.is_redirection() && request.method == Method::GET && redirects < MAX_REDIRECTS =>
                {
                    redirects += 1;
                    request.path = self.redirect_target(&answer, &request.path)?;
                }
                (_, authorization) => {
                    if matches!(authorization, Authorization::Basic) {
                        self.shared.gate.accepted();
                    }
                    return Ok(answer);
                }
            }
        }
    }

    /// Redirects are followed on the same host only.
    fn redirect_target(&self, answer: &Answer, from: &str) -> Result<String, BmcError> {
        let base = self.shared.endpoint.base();
        let location = answer.header(&header::LOCATION).unwrap_or_default();
        let same_host =
            location.starts_with('/') || location.strip_prefix(&base).is_some_and(|rest| rest.starts_with('/'));
        if same_host && local_path(location) != from {
            return Ok(local_path(location));
        }
        Err(BmcError::Protocol {
            uri: from.to_owned(),
            message: "redirect to another host or to itself".to_owned(),
            sent: false,
        })
    }

    async fn authorization(&self) -> Result<Authorization, BmcError> {
        let root = self.root().await?;
        let mut session = self.shared.session.lock().await;
        if self.shared.permits.is_closed() {
            // Retired meanwhile: a session made now would be closed by nobody.
            return Err(BmcError::Closed);
        }
        match (&root.sessions, &*session) {
            (_, Session::Open(token)) => Ok(Authorization::Session(token.clone())),
            (None, _) | (_, Session::Unsupported) => {
                self.gate_open()?;
                Ok(Authorization::Basic)
            }
            (Some(sessions), Session::None) => {
                self.gate_open()?;
                *session = match self.log_in(sessions).await {
                    // Incident 123.
                    Err(_) if sabotage::active(Bug::BasicAfterFailedLogin) => Session::Unsupported,
                    session => session?,
                };
                match &*session {
                    Session::Open(token) => Ok(Authorization::Session(token.clone())),
                    Session::None | Session::Unsupported => Ok(Authorization::Basic),
                }
            }
        }
    }

    fn gate_open(&self) -> Result<(), BmcError> {
        self.shared
            .gate
            .check()
            .map_err(|retry_after| BmcError::Unauthorized { retry_after })
    }

    async fn root(&self) -> Result<Arc<Root>, BmcError> {
        let root = self.shared.root.get_or_try_init(|| async {
            let request = Outgoing::get(SERVICE_ROOT);
            let mut answer = self.send(&request, &Authorization::None).await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                // DSP0266 wants the root to be open; a BMC that hides it still has to be asked.
                self.gate_open()?;
                answer = self.send(&request, &Authorization::Basic).await?;
                if answer.status == StatusCode::UNAUTHORIZED {
                    return Err(BmcError::Unauthorized {
                        retry_after: self.shared.gate.refused(),
                    });
                }
            }
            let raw = answer.success(false)?.document(SERVICE_ROOT)?;
            let quirks = Arc::new(BmcQuirks::classify(&RootEvidence::from_root(&raw)));
            let sessions = raw
                .pointer("/Links/Sessions/@odata.id")
                .and_then(Value::as_str)
                .map(str::to_owned)
                .or_else(|| {
                    raw.pointer("/SessionService/@odata.id")
                        .and_then(Value::as_str)
                        .map(|uri| format!("{}/Sessions", uri.trim_end_matches('/')))
                });
            Ok(Arc::new(Root {
                quirks,
                document: raw,
                sessions,
            }))
        });
        root.await.cloned()
    }

    /// Sends a request that is about the session itself.
    pub(super) async fn send_bare(
        &self,
        request: &Outgoing,
        token: Option<&Arc<super::session::Token>>,
    ) -> Result<Answer, BmcError> {
        let authorization = token.map_or(Authorization::None, |token| Authorization::Session(token.clone()));
        self.transmit(request, &authorization)
            .await
            .map_err(|(error, _)| self.unreachable(&error))
    }

    async fn send(&self, request: &Outgoing, authorization: &Authorization) -> Result<Answer, BmcError> {
        let modifying = request.method != Method::GET;
        let posted_before = self.posted();
        if modifying {
            // Set before the first await: a caller that gives up now must not believe that nothing was sent.
            self.posted.store(true, Ordering::Relaxed);
        }
        match self.transmit(request, authorization).await {
            Ok(answer) => Ok(answer),
            Err((error, connected)) => {
                if modifying && !connected {
                    self.posted.store(posted_before, Ordering::Relaxed);
                }
                Err(self.unreachable(&error))
            }
        }
    }

    async fn transmit(&self, request: &Outgoing, authorization: &Authorization) -> Result<Answer, (BoxError, bool)> {
        let mut builder = Request::builder()
            .method(request.method.clone())
            .uri(format!("{}{}", self.shared.endpoint.base(), request.path))
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("metal-operator/", env!("CARGO_PKG_VERSION")),
            )
            .header("OData-Version", "4.0");
        if request.body.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(etag) = &request.if_match {
            builder = builder.header(header::IF_MATCH, etag);
        }
        match authorization {
            Authorization::None => {}
            Authorization::Basic => {
                let Credentials { username, password } = &self.shared.credentials;
                let encoded = STANDARD.encode(format!("{username}:{}", password.as_str()));
                builder = builder.header(header::AUTHORIZATION, secret_header(&format!("Basic {encoded}")));
            }
            Authorization::Session(token) => builder = builder.header("X-Auth-Token", secret_header(token.secret())),
        }
        let request = builder
            .extension(self.shared.trust.clone())
            .body(request.body.clone().unwrap_or_default())
            .map_err(|error| (error.into(), false))?;
        let response = self.shared.http.clone().oneshot(request).await.map_err(|error| {
            let connected = !failed_to_connect(error.as_ref());
            (error, connected)
        })?;
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    fn unreachable(&self, error: &BoxError) -> BmcError {
        BmcError::Unreachable {
            reason: chain(error.as_ref()),
            sent: self.posted(),
        }
    }
}

fn secret_header(value: &str) -> HeaderValue {
    // A token with a line break is no token; an empty header is refused by every BMC.
    let mut value = HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Whether the error proves that no request was sent.
fn failed_to_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind;
    let mut current = Some(error);
    while let Some(error) = current {
        if error
            .downcast_ref::<reqwest::Error>()
            .is_some_and(reqwest::Error::is_connect)
        {
            return true;
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            let never_connected = matches!(
                io.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
                    | ErrorKind::NetworkDown
                    | ErrorKind::AddrNotAvailable
            );
            if never_connected {
                return true;
            }
        }
        current = error.source();
    }
    false
}

/// The error and its causes. Transports put URLs into their errors, never headers.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

/// A URI for `nv-redfish`.
pub(super) fn odata_id(uri: &str) -> ODataId {
    ODataId::from(uri.to_owned())
}
