//! The certificate a BMC presents: TLS uses it, Redfish shows and replaces it. Only where there are sockets has a BMC any.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// What TLS of one BMC is set up with.
#[derive(Debug, Default)]
pub(crate) struct Https {
    /// Whether clients reach it over TLS at all.
    pub is_served: bool,
    pub certificate: Option<ServerCertificate>,
    /// The key of the last request for a certificate, which the certificate will be for.
    pub requested_key: Option<rcgen::KeyPair>,
}

#[derive(Clone, Debug)]
pub(crate) struct ServerCertificate {
    /// The chain, its own certificate first.
    pub pem: String,
    pub subject: Identity,
    pub issuer: Identity,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub serial_number: String,
    pub key: Arc<CertifiedKey>,
}

/// The parts of a distinguished name that Redfish shows (`Certificate.Identifier`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub common_name: Option<String>,
    pub organization: Option<String>,
    pub country: Option<String>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("it is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("there is no certificate in it")]
    Empty,
    #[error("it is not an X.509 certificate: {0}")]
    NotACertificate(String),
    #[error("no key is known for it")]
    NoKey,
    #[error("it cannot be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Https {
    /// What a PEM text holds, with the key that is in there, or else the key of the last request.
    pub(crate) fn read(&self, pem: &str, provider: &CryptoProvider) -> Result<ServerCertificate, CertificateError> {
        let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(key) => key,
            Err(_) => private_key(self.requested_key.as_ref().ok_or(CertificateError::NoKey)?),
        };
        ServerCertificate::new(pem, key, provider)
    }
}

/// A generated key as TLS takes it.
pub(crate) fn private_key(key: &rcgen::KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

impl ServerCertificate {
    pub(crate) fn new(
        pem: &str,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let leaf = chain.first().ok_or(CertificateError::Empty)?.clone();
        let (_, parsed) =
            X509Certificate::from_der(&leaf).map_err(|error| CertificateError::NotACertificate(error.to_string()))?;
        let validity = parsed.validity();
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        Ok(Self {
            pem: certificates_only(pem),
            subject: Identity::of(parsed.subject()),
            issuer: Identity::of(parsed.issuer()),
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
            serial_number: parsed.raw_serial_as_string(),
            key: Arc::new(CertifiedKey::from_der(chain, key, provider)?),
        })
    }
}

/// Without the private key that may stand beside them.
fn certificates_only(pem: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in pem.lines() {
        inside |= line.starts_with("-----BEGIN CERTIFICATE");
        if inside {
            kept += line;
            kept.push('\n');
        }
        inside &= !line.starts_with("-----END CERTIFICATE");
    }
    kept
}

impl Identity {
    fn of(name: &X509Name<'_>) -> Self {
        let text = |attribute: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
            Some(attribute?.as_str().ok()?.to_owned())
        };
        Self {
            common_name: text(name.iter_common_name().next()),
            organization: text(name.iter_organization().next()),
            country: text(name.iter_country().next()),
        }
    }
}
