//! The certificate that a server shows: from files that change under it (cert-manager renews them), or made at the start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How often files are looked at. The kubelet itself takes a minute to bring a renewed Secret to a pod.
const LOOK: Duration = Duration::from_secs(10);

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{path}: {source}")]
    Read { path: String, source: std::io::Error },
    /// What the parser says could quote the key.
    #[error("{0}: no certificate in it, or not as PEM")]
    NoCertificate(String),
    #[error("{0}: no private key in it, or not as PEM")]
    NoKey(String),
    #[error("{certificate} and {key} do not belong together, or are of a kind that is not supported")]
    Mismatch { certificate: String, key: String },
    #[error("no certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// What a TLS server shows to its clients.
pub struct Certificate {
    files: Option<CertificateFiles>,
    current: RwLock<Current>,
}

struct Current {
    /// What the files held when they were last looked at, good or not.
    seen: Option<Content>,
    shown: Arc<CertifiedKey>,
}

#[derive(PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// The one in these files, now and when they change.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let content = Content::read(&files)?;
        let shown = Arc::new(content.parse(&files)?);
        Ok(Self {
            files: Some(files),
            current: RwLock::new(Current {
                seen: Some(content),
                shown,
            }),
        })
    }

    /// One that nobody has signed, for clients that do not check: a Prometheus on the same host.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn self_signed() -> Result<Self, CertificateError> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let shown = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider()).map_err(|_| {
            CertificateError::Mismatch {
                certificate: "a new certificate".to_owned(),
                key: "its key".to_owned(),
            }
        })?;
        Ok(Self {
            files: None,
            current: RwLock::new(Current {
                seen: None,
                shown: Arc::new(shown),
            }),
        })
    }

    /// Looks at the files. A pair that is of no use, because only one of the two has been replaced yet, leaves the old one in place.
    /// True if another one is shown now.
    ///
    /// # Errors
    /// What is wrong with files that have changed since the last look.
    pub fn refresh(&self) -> Result<bool, CertificateError> {
        let Some(files) = &self.files else { return Ok(false) };
        let content = Content::read(files)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.seen.as_ref() == Some(&content) {
            return Ok(false);
        }
        let parsed = content.parse(files);
        current.seen = Some(content);
        current.shown = Arc::new(parsed?);
        Ok(true)
    }

    /// Follows the files until stopped.
    pub async fn follow(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.refresh() {
                Ok(false) => {}
                Ok(true) => tracing::info!(files = ?self.files, "the certificate was renewed"),
                Err(error) => tracing::warn!(%error, "the certificate cannot be renewed; the old one is still shown"),
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(current.shown.clone())
    }
}

impl Content {
    fn read(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| CertificateError::Read {
                path: path.display().to_string(),
                source,
            })
        };
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: Zeroizing::new(read(&files.key)?),
        })
    }

    fn parse(&self, files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
        let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| CertificateError::NoCertificate(certificate.clone()))?;
        let parsed = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| CertificateError::NoKey(key.clone()))?;
        CertifiedKey::from_der(chain, parsed, &provider()).map_err(|_| CertificateError::Mismatch { certificate, key })
    }
}

fn provider() -> CryptoProvider {
    default_provider()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &CertificateFiles, certificate: &str, key: &str) {
        std::fs::write(&files.certificate, certificate).expect("written");
        std::fs::write(&files.key, key).expect("written");
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_renewed_pair_is_shown_and_half_of_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = CertificateFiles {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
        };
        assert!(matches!(
            Certificate::load(files.clone()),
            Err(CertificateError::Read { .. })
        ));
        let ((first, first_key), (second, second_key)) = (pair(), pair());
        write(&files, &first, &first_key);
        let certificate = Certificate::load(files.clone()).expect("a pair");
        let shown = || certificate.current.read().expect("not poisoned").shown.cert[0].clone();
        let before = shown();
        assert!(!certificate.refresh().expect("unchanged"));
        for (broken, key, wanted) in [
            (second.as_str(), first_key.as_str(), "do not belong together"),
            ("", first_key.as_str(), "no certificate in it"),
            (first.as_str(), "garbage", "no private key in it"),
        ] {
            write(&files, broken, key);
            let error = certificate.refresh().expect_err("no pair").to_string();
            assert!(error.contains(wanted), "{error}");
            // Said once, not every ten seconds.
            assert!(!certificate.refresh().expect("seen already"));
            assert_eq!(shown(), before);
        }
        write(&files, &second, &second_key);
        assert!(certificate.refresh().expect("a pair"));
        assert_ne!(shown(), before);
        std::fs::remove_file(&files.key).expect("removed");
        assert!(certificate.refresh().is_err());
    }

    #[test]
    fn a_key_is_never_shown() {
        let certificate = Certificate::self_signed().expect("a certificate");
        assert_eq!(format!("{certificate:?}"), "Certificate { files: None, .. }");
    }
}
