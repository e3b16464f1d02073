//! What can go wrong between the operator and a BMC, in the terms in which controllers act on it.

use std::time::Duration;

/// A failed BMC operation. Never contains credentials, tokens or request bodies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BmcError {
    /// The BMC refused the credentials, or did so a moment ago and is not asked again before the back-off has passed
    /// (failed logins lock accounts, bugs.md group H). A changed secret is tried at once.
    #[error("BMC credentials are invalid; next login attempt in {}s unless the secret changes", retry_after.as_secs())]
    Unauthorized {
        /// Time until the pool contacts the BMC with these credentials again.
        retry_after: Duration,
    },
    /// The BMC answered with an error.
    #[error("BMC answered HTTP {status}: {message}")]
    Http {
        /// HTTP status code.
        status: u16,
        /// Text of the Redfish error body, else the reason phrase.
        message: String,
        /// Whether this answers a modifying request, not just a read before it.
        sent: bool,
    },
    /// HTTP 503: the BMC restarts, is overloaded or has no session left. Try again later.
    #[error("BMC service unavailable: {message}")]
    ServiceUnavailable {
        /// Text of the Redfish error body, else the reason phrase.
        message: String,
        /// `Retry-After`, when given.
        retry_after: Option<Duration>,
        /// Whether this answers a modifying request, not just a read before it.
        sent: bool,
    },
    /// No connection, or the connection broke.
    #[error("BMC is unreachable: {reason}")]
    Unreachable {
        /// What the transport said.
        reason: String,
        /// Whether a modifying request may have reached the BMC.
        sent: bool,
    },
    /// No answer within the request deadline.
    #[error("BMC did not answer within {}s", after.as_secs())]
    Timeout {
        /// The deadline.
        after: Duration,
        /// Whether a modifying request may have reached the BMC.
        sent: bool,
    },
    /// The answer was not the Redfish that was expected.
    #[error("BMC answer for {uri} is not usable: {message}")]
    Protocol {
        /// The resource asked for.
        uri: String,
        /// What was wrong.
        message: String,
        /// Whether this answers a modifying request, not just a read before it.
        sent: bool,
    },
    /// The BMC (or this driver for this protocol) does not offer the operation.
    #[error("not supported by this BMC: {what}")]
    Unsupported {
        /// The operation.
        what: String,
    },
    /// The client was closed: its credentials were replaced, the BMC was forgotten, or the operator stops.
    #[error("BMC client was closed")]
    Closed,
}

/// Reasons of the BMC condition `Ready`, contract section 1.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// `AuthenticationFailed`.
    AuthenticationFailed,
    /// `InternalServerError`.
    InternalServerError,
    /// `ConnectionFailed`: HTTP 503, and (W8) also what the Go operator called unknown: timeouts and failed connections.
    ConnectionFailed,
    /// `UnknownError`.
    UnknownError,
}

impl ErrorClass {
    /// The condition reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::InternalServerError => "InternalServerError",
            Self::ConnectionFailed => "ConnectionFailed",
            Self::UnknownError => "UnknownError",
        }
    }
}

impl BmcError {
    /// The class for conditions.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unauthorized { .. } => ErrorClass::AuthenticationFailed,
            Self::Http { status: 500, .. } => ErrorClass::InternalServerError,
            Self::ServiceUnavailable { .. } | Self::Unreachable { .. } | Self::Timeout { .. } => {
                ErrorClass::ConnectionFailed
            }
            Self::Http { .. } | Self::Protocol { .. } | Self::Unsupported { .. } | Self::Closed => {
                ErrorClass::UnknownError
            }
        }
    }

    /// The condition message: fixed texts of contract section 1.11 where it has one.
    pub fn condition_message(&self) -> String {
        match self {
            Self::Unauthorized { .. } => "BMC credentials are invalid".to_owned(),
            Self::Http { status: 500, .. } => "BMC internal server error".to_owned(),
            Self::ServiceUnavailable { .. } => "BMC service unavailable".to_owned(),
            other => format!("BMC connection error: {other}"),
        }
    }

    /// Whether the BMC may have carried the request out although this error came back. A disruptive operation that failed
    /// so must be verified by a read, never repeated blindly (S8).
    pub fn may_have_been_executed(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. }
            | Self::Timeout { sent, .. }
            | Self::ServiceUnavailable { sent, .. }
            | Self::Protocol { sent, .. } => *sent,
            // A proxy or a dying BMC answers 5xx after the request was taken in.
            Self::Http { status, sent, .. } => *sent && *status >= 500,
            Self::Unauthorized { .. } | Self::Unsupported { .. } | Self::Closed => false,
        }
    }

    /// Whether the resource positively does not exist (HTTP 404 or 410).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Http { status: 404 | 410, .. })
    }

    /// The metric label of this result.
    pub fn result_label(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::Http { status: 400..=499, .. } => "client_error",
            Self::Http { .. } => "server_error",
            Self::ServiceUnavailable { .. } => "service_unavailable",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Protocol { .. } => "protocol",
            Self::Unsupported { .. } => "unsupported",
            Self::Closed => "closed",
        }
    }
}
