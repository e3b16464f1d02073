//! Identities derived from the seed and a name, so that a restart of the same fleet shows the same hardware
//! (an operator's lock-out protection never trips over a rerun) and no generator state is kept per BMC.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::personality::LOCALLY_ADMINISTERED;

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

/// Hardware addresses of one fleet, none of them twice.
#[derive(Debug, Default)]
pub(crate) struct MacAddresses {
    taken: BTreeSet<[u8; 6]>,
}

impl MacAddresses {
    /// An address that begins with `prefix`. A prefix that names no vendor keeps its first octet only: three octets are
    /// few for a large fleet, and where two addresses would be the same, the later one is derived again.
    pub(crate) fn derive(&mut self, prefix: [u8; 3], seed: u64, path: &[&str]) -> String {
        let mut attempt = String::new();
        loop {
            let path: Vec<&str> = path
                .iter()
                .copied()
                .chain(Some(attempt.as_str()).filter(|text| !text.is_empty()))
                .collect();
            let bytes = derive(seed, &path);
            let address = match prefix {
                LOCALLY_ADMINISTERED => [prefix[0], bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]],
                [first, second, third] => [first, second, third, bytes[0], bytes[1], bytes[2]],
            };
            if self.taken.insert(address) {
                return address.map(|octet| format!("{octet:02x}")).join(":");
            }
            attempt.push('+');
        }
    }
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
    fn mac_addresses_begin_as_the_vendors_do_and_are_unique() {
        let mut addresses = MacAddresses::default();
        assert!(
            addresses
                .derive(LOCALLY_ADMINISTERED, 7, &["node-1", "eno1"])
                .starts_with("02:")
        );
        let first = addresses.derive([0x3c, 0xec, 0xef], 7, &["node-1", "eno1"]);
        assert!(first.starts_with("3c:ec:ef:"));
        let again = addresses.derive([0x3c, 0xec, 0xef], 7, &["node-1", "eno1"]);
        assert!(again.starts_with("3c:ec:ef:") && again != first);
    }
}
