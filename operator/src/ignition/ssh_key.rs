//! Ed25519 key pairs in OpenSSH's formats (PROTOCOL.key of OpenSSH). The Go operator made RSA-2048 keys; both are opaque to
//! everything that reads the Secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

const ALGORITHM: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Block size of the cipher `none`.
const BLOCK: usize = 8;
const PEM_WIDTH: usize = 70;

/// A key pair as the two texts that people and machines use.
pub(super) struct SshKey {
    /// The authorized_keys line, with its line break.
    pub(super) public: String,
    /// The private key file.
    pub(super) private: Zeroizing<String>,
}

/// The generator gave bytes of which ring makes no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an SSH key could not be generated")]
pub struct SshKeyError;

/// Makes a key pair named `comment`.
pub(super) fn generate(rng: &mut impl RngCore, comment: &str) -> Result<SshKey, SshKeyError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    rng.fill_bytes(seed.as_mut());
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| SshKeyError)?;
    let public = pair.public_key().as_ref();

    let mut public_blob = Vec::new();
    put_string(&mut public_blob, ALGORITHM);
    put_string(&mut public_blob, public);

    let mut section = Zeroizing::new(Vec::new());
    // Twice the same number, by which a reader knows that it decrypted rightly.
    let check = rng.next_u32().to_be_bytes();
    section.extend_from_slice(&check);
    section.extend_from_slice(&check);
    put_string(&mut section, ALGORITHM);
    put_string(&mut section, public);
    let secret = Zeroizing::new([seed.as_ref(), public].concat());
    put_string(&mut section, &secret);
    put_string(&mut section, comment.as_bytes());
    let padding = section.len().next_multiple_of(BLOCK) - section.len();
    section.extend((1_u8..).take(padding));

    let mut file = Zeroizing::new(MAGIC.to_vec());
    put_string(&mut file, b"none");
    put_string(&mut file, b"none");
    put_string(&mut file, b"");
    file.extend_from_slice(&1_u32.to_be_bytes());
    put_string(&mut file, &public_blob);
    put_string(&mut file, &section);

    let encoded = Zeroizing::new(STANDARD.encode(file.as_slice()));
    let mut private = Zeroizing::new(String::with_capacity(512));
    private.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_WIDTH));
        private.push_str(line);
        private.push('\n');
        rest = after;
    }
    private.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    Ok(SshKey {
        public: format!("ssh-ed25519 {} {comment}\n", STANDARD.encode(&public_blob)),
        private,
    })
}

fn put_string(buffer: &mut Vec<u8>, bytes: &[u8]) {
    // Everything written here is far below 4 GiB.
    buffer.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use crate::edges::Seed;

    use super::*;

    #[test]
    fn key_files_are_repeatable_and_well_formed() {
        let key = generate(&mut Seed::from(1).stream("ssh"), "metal@node-1").expect("key");
        let again = generate(&mut Seed::from(1).stream("ssh"), "metal@node-1").expect("key");
        assert_eq!((&key.public, &key.private), (&again.public, &again.private));

        let body: String = key.private.lines().filter(|line| !line.starts_with("-----")).collect();
        let file = STANDARD.decode(body).expect("base64");
        assert!(file.starts_with(MAGIC));
        let public = STANDARD
            .decode(key.public.split(' ').nth(1).expect("second word"))
            .expect("base64");
        assert!(
            file.windows(public.len()).any(|window| window == public),
            "the private file holds the public key"
        );
        let section_length = file.len() - MAGIC.len() - (8 + 8 + 4 + 4) - (4 + public.len()) - 4;
        assert_eq!(section_length % BLOCK, 0);
    }
}
