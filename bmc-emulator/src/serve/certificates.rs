//! A certificate authority of the run, and a certificate per BMC.
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
use crate::certificate::{ServerCertificate, private_key};

pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Result<Self, ServeError> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name("bmc-emulator CA");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = parameters.self_signed(&key)?.pem();
        Ok(Self {
            pem,
            issuer: Issuer::new(parameters, key),
        })
    }

    pub(super) fn pem(&self) -> String {
        self.pem.clone()
    }

    /// TLS for the BMC at `address`, with a certificate that Redfish can replace. Few BMCs speak HTTP/2.
    pub(super) fn server_config(
        &self,
        bmc: &Bmc,
        address: IpAddr,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<ServerConfig>, ServeError> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(&address.to_string());
        parameters.subject_alt_names = vec![SanType::IpAddress(address)];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        let certificate = ServerCertificate::new(&certificate.pem(), private_key(&key), provider)?;
        bmc.with(|machine, _| machine.https.certificate = Some(certificate));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(CertificateOf(bmc.clone())));
        let http2 = bmc.with(|machine, _| machine.personality.http2);
        config.alpn_protocols = http2.then(|| b"h2".to_vec()).into_iter().collect();
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }
}

/// Whatever certificate a BMC has when somebody connects.
struct CertificateOf(Bmc);

impl std::fmt::Debug for CertificateOf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("CertificateOf").field(&self.0.name()).finish()
    }
}

impl ResolvesServerCert for CertificateOf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = |machine: &mut crate::machine::Machine, _| Some(Arc::clone(&machine.https.certificate.as_ref()?.key));
        self.0.with(key)
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
