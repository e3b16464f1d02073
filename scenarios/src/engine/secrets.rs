//! Values nobody may see, and the places where they turn up all the same.
//!
//! Every secret value is a canary: contents of Secrets and BMCSecrets, passwords of BMCs, registry tokens inside ignitions, and
//! words that begin with `canary-`, which scripts hide in user data. A canary is found by its first eight bytes, so that a text is
//! scanned once however many canaries there are.

use base64::Engine as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Shorter values occur by chance.
const SHORTEST: usize = 8;
const PREFIX: usize = 8;
/// Keys of Secrets whose values are public.
const PUBLIC_KEYS: [&str; 4] = ["username", "format", "pub", "ca.crt"];

/// Known secret values.
#[derive(Clone, Default)]
pub struct Secrets {
    by_prefix: BTreeMap<u64, Vec<Canary>>,
    known: BTreeSet<String>,
    filter: Filter,
}

/// Which prefixes may be known: most windows of a text end here, without a look into the map.
#[derive(Clone, Default)]
struct Filter {
    bits: Vec<u64>,
}

#[derive(Clone)]
struct Canary {
    value: String,
    /// Where the value is allowed to be, and what a finding is called.
    origin: String,
}

impl Secrets {
    /// Remembers a secret value under the name of what it is.
    pub fn add(&mut self, value: &str, origin: &str) {
        let value = value.trim();
        if value.len() < SHORTEST || !is_distinctive(value) || !self.known.insert(value.to_owned()) {
            return;
        }
        let prefix = window(value.as_bytes());
        self.filter.add(prefix, &self.by_prefix);
        self.by_prefix.entry(prefix).or_default().push(Canary {
            value: value.to_owned(),
            origin: origin.to_owned(),
        });
    }

    /// Remembers what a Secret or BMCSecret holds.
    pub fn add_object(&mut self, kind: &str, name: &str, object: &Value) {
        let entries = |field: &str| object.get(field).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in entries("data") {
            let decoded = value
                .as_str()
                .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
            if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
                self.add_entry(&format!("{key} of {kind} {name}"), key, &text);
            }
        }
        for (key, value) in entries("stringData") {
            if let Some(text) = value.as_str() {
                self.add_entry(&format!("{key} of {kind} {name}"), key, text);
            }
        }
    }

    fn add_entry(&mut self, origin: &str, key: &str, text: &str) {
        if PUBLIC_KEYS.contains(&key) {
            return;
        }
        self.add(text, origin);
        for word in text.split(|c: char| c.is_whitespace() || "\"'`,;".contains(c)) {
            let secret = word
                .strip_prefix("--registry-token=")
                .or_else(|| word.find("canary-").map(|start| &word[start..]));
            if let Some(secret) = secret {
                self.add(secret, origin);
            }
        }
    }

    /// What the first secret value in `text` is, if there is one.
    pub fn find(&self, text: &str) -> Option<&str> {
        self.next(text, 0).map(|(_, canary)| canary.origin.as_str())
    }

    /// `text` with every secret value blacked out.
    pub fn redact(&self, text: &str) -> String {
        let mut redacted = String::new();
        let mut from = 0;
        while let Some((at, canary)) = self.next(text, from) {
            redacted.push_str(&text[from..at]);
            redacted.push_str("█████");
            from = at + canary.value.len();
        }
        redacted.push_str(&text[from..]);
        redacted
    }

    fn next(&self, text: &str, from: usize) -> Option<(usize, &Canary)> {
        if self.by_prefix.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        let mut at = from;
        while at + PREFIX <= bytes.len() {
            let prefix = window(&bytes[at..]);
            if self.filter.may_know(prefix)
                && let Some(candidates) = self.by_prefix.get(&prefix)
            {
                let found = candidates
                    .iter()
                    .filter(|canary| bytes[at..].starts_with(canary.value.as_bytes()));
                if let Some(longest) = found.max_by_key(|canary| canary.value.len()) {
                    return Some((at, longest));
                }
            }
            at += 1;
        }
        None
    }
}

impl Filter {
    /// Bits per prefix: one window in so many passes for nothing.
    const SPARSITY: usize = 64;
    const SMALLEST: usize = 64;

    fn add<T>(&mut self, prefix: u64, known: &BTreeMap<u64, T>) {
        if self.bits.len() * 64 < known.len() * Self::SPARSITY + 1 {
            let words = (known.len() * Self::SPARSITY / 32)
                .next_power_of_two()
                .max(Self::SMALLEST);
            self.bits = vec![0; words];
            known.keys().for_each(|prefix| self.set(*prefix));
        }
        self.set(prefix);
    }

    fn set(&mut self, prefix: u64) {
        let (word, bit) = self.place(prefix);
        self.bits[word] |= bit;
    }

    fn may_know(&self, prefix: u64) -> bool {
        let (word, bit) = self.place(prefix);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// The upper bits of a product depend on every bit of the prefix.
    fn place(&self, prefix: u64) -> (usize, u64) {
        let hash = prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        ((hash as usize / 64) & self.bits.len().wrapping_sub(1), 1 << (hash % 64))
    }
}

fn window(bytes: &[u8]) -> u64 {
    let mut prefix = [0; PREFIX];
    prefix.copy_from_slice(&bytes[..PREFIX]);
    u64::from_le_bytes(prefix)
}

/// A value such as `password` is no canary: the word may stand anywhere for good reasons.
fn is_distinctive(value: &str) -> bool {
    value.chars().any(|c| !c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encode(text: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn secrets_are_found_and_blacked_out() {
        let mut secrets = Secrets::default();
        secrets.add_object(
            "BMCSecret",
            "node-1",
            &json!({"data": {"username": encode("administrator-1"), "password": encode("s3cr3t-pw!")}}),
        );
        secrets.add_object(
            "Secret",
            "tenant",
            &json!({"data": {"ignition": encode("ExecStart=x ./launch.sh --registry-url=http://r --registry-token=tok-123456\ncontents: canary-tenant-data")}}),
        );
        assert_eq!(secrets.find("login of administrator-1 failed"), None);
        assert_eq!(
            secrets.find("login with s3cr3t-pw! failed"),
            Some("password of BMCSecret node-1")
        );
        assert_eq!(secrets.find("POST ... tok-123456"), Some("ignition of Secret tenant"));
        assert_eq!(secrets.redact("a s3cr3t-pw! b canary-tenant-data"), "a █████ b █████");
        assert_eq!(secrets.redact("nothing here"), "nothing here");
    }

    #[test]
    fn words_that_occur_by_chance_are_no_canaries() {
        let mut secrets = Secrets::default();
        secrets.add("password", "a default");
        secrets.add("short1", "too short");
        assert_eq!(secrets.find("the password is short1"), None);
    }

    #[test]
    fn of_two_canaries_with_one_beginning_the_longer_is_found() {
        let mut secrets = Secrets::default();
        secrets.add("prefix-12", "short");
        secrets.add("prefix-12345", "long");
        assert_eq!(secrets.redact("<prefix-12345>"), "<█████>");
        assert_eq!(secrets.find("prefix-12x"), Some("short"));
    }
}
