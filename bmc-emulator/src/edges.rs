//! Everything the emulator takes from the outside world, as parameters (design §3).

use std::sync::Arc;

use crate::guest::GuestOs;

/// Wall clock for timestamps in documents and events. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// An error of a transport, of which only the text matters here.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Outgoing HTTP: a request with an absolute URI in, a buffered response out.
pub type HttpService =
    tower::util::BoxCloneSyncService<http::Request<bytes::Bytes>, http::Response<bytes::Bytes>, BoxError>;

/// What a fleet needs from whoever runs it.
#[derive(Clone)]
pub struct Edges {
    pub clock: Clock,
    /// Boot fetches of the firmware and event delivery of the BMCs.
    pub http: HttpService,
    /// What runs once the firmware has booted.
    pub guest: Arc<dyn GuestOs>,
    /// Root of all randomness: derived identities, session tokens.
    pub seed: u64,
    /// Every delay of a machine is divided by this; 1.0 is the time real hardware takes.
    pub time_scale: f64,
}
