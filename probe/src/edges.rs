//! What an agent may not take from its environment by itself, because a simulation must own it.

use std::sync::Arc;

/// Wall clock for timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// Error of a transport.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Outgoing HTTP: a request with an absolute URI in, a buffered response out.
pub type HttpService =
    tower::util::BoxCloneSyncService<http::Request<bytes::Bytes>, http::Response<bytes::Bytes>, BoxError>;
