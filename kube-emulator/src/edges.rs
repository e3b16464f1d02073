//! The edges that are passed in (design §3): wall clock and randomness.

use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

/// Wall clock for timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The alphabet of generated name suffixes: no vowels and no look-alikes, as `k8s.io/apimachinery/pkg/util/rand` has it.
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// A generated name is cut to this length before the suffix is added (kube-semantics §1.2).
const MAX_GENERATED_BASE: usize = 58;
const SUFFIX_LENGTH: usize = 5;

/// The seeded source of uids and generated names.
pub(crate) struct Entropy(Mutex<ChaCha8Rng>);

impl Entropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    /// A fresh random (version 4) uid.
    pub(crate) fn uid(&self) -> String {
        let mut bytes = [0u8; 16];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes);
        uuid_from(bytes)
    }

    /// `prefix` plus five random characters, the prefix cut so that the name stays a legal label.
    pub(crate) fn generate_name(&self, prefix: &str) -> String {
        let mut end = prefix.len().min(MAX_GENERATED_BASE);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let mut name = prefix[..end].to_owned();
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..SUFFIX_LENGTH {
            name.push(char::from(NAME_ALPHABET[rng.random_range(0..NAME_ALPHABET.len())]));
        }
        name
    }
}

fn uuid_from(bytes: [u8; 16]) -> String {
    let uuid: Uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    uuid.to_string()
}

/// `metav1.Time`: RFC 3339 in whole seconds.
pub(crate) fn rfc3339_seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_repeat_with_the_seed_and_stay_labels() {
        let (one, two) = (Entropy::new(7), Entropy::new(7));
        let long = "x".repeat(70);
        let name = one.generate_name(&long);
        assert_eq!(name, two.generate_name(&long));
        assert_eq!(name.len(), 63);
        assert_eq!(one.uid(), two.uid());
        assert_ne!(one.uid(), one.uid());
    }
}
