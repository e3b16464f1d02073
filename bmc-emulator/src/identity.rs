//! Identities derived from the seed and a name, so that a restart of the same fleet shows the same hardware
//! (an operator's lock-out protection never trips over a rerun) and no generator state is kept per BMC.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// 32 bytes that depend on the seed and on every part of `path`, and on nothing else.
pub(crate) fn derive(seed: u64, path: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in path {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

pub(crate) fn uuid(seed: u64, path: &[&str]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &derive(seed, path))
}

/// A locally administered unicast address (IEEE 802: second-lowest bit of the first octet set, lowest clear).
pub(crate) fn mac_address(seed: u64, path: &[&str]) -> String {
    let bytes = derive(seed, path);
    format!(
        "02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]
    )
}

/// `length` upper-case letters and digits without the ones that are easily confused.
pub(crate) fn serial_number(seed: u64, path: &[&str], length: usize) -> String {
    const ALPHABET: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";
    derive(seed, path)
        .iter()
        .take(length)
        .map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()] as char)
        .collect()
}

/// `length` lower-case hexadecimal digits, at most 64.
pub(crate) fn hex(seed: u64, path: &[&str], length: usize) -> String {
    let mut text: String = derive(seed, path).iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_separated() {
        assert_ne!(derive(1, &["ab", "c"]), derive(1, &["a", "bc"]));
        assert_ne!(derive(1, &["a"]), derive(2, &["a"]));
        assert_eq!(derive(1, &["a"]), derive(1, &["a"]));
    }

    #[test]
    fn mac_addresses_are_unicast_and_local() {
        assert!(mac_address(7, &["node-1", "eno1"]).starts_with("02:"));
    }
}
