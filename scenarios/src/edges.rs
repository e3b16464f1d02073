//! The vocabulary of injected edges (design section 3).

use std::sync::Arc;

/// Wall clock for timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Outgoing HTTP: request with an absolute URI in, buffered response out.
pub type HttpService =
    tower::util::BoxCloneSyncService<http::Request<bytes::Bytes>, http::Response<bytes::Bytes>, BoxError>;

/// The system's clock, for runs in real time.
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge where real time enters")]
    Arc::new(jiff::Timestamp::now)
}

/// A clock that starts at `epoch` now and follows tokio's clock, paused or not.
pub fn virtual_clock(epoch: jiff::Timestamp) -> Clock {
    let start = tokio::time::Instant::now();
    Arc::new(move || epoch + jiff::SignedDuration::try_from(start.elapsed()).unwrap_or(jiff::SignedDuration::MAX))
}
