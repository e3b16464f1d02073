//! What the operator takes from outside, as values: design section 3. The binary passes the real ones, a simulation its
//! own; nothing in this crate reaches for a clock, a socket or a random number by itself.

use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use crate::ssh::SshService;

/// Wall clock for timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// Error of an edge whose cause only the edge knows.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Outgoing HTTP: a request with an absolute URI in, a buffered response out.
pub type HttpService =
    tower::util::BoxCloneSyncService<http::Request<bytes::Bytes>, http::Response<bytes::Bytes>, BoxError>;

/// Everything the operator is given besides its options.
#[derive(Clone)]
pub struct Edges {
    /// Kubernetes API.
    pub kube: kube::Client,
    /// Transport to BMCs. Must not follow redirects and must not add credentials.
    pub bmc_http: HttpService,
    /// Shells of BMCs.
    pub ssh: SshService,
    /// Wall clock.
    pub clock: Clock,
    /// Root of all randomness: keys, passwords, jitter.
    pub seed: Seed,
    /// Holder identity in the leader lease, unique per running process.
    pub identity: String,
}

/// Root of all randomness of one process. Every consumer derives a stream of its own by name, so that adding a consumer
/// does not change what another one draws.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of full entropy: the binary fills it from the operating system, because registry keys and passwords derive
    /// from it.
    pub fn from_entropy(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The independent stream of the consumer called `name`.
    pub fn stream(&self, name: &str) -> ChaCha20Rng {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(name.as_bytes())
            .finalize();
        ChaCha20Rng::from_seed(digest.into())
    }
}

/// The seed of a simulation: a number one can type.
impl From<u64> for Seed {
    fn from(seed: u64) -> Self {
        Self(Sha256::digest(seed.to_le_bytes()).into())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn streams_are_repeatable_and_independent() {
        let seed = Seed::from(7);
        assert_eq!(seed.stream("a").next_u64(), Seed::from(7).stream("a").next_u64());
        assert_ne!(seed.stream("a").next_u64(), seed.stream("b").next_u64());
        assert_ne!(seed.stream("a").next_u64(), Seed::from(8).stream("a").next_u64());
        assert_eq!(format!("{seed:?}"), "Seed([REDACTED])");
    }
}
