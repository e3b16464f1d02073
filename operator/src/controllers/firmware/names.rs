//! Names of objects that are made for others.

use sha2::{Digest, Sha256};

/// Longest name of an object.
pub const NAME_LIMIT: usize = 253;

/// The name itself, or as much of it as fits, told apart by a digest of the whole: always the same for the same name.
pub fn fitting(full: String) -> String {
    if full.len() <= NAME_LIMIT {
        return full;
    }
    // Names have letters, digits, dots and dashes only, so every byte is a character.
    let digest = hex::encode(&Sha256::digest(&full)[..5]);
    let kept = full[..NAME_LIMIT - digest.len() - 1].trim_end_matches(['.', '-']);
    format!("{kept}-{digest}")
}
