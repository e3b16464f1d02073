//! Keys, certificates and tokens of one control plane, as the files that its programs read.

use crate::testbed::TestbedError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

pub(super) const AUTHORITY: &str = "ca.pem";
pub(super) const SERVER_CERTIFICATE: &str = "server.pem";
pub(super) const SERVER_KEY: &str = "server-key.pem";
pub(super) const ACCOUNTS_KEY: &str = "accounts-key.pem";
pub(super) const ACCOUNTS_PUBLIC_KEY: &str = "accounts.pem";
pub(super) const TOKENS: &str = "tokens.csv";

/// What clients need.
pub(super) struct Certificates {
    authority_pem: String,
    pub(super) admin_token: String,
}

impl Certificates {
    /// Makes all of them from the operating system's randomness; a real control plane is not deterministic anyway.
    pub(super) fn make(folder: &Path) -> Result<Self, TestbedError> {
        let failed = |error: rcgen::Error| TestbedError::failed("the certificates cannot be made", error);
        let mut authority = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        authority.distinguished_name.push(DnType::CommonName, "envtest CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(failed)?).map_err(failed)?;
        let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc"];
        let mut server = CertificateParams::new(names.map(str::to_owned)).map_err(failed)?;
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        let server_key = KeyPair::generate().map_err(failed)?;
        let server = server.signed_by(&server_key, &authority).map_err(failed)?;
        let accounts = KeyPair::generate().map_err(failed)?;
        // A key that nobody signs with is as good a password as any.
        let token = hex::encode(KeyPair::generate().map_err(failed)?.public_key_raw());
        for (name, content) in [
            (AUTHORITY, authority.pem()),
            (SERVER_CERTIFICATE, server.pem()),
            (SERVER_KEY, server_key.serialize_pem()),
            (ACCOUNTS_KEY, accounts.serialize_pem()),
            (ACCOUNTS_PUBLIC_KEY, accounts.public_key_pem()),
            (TOKENS, format!("{token},admin,admin,system:masters\n")),
        ] {
            let path = folder.join(name);
            private(&path, &content)
                .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))?;
        }
        Ok(Self {
            authority_pem: authority.pem(),
            admin_token: token,
        })
    }

    pub(super) fn kubeconfig(&self, server: SocketAddr, token: &str) -> String {
        let authority = STANDARD.encode(&self.authority_pem);
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: envtest\n  cluster:\n    certificate-authority-data: \
             {authority}\n    server: https://{server}\nusers:\n- name: user\n  user:\n    token: {token:?}\ncontexts:\n\
             - name: envtest\n  context:\n    cluster: envtest\n    user: user\ncurrent-context: envtest\n"
        )
    }
}

/// Only its owner may read it.
fn private(path: &Path, content: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}
