//! What of a recording is nobody else's business. The rule:
//!
//! - **Secrets are removed** while they are read, always. A property whose name ends with one of [`SECRETS`] becomes null,
//!   and so do private keys; user and password of a URI are cut out.
//! - **Identities are replaced**, unless the user wants them kept: whatever a property named in [`IDENTITIES`] says, MAC
//!   addresses and IP addresses anywhere, and certificates. A value has the same replacement wherever it occurs, in texts,
//!   links and file names, in capitals or not, with separators or without: what belonged together still does. Letters
//!   stay letters, digits digits; a MAC address keeps its vendor, an IP address becomes one of those for documentation
//!   (RFC 5737, RFC 3849).
//!
//! Replacements depend on the values and on a salt that is in no file.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::store::Content;

/// Ends of names of properties that are secret, in lower case.
const SECRETS: &[&str] = &[
    "password",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "communitystring",
    "communityname",
    "authenticationkey",
    "authkey",
    "encryptionkey",
    "licensekey",
    "presharedkey",
    "privatekey",
    "sharedkey",
];

/// Ends of names of properties that tell one machine from another, in lower case.
const IDENTITIES: &[&str] = &[
    "serialnumber",
    "servicetag",
    "expressservicecode",
    "nodeid",
    "assettag",
    "uuid",
    "durablename",
    "macaddress",
    "permanentaddress",
    "wwn",
    "wwnn",
    "wwpn",
    "hostname",
    "fqdn",
    "username",
    "certificatestring",
];

/// Accounts that every machine of a vendor is delivered with.
const FACTORY_USERS: &[&str] = &["root", "admin", "administrator", "userid", "guest"];

/// What stands where there is no identity.
const PLACEHOLDERS: &[&str] = &[
    "none",
    "null",
    "unknown",
    "n/a",
    "na",
    "not available",
    "not specified",
    "default string",
];

/// Shorter values are replaced only where they stand alone: they could be part of anything.
const SHORTEST_IN_TEXT: usize = 6;

/// Makes secrets null.
pub(super) fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                if value.is_string() && !name.contains('@') && ends_with(name, SECRETS) {
                    *value = Value::Null;
                } else {
                    remove_secrets(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(remove_secrets),
        Value::String(text) if text.contains("PRIVATE KEY-----") => *value = Value::Null,
        Value::String(text) => {
            if let Some(bare) = without_user_info(text) {
                *text = bare;
            }
        }
        _ => {}
    }
}

fn ends_with(name: &str, ends: &[&str]) -> bool {
    let name = name.to_lowercase();
    ends.iter().any(|end| name.ends_with(end))
}

/// `https://host/` of `https://user:password@host/` (RFC 3986 §3.2.1).
fn without_user_info(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (_, host) = rest[..end].rsplit_once('@')?;
    Some(format!("{scheme}://{host}{}", &rest[end..]))
}

/// All identities of a recording.
#[derive(Default)]
pub(super) struct Identities {
    salt: [u8; 32],
    /// Values in lower case, as they stand alone.
    alone: BTreeSet<String>,
    in_texts: Option<AhoCorasick>,
}

impl Identities {
    pub(super) fn find<'a>(contents: impl Iterator<Item = &'a Content>, salt: [u8; 32]) -> Self {
        let mut alone = BTreeSet::new();
        for content in contents {
            if let Content::Json(document) = content {
                collect(document, &mut alone);
            }
        }
        let mut patterns: BTreeSet<String> = BTreeSet::new();
        for value in alone.iter().filter(|value| value.len() >= SHORTEST_IN_TEXT) {
            patterns.insert(value.clone());
            if is_mac_address(value) || is_uuid(value) {
                patterns.insert(bare(value));
                patterns.insert(value.replace(':', "-"));
            }
        }
        let in_texts = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            // Only more patterns than memory has room for are too many.
            .ok();
        Self { salt, alone, in_texts }
    }

    pub(super) fn replace(&self, value: &mut Value) {
        match value {
            Value::Object(object) => object.values_mut().for_each(|value| self.replace(value)),
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::String(text) => *text = self.replace_text(text),
            _ => {}
        }
    }

    pub(super) fn replace_text(&self, text: &str) -> String {
        if self.alone.contains(&text.to_lowercase()) {
            return self.replacement(text);
        }
        let Some(patterns) = &self.in_texts else {
            return text.to_owned();
        };
        let mut result = String::with_capacity(text.len());
        let mut end = 0;
        for found in patterns.find_iter(text) {
            let touches = |neighbor: Option<char>| neighbor.is_some_and(char::is_alphanumeric);
            let is_part =
                touches(text[..found.start()].chars().next_back()) || touches(text[found.end()..].chars().next());
            if is_part {
                continue;
            }
            result.push_str(&text[end..found.start()]);
            result.push_str(&self.replacement(&text[found.range()]));
            end = found.end();
        }
        result.push_str(&text[end..]);
        result
    }

    fn replacement(&self, text: &str) -> String {
        if text.contains("-----BEGIN") {
            return "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned();
        }
        let bare = bare(text);
        let bytes = Sha256::new()
            .chain_update(self.salt)
            .chain_update(bare.as_bytes())
            .finalize();
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => {
                let network = [[192, 0, 2], [198, 51, 100], [203, 0, 113]][usize::from(bytes[0] % 3)];
                return format!("{}.{}.{}.{}", network[0], network[1], network[2], bytes[1] % 254 + 1);
            }
            Ok(IpAddr::V6(_)) => {
                return format!("2001:db8::{:x}:{:x}", u16::from(bytes[0]) + 1, u16::from(bytes[1]) + 1);
            }
            Err(_) => {}
        }
        let is_hex = bare.chars().all(|c| c.is_ascii_hexdigit());
        let kept = if is_mac_address(text) || (bare.len() == 12 && is_hex) {
            6
        } else {
            0
        };
        let mut count = 0;
        let other = |c: char| {
            if !c.is_ascii_alphanumeric() {
                return c;
            }
            count += 1;
            if count <= kept {
                return c;
            }
            let byte = usize::from(bytes[count % bytes.len()]) ^ (count / bytes.len());
            let pick = |letters: &[u8]| char::from(letters[byte % letters.len()]);
            match c {
                '0'..='9' => pick(b"0123456789"),
                _ if is_hex && c.is_ascii_lowercase() => pick(b"abcdef"),
                _ if is_hex => pick(b"ABCDEF"),
                _ if c.is_ascii_lowercase() => pick(b"abcdefghijklmnopqrstuvwxyz"),
                _ => pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            }
        };
        text.chars().map(other).collect()
    }
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if is_identity(name, text) => {
                        found.insert(text.to_lowercase());
                    }
                    Value::String(text) => found.extend(addresses(text)),
                    other => collect(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::String(text) => {
            if is_ip_address(text) {
                found.insert(text.to_lowercase());
            }
            found.extend(addresses(text));
        }
        _ => {}
    }
}

fn is_identity(name: &str, text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    // Names are what one machine has, not what one of many can be told to have.
    if name.contains('@') || PLACEHOLDERS.contains(&lower.as_str()) {
        return false;
    }
    let name = name.to_lowercase();
    if !name.contains("version") && !name.contains("mask") && is_ip_address(text) {
        return true;
    }
    let first = lower.chars().next();
    let says_something = lower.len() >= 3 && lower.chars().any(|c| Some(c) != first && c.is_alphanumeric());
    says_something
        && ends_with(&name, IDENTITIES)
        && !(name.ends_with("username") && FACTORY_USERS.contains(&lower.as_str()))
        && !text.starts_with('/')
}

/// One that somebody has: not a mask, nor an address that every host has.
fn is_ip_address(text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.is_unspecified() || address.is_broadcast() || address.octets()[0] == 255)
        }
        Ok(IpAddr::V6(address)) => !(address.is_loopback() || address.is_unspecified()),
        Err(_) => false,
    }
}

/// MAC addresses in a text, in lower case.
fn addresses(text: &str) -> Vec<String> {
    const LENGTH: usize = 17;
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = 0;
    while start + LENGTH <= bytes.len() {
        match text.get(start..start + LENGTH).filter(|part| is_mac_address(part)) {
            Some(address) => {
                found.push(address.to_lowercase());
                start += LENGTH;
            }
            None => start += 1,
        }
    }
    found
}

fn is_mac_address(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(index, byte)| match index % 3 {
            2 => byte == b':' || byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
        && text.bytes().any(|byte| byte.is_ascii_hexdigit() && byte != b'0')
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// Without separators, in lower case.
fn bare(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scrubbed(documents: &[Value]) -> Vec<Value> {
        let contents: Vec<Content> = documents.iter().cloned().map(Content::Json).collect();
        let identities = Identities::find(contents.iter(), [7; 32]);
        let replace = |document: &Value| {
            let mut document = document.clone();
            identities.replace(&mut document);
            document
        };
        documents.iter().map(replace).collect()
    }

    #[test]
    fn secrets_are_gone() {
        let mut document = json!({
            "Password": "calvin", "PasswordExpiration": "never", "SNMP": { "AgentCommunityString": "public" },
            "Password@Redfish.Note": "kept", "MinPasswordLength": 8,
            "Key": "-----BEGIN EC PRIVATE KEY-----\nabc",
            "Destination": "https://user:hunter2@collector:8443/events",
        });
        remove_secrets(&mut document);
        let expected = json!({
            "Password": null, "PasswordExpiration": "never", "SNMP": { "AgentCommunityString": null },
            "Password@Redfish.Note": "kept", "MinPasswordLength": 8,
            "Key": null,
            "Destination": "https://collector:8443/events",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_belonged_together_still_does() {
        let documents = [
            json!({ "SerialNumber": "F54P1G3", "SKU": "F54P1G3", "HostName": "XCC-F54P1G3", "Model": "R750" }),
            json!({ "UUID": "4C4C4544-0035-3410-8050-C6C04F314733", "Text": "4c4c454400353410 8050" }),
            json!({ "MACAddress": "B0:7B:25:D6:51:82", "Path": "PciRoot/MAC(b07b25d65182,0x1)" }),
            json!({ "Address": "10.1.2.3", "SubnetMask": "255.255.255.0", "FirmwareVersion": "7.10.30.1" }),
            json!({ "Message": "F54P1G3 has no F54P1G37" }),
        ];
        let result = scrubbed(&documents);
        let serial = result[0]["SerialNumber"].as_str().expect("text");
        assert_ne!(serial, "F54P1G3");
        assert_eq!(serial.len(), 7);
        assert_eq!(result[0]["SKU"], serial);
        assert_eq!(result[0]["Model"], "R750");
        assert_eq!(result[4]["Message"], format!("{serial} has no F54P1G37"));

        let mac = result[2]["MACAddress"].as_str().expect("text");
        assert!(mac.starts_with("B0:7B:25:") && mac != "B0:7B:25:D6:51:82", "{mac}");
        let path = result[2]["Path"].as_str().expect("text");
        assert!(path.contains(&mac.replace(':', "").to_lowercase()), "{path} of {mac}");

        let address = result[3]["Address"].as_str().expect("text");
        assert!(
            ["192.0.2.", "198.51.100.", "203.0.113."]
                .iter()
                .any(|net| address.starts_with(net)),
            "{address}"
        );
        assert_eq!(result[3]["SubnetMask"], "255.255.255.0");
        assert_eq!(result[3]["FirmwareVersion"], "7.10.30.1");
        assert!(is_uuid(result[1]["UUID"].as_str().expect("text")));
    }

    #[test]
    fn what_says_nothing_stays() {
        let document = json!({
            "SerialNumber": "None", "AssetTag": "", "UserName": "root", "MACAddress": "00:00:00:00:00:00",
            "SerialNumber@Redfish.Deprecated": "text", "Links": { "UUID": "0000" },
        });
        assert_eq!(scrubbed(std::slice::from_ref(&document)), [document]);
    }
}
