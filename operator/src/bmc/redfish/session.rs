//! Redfish sessions: made on first use, kept, and always closed again (BMCs have few).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use nv_redfish::session_service::SessionCreate;
use serde_json::Value;
use zeroize::Zeroizing;

use super::answer::local_path;
use super::call::{Call, Outgoing, Shared};
use crate::bmc::BmcError;

/// How often a BMC that will not close a session is asked to, and the pause between.
const CLOSE_ATTEMPTS: u32 = 3;
const CLOSE_PAUSE: Duration = Duration::from_millis(500);

/// Where a client stands.
#[derive(Default)]
pub(in crate::bmc) enum Session {
    /// Not logged in.
    #[default]
    None,
    /// Logged in.
    Open(Arc<Token>),
    /// The BMC has no sessions after all: HTTP Basic. Never chosen because of a failure, which would be a silent downgrade
    /// (bugs.md #123).
    Unsupported,
}

/// An open session.
pub(in crate::bmc) struct Token {
    secret: Zeroizing<String>,
    location: String,
}

impl Token {
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

impl Call {
    /// Logs in at the sessions collection `uri`.
    pub(super) async fn log_in(&self, uri: &str) -> Result<Session, BmcError> {
        let credentials = &self.shared.credentials;
        let create =
            SessionCreate::builder(credentials.username.clone(), credentials.password.as_str().to_owned()).build();
        let body = Zeroizing::new(serde_json::to_vec(&create).map_err(|error| BmcError::Protocol {
            uri: uri.to_owned(),
            message: format!("the login could not be written: {error}"),
            sent: false,
        })?);
        let request = Outgoing::new(Method::POST, uri, Bytes::copy_from_slice(&body));
        let answer = self.send_bare(&request, None).await?;
        match answer.status {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.login_refused()),
            // HPE iLO answers 400 to wrong credentials.
            StatusCode::BAD_REQUEST if answer.names_message(&REFUSALS) => return Err(self.login_refused()),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                tracing::info!(bmc = %self.shared.endpoint.base(), "the BMC offers no sessions, using HTTP Basic");
                return Ok(Session::Unsupported);
            }
            // The text of a refused login may quote the request, so only the status is passed on.
            status => {
                let message = status.canonical_reason().unwrap_or("login failed").to_owned();
                return Err(match status {
                    StatusCode::SERVICE_UNAVAILABLE => BmcError::ServiceUnavailable {
                        message,
                        retry_after: answer.retry_after(),
                        sent: self.posted(),
                    },
                    status => BmcError::Http {
                        status: status.as_u16(),
                        message,
                        sent: self.posted(),
                    },
                });
            }
        }
        let malformed = |message: &str| BmcError::Protocol {
            uri: uri.to_owned(),
            message: message.to_owned(),
            sent: self.posted(),
        };
        let secret = answer
            .headers
            .get("x-auth-token")
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| malformed("a session without X-Auth-Token"))?;
        let in_body = || {
            let body: Value = serde_json::from_slice(&answer.body).ok()?;
            Some(body["@odata.id"].as_str()?.to_owned())
        };
        let location = answer.header(&header::LOCATION).map(str::to_owned).or_else(in_body);
        let location = location.ok_or_else(|| malformed("a session without Location"))?;
        self.shared.gate.accepted();
        self.shared.metrics.session_opened();
        Ok(Session::Open(Arc::new(Token {
            secret: Zeroizing::new(secret.to_owned()),
            location: local_path(&location),
        })))
    }

    fn login_refused(&self) -> BmcError {
        BmcError::Unauthorized {
            retry_after: self.shared.gate.refused(),
        }
    }
}

/// Last parts of the message ids that mean wrong credentials.
const REFUSALS: [&str; 4] = [
    "UnauthorizedLoginAttempt",
    "ResourceAtUriUnauthorized",
    "NoValidSession",
    "InvalidLogin",
];

impl Shared {
    /// The BMC does not know this session any more. Somebody else may have replaced it already.
    pub(super) async fn drop_session(&self, token: &Arc<Token>) {
        let mut session = self.session.lock().await;
        if matches!(&*session, Session::Open(open) if Arc::ptr_eq(open, token)) {
            *session = Session::None;
            self.metrics.session_closed();
        }
    }

    /// Logs out. A session that cannot be closed runs into the BMC's own timeout; it is named in the log without its token.
    pub(in crate::bmc) async fn close_session(self: &Arc<Self>) {
        let mut session = self.session.lock().await;
        let Session::Open(token) = &*session else { return };
        let token = token.clone();
        *session = Session::None;
        drop(session);
        self.metrics.session_closed();
        let call = Call::reading(self.clone());
        let request = Outgoing {
            method: Method::DELETE,
            path: token.location.clone(),
            if_match: None,
            body: None,
        };
        let bmc = self.endpoint.base();
        let closing = async {
            for left in (0..CLOSE_ATTEMPTS).rev() {
                match call.send_bare(&request, Some(&token)).await {
                    Ok(answer) if answer.status.is_success() => {
                        tracing::debug!(%bmc, session = %token.location, "session closed");
                        return;
                    }
                    // Gone already: the BMC rebooted or timed it out.
                    Ok(answer)
                        if matches!(
                            answer.status,
                            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::GONE
                        ) =>
                    {
                        tracing::debug!(%bmc, session = %token.location, "session was gone already");
                        return;
                    }
                    _ if left > 0 => tokio::time::sleep(CLOSE_PAUSE).await,
                    Ok(answer) => {
                        tracing::warn!(%bmc, session = %token.location, status = answer.status.as_u16(), "session could not be closed");
                    }
                    Err(error) => {
                        tracing::warn!(%bmc, session = %token.location, %error, "session could not be closed");
                    }
                }
            }
        };
        if tokio::time::timeout(self.settings.request_timeout, closing)
            .await
            .is_err()
        {
            tracing::warn!(%bmc, session = %token.location, "session could not be closed in time");
        }
    }
}
