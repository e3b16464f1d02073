//! A certificate authority of the run, and a certificate per BMC, made when somebody connects for the first time: most
//! BMCs of a large fleet are never connected to at the same moment, and some never.
//!
//! Keys come from the operating system's randomness: they exist only where there are real sockets.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ServeError;
use crate::bmc::Bmc;
use crate::certificate::{CertificateError, ServerCertificate, private_key};
use crate::machine::Machine;

/// Signs, and sets TLS up.
#[derive(Clone)]
pub(super) struct Authority(Arc<Inner>);

struct Inner {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
    /// Without a certificate. HTTP/1.1 only: no BMC speaks HTTP/2.
    template: ServerConfig,
}

/// Who presents itself.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Address(IpAddr),
    Host(String),
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Certificates(#[from] rcgen::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Authority {
    pub(super) fn new() -> Result<Self, ServeError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name("bmc-emulator CA");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = parameters.self_signed(&key)?.pem();
        let mut template = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Nobody));
        template.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(Inner {
            pem,
            issuer: Issuer::new(parameters, key),
            provider,
            template,
        })))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem.clone()
    }

    /// TLS of one connection to a BMC, with a certificate that Redfish can replace. Few BMCs speak HTTP/2.
    pub(super) fn config_of(&self, bmc: &Bmc, name: Name) -> Arc<ServerConfig> {
        let mut config = self.0.template.clone();
        let http2 = bmc.with(|machine, _| machine.personality.http2);
        config.alpn_protocols = http2.then(|| b"h2".to_vec()).into_iter().collect();
        config.alpn_protocols.push(b"http/1.1".to_vec());
        config.cert_resolver = Arc::new(CertificateOf {
            bmc: bmc.clone(),
            name,
            authority: self.clone(),
        });
        Arc::new(config)
    }

    /// TLS for those who have not said which BMC they want.
    pub(super) fn config_of_front(&self, address: IpAddr) -> Result<Arc<ServerConfig>, ServeError> {
        let certificate = self
            .certificate(&Name::Address(address), None)
            .map_err(|error| match error {
                MakeError::Certificates(error) => ServeError::Certificates(error),
                MakeError::Certificate(error) => ServeError::Certificate(error),
            })?;
        let mut config = self.0.template.clone();
        config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certificate.key));
        Ok(Arc::new(config))
    }

    fn certificate(&self, name: &Name, flaw: Option<Flaw>) -> Result<ServerCertificate, MakeError> {
        let other = Name::Host("another-bmc.invalid".to_owned());
        let name = if matches!(flaw, Some(Flaw::Name)) { &other } else { name };
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(&name.to_string());
        parameters.subject_alt_names = vec![name.alternative()?];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        if matches!(flaw, Some(Flaw::Expired)) {
            parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let certificate = parameters.signed_by(&key, &self.0.issuer)?;
        let (pem, key) = (certificate.pem(), private_key(&key));
        Ok(ServerCertificate::new(&pem, key, &self.0.provider)?)
    }
}

impl Name {
    fn alternative(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Name::Address(address) => SanType::IpAddress(*address),
            Name::Host(host) => SanType::DnsName(host.as_str().try_into()?),
        })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Address(address) => address.fmt(formatter),
            Name::Host(host) => formatter.write_str(host),
        }
    }
}

/// Whatever certificate a BMC has when somebody connects.
struct CertificateOf {
    bmc: Bmc,
    name: Name,
    authority: Authority,
}

impl std::fmt::Debug for CertificateOf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("CertificateOf").field(&self.bmc.name()).finish()
    }
}

impl ResolvesServerCert for CertificateOf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.bmc.with(|machine, _| {
            machine.https.is_served = true;
            if let Some(flaw) = Flaw::of(machine) {
                return self.make(Some(flaw)).map(|certificate| certificate.key);
            }
            if machine.https.certificate.is_none() {
                machine.https.certificate = self.make(None);
            }
            Some(Arc::clone(&machine.https.certificate.as_ref()?.key))
        })
    }
}

impl CertificateOf {
    fn make(&self, flaw: Option<Flaw>) -> Option<ServerCertificate> {
        let made = self.authority.certificate(&self.name, flaw);
        if let Err(error) = &made {
            tracing::error!(%error, name = %self.name, "no certificate can be made");
        }
        made.ok()
    }
}

/// What a fault makes wrong with a certificate.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Expired,
    /// It is for somebody else.
    Name,
}

impl Flaw {
    fn of(machine: &Machine) -> Option<Self> {
        if machine.faults.certificate_expired() {
            return Some(Self::Expired);
        }
        machine.faults.certificate_of_another().then_some(Self::Name)
    }
}

/// Stands in the template, which serves nobody.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
