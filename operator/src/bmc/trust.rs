//! Which certificate a BMC may show, where its BMCSecret says so. The secret is what the administrator writes down for a BMC anyway, it
//! comes with the credentials in one piece, and its change is noticed.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Key of a BMCSecret: PEM bundle of authorities, as of `kubernetes.io/tls`.
pub const CA_KEY: &str = "ca.crt";
/// Key of a BMCSecret: SHA-256 fingerprints of certificates, in hexadecimal, separated by blanks or commas.
pub const FINGERPRINT_KEY: &str = "certificateSHA256";

/// SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; 32];

/// How the certificate of one BMC is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// As the flags say.
    #[default]
    AsConfigured,
    /// Issued by one of these authorities (PEM), for this address, in time: whatever the flags say.
    Authorities(Arc<str>),
    /// One of exactly these certificates, whoever issued them, for whom, until when.
    Pinned(Arc<[Fingerprint]>),
}

/// What is wrong with the trust that a BMCSecret states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("{CA_KEY} holds no certificate in PEM")]
    NoCertificate,
    #[error(
        "{FINGERPRINT_KEY} is not a list of SHA-256 fingerprints: 64 hexadecimal digits each, with or without colons"
    )]
    Fingerprint,
    #[error("{CA_KEY} and {FINGERPRINT_KEY} are both given, and only one can count")]
    Both,
}

impl Trust {
    /// What the two keys of a secret say. A key that is empty is as good as none.
    ///
    /// # Errors
    /// [`TrustError`]: a BMC whose trust cannot be read is not talked to.
    pub fn parse(ca: Option<&str>, fingerprints: Option<&str>) -> Result<Self, TrustError> {
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        match (given(ca), given(fingerprints)) {
            (None, None) => Ok(Self::AsConfigured),
            (Some(_), Some(_)) => Err(TrustError::Both),
            (Some(ca), None) => {
                let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca.as_bytes()).collect();
                match certificates {
                    Ok(certificates) if !certificates.is_empty() => Ok(Self::Authorities(ca.into())),
                    _ => Err(TrustError::NoCertificate),
                }
            }
            (None, Some(text)) => {
                let fingerprints: Option<Vec<Fingerprint>> = text
                    .split([',', ' ', '\n', '\t'])
                    .filter(|word| !word.is_empty())
                    .map(fingerprint)
                    .collect();
                Ok(Self::Pinned(fingerprints.ok_or(TrustError::Fingerprint)?.into()))
            }
        }
    }
}

/// As `openssl x509 -fingerprint -sha256` prints it, with or without what stands before it.
fn fingerprint(word: &str) -> Option<Fingerprint> {
    let digits = word.rsplit('=').next().unwrap_or_default();
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits).replace(':', "");
    hex::decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_read_or_refused() {
        let digits = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        let pinned = |count: usize| Ok(Trust::Pinned(vec![[0xab; 32]; count].into()));
        for (ca, fingerprints, expected) in [
            (None, None, Ok(Trust::AsConfigured)),
            (Some(""), Some(" \n"), Ok(Trust::AsConfigured)),
            (None, Some(digits.as_str()), pinned(1)),
            (
                None,
                Some(&*format!("sha256 Fingerprint={colons}\n")),
                Err(TrustError::Fingerprint),
            ),
            (
                None,
                Some(&*format!("Fingerprint={colons}, sha256:{digits}\n{digits}")),
                pinned(3),
            ),
            (None, Some("abcd"), Err(TrustError::Fingerprint)),
            (Some("no PEM"), None, Err(TrustError::NoCertificate)),
            (Some("no PEM"), Some(&*digits), Err(TrustError::Both)),
        ] {
            assert_eq!(Trust::parse(ca, fingerprints), expected, "{ca:?} {fingerprints:?}");
        }
    }
}
