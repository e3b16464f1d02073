//! Plain HTTP to a cluster. A client library would hide what is to be seen: it retries, sorts and renames.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Certificate, Client, Response};

use crate::kubeconfig::Access;
use crate::suite::{Identity, Verb};

/// For one answer. Watches end when their reader has enough.
const PATIENCE: Duration = Duration::from_secs(90);
const USER_AGENT: &str = "conformance/1.0";

/// Why a cluster cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("this kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    #[error("no HTTP client can be made: {0}")]
    Client(reqwest::Error),
    #[error("no answer from {path}: {source:?}")]
    Request { path: String, source: reqwest::Error },
}

/// A cluster, and who may ask it.
pub struct Connection {
    server: String,
    /// With the client certificate of the kubeconfig, if it has one.
    admin: Client,
    admin_token: Option<String>,
    /// Without credentials of its own.
    bare: Client,
}

/// One request as it goes out.
pub(crate) struct Outgoing<'a> {
    pub(crate) verb: Verb,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) identity: &'a Identity,
    pub(crate) body: Option<String>,
}

impl Connection {
    /// Connects as the current context of a kubeconfig says.
    ///
    /// # Errors
    /// The kubeconfig or its certificates cannot be used.
    pub fn open(kubeconfig: &str) -> Result<Self, ConnectionError> {
        // A second one of this process finds the provider installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let access = Access::parse(kubeconfig)?;
        let roots = match &access.authority_pem {
            Some(pem) => Certificate::from_pem_bundle(pem).map_err(ConnectionError::Client)?,
            None => Vec::new(),
        };
        let bare = client(&roots, None)?;
        let admin = match &access.identity_pem {
            Some(pem) => client(&roots, Some(pem))?,
            None => bare.clone(),
        };
        Ok(Self {
            server: access.server,
            admin,
            admin_token: access.token,
            bare,
        })
    }

    pub(crate) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Response, ConnectionError> {
        let (client, bearer) = match outgoing.identity {
            Identity::Admin | Identity::User(_) => (self.admin.clone(), self.admin_token.as_deref()),
            Identity::Anonymous => (self.bare.clone(), None),
            Identity::Token(token) => (self.bare.clone(), Some(token.as_str())),
        };
        let mut request = client
            .request(outgoing.verb.method(), format!("{}{}", self.server, outgoing.path))
            .header("user-agent", USER_AGENT);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Identity::User(user) = outgoing.identity {
            request = request.header("impersonate-user", user);
        }
        if !outgoing.headers.contains_key("accept") {
            request = request.header("accept", "application/json");
        }
        if let Some(body) = outgoing.body {
            if !outgoing.headers.contains_key("content-type") {
                request = request.header("content-type", outgoing.verb.content_type());
            }
            request = request.body(body);
        }
        for (name, value) in outgoing.headers {
            request = request.header(name, value);
        }
        request.send().await.map_err(|source| ConnectionError::Request {
            path: outgoing.path.to_owned(),
            source,
        })
    }
}

fn client(roots: &[Certificate], identity: Option<&[u8]>) -> Result<Client, ConnectionError> {
    let mut builder = Client::builder()
        .tls_certs_only(roots.to_vec())
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = identity {
        builder = builder.identity(reqwest::Identity::from_pem(pem).map_err(ConnectionError::Client)?);
    }
    builder.build().map_err(ConnectionError::Client)
}
