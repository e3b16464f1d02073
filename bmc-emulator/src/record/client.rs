//! One BMC, read politely.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::{RecordError, RecordOptions};
use crate::edges::HttpService;
use crate::secret::Secret;

const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// So often a request is sent before it is given up.
const ATTEMPTS: u32 = 4;
/// After the first attempt; later ones wait longer.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Whoever wants us to wait longer does not come back.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

pub(super) struct Client {
    http: HttpService,
    base: String,
    username: String,
    password: Secret,
    pause: Duration,
    next: Instant,
    session: Option<Session>,
}

struct Session {
    token: Secret,
    /// What is deleted to give it back.
    path: Option<String>,
}

/// What a BMC has said, or that it has not.
pub(super) enum Fetched {
    Body(Bytes),
    /// It does not have what it links to, or does not want to show it.
    Refused(String),
    Silence(String),
}

impl Client {
    pub(super) async fn log_in(options: &RecordOptions, http: HttpService) -> Result<Self, RecordError> {
        let base = options.url.trim_end_matches('/').to_owned();
        let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@'])) {
            return Err(RecordError::BadUrl(options.url.clone()));
        }
        let mut client = Self {
            http,
            base,
            username: options.username.clone(),
            password: options.password.clone(),
            pause: options.pause,
            next: Instant::now(),
            session: None,
        };
        client.open_session().await.map_err(|reason| RecordError::LoginFailed {
            url: client.base.clone(),
            user: options.username.clone(),
            reason,
        })?;
        Ok(client)
    }

    async fn open_session(&mut self) -> Result<(), String> {
        let root = match self.get("/redfish/v1").await {
            Fetched::Body(body) => serde_json::from_slice(&body).unwrap_or(Value::Null),
            Fetched::Refused(reason) | Fetched::Silence(reason) => return Err(format!("its service root: {reason}")),
        };
        let sessions = root["Links"]["Sessions"]["@odata.id"].as_str();
        let sessions = sessions.unwrap_or("/redfish/v1/SessionService/Sessions").to_owned();
        let body = json!({ "UserName": self.username, "Password": self.password.expose() });
        let answer = self.send(Method::POST, &sessions, body.to_string().into()).await?;
        let text = |name: &HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let token = match (answer.status(), text(&AUTH_TOKEN)) {
            (status, Some(token)) if status.is_success() => Secret::new(token),
            (status, None) if status.is_success() => return Err("it opens a session without a token".to_owned()),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST, _) => {
                return Err(format!("user name or password are wrong ({})", answer.status()));
            }
            (status, _) => return Err(format!("{status} for a new session; others may be left open")),
        };
        let location = text(&header::LOCATION).map(|uri| uri.strip_prefix(&self.base).unwrap_or(uri).to_owned());
        let created: Option<Value> = serde_json::from_slice(answer.body()).ok();
        let named = || Some(created?["@odata.id"].as_str()?.to_owned());
        self.session = Some(Session {
            token,
            path: location.filter(|path| path.starts_with('/')).or_else(named),
        });
        Ok(())
    }

    /// Gives the session back. A BMC that is gone frees it by itself, some time.
    pub(super) async fn log_out(&mut self) {
        let Some(path) = self.session.as_ref().and_then(|session| session.path.clone()) else {
            return;
        };
        if let Err(reason) = self.send(Method::DELETE, &path, Bytes::new()).await {
            tracing::warn!(reason, "the session could not be closed; it ends when it times out");
        }
        self.session = None;
    }

    /// Reads one resource, however often it has to be asked for.
    pub(super) async fn get(&mut self, path: &str) -> Fetched {
        let mut reason = String::new();
        for attempt in 1..=ATTEMPTS {
            let wait = match self.send(Method::GET, path, Bytes::new()).await {
                Ok(answer) if answer.status() == StatusCode::OK => return Fetched::Body(answer.into_body()),
                Ok(answer) => {
                    reason = answer.status().to_string();
                    match answer.status() {
                        StatusCode::UNAUTHORIZED if self.session.is_some() && attempt == 1 => {
                            // Sessions end when they are old, and BMCs forget them when they restart.
                            self.session = None;
                            if let Err(reason) = Box::pin(self.open_session()).await {
                                return Fetched::Silence(reason);
                            }
                            continue;
                        }
                        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => retry_after(&answer),
                        status if status.is_server_error() && attempt > 1 => return Fetched::Refused(reason),
                        status if status.is_server_error() => None,
                        _ => return Fetched::Refused(reason),
                    }
                }
                Err(error) => {
                    reason = error;
                    None
                }
            };
            if attempt < ATTEMPTS {
                sleep(wait.unwrap_or(RETRY_PAUSE * attempt).min(LONGEST_WAIT)).await;
            }
        }
        Fetched::Silence(reason)
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Response<Bytes>, String> {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.pause;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::ACCEPT, "application/json, application/xml;q=0.9")
            .header("odata-version", "4.0");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(session) = &self.session {
            request = request.header(AUTH_TOKEN, session.token.expose());
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        let answer = tower::ServiceExt::oneshot(self.http.clone(), request).await;
        answer.map_err(|error| chain(error.as_ref()))
    }
}

/// An error with its causes: the outermost seldom says what has happened.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let seconds = answer
        .headers()
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
