//! The vocabulary of injected edges (design section 3).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Wall clock for timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Outgoing HTTP: request with an absolute URI in, buffered response out.
pub type HttpService =
    tower::util::BoxCloneSyncService<http::Request<bytes::Bytes>, http::Response<bytes::Bytes>, BoxError>;

/// A clock that can be set wrong.
#[derive(Clone)]
pub struct SkewedClock {
    right: Clock,
    seconds: Arc<AtomicI64>,
}

impl SkewedClock {
    #[must_use]
    pub fn new(right: Clock) -> Self {
        Self {
            right,
            seconds: Arc::default(),
        }
    }

    /// So much ahead, or behind.
    pub fn set(&self, seconds: i64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    #[must_use]
    pub fn clock(&self) -> Clock {
        let skewed = self.clone();
        Arc::new(move || (skewed.right)() + jiff::SignedDuration::from_secs(skewed.seconds.load(Ordering::Relaxed)))
    }
}

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
