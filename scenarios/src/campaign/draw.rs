//! Streams of chance, split by purpose.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// One stream.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of `seed` for `purpose`.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(b"campaign/")
            .chain_update(purpose.as_bytes())
            .finalize();
        Self(ChaCha8Rng::from_seed(digest.into()))
    }

    /// Whole milliseconds, evenly.
    pub(super) fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (from, to) = (milliseconds(from), milliseconds(to));
        Duration::from_millis(self.0.random_range(from..=to.max(from)))
    }

    pub(super) fn percent(&mut self, percent: u8) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A number whose mean is `expected`.
    pub(super) fn count(&mut self, expected: f64) -> u64 {
        // Twice the mean, evenly: some runs have none of a class, which is what finds bugs of pairs.
        (self.0.random_range(0.0..=2.0) * expected).round() as u64
    }

    /// One of so many; 0 of none.
    pub(super) fn index(&mut self, of: usize) -> usize {
        if of == 0 { 0 } else { self.0.random_range(0..of) }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0.random()
    }

    pub(super) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }
}
