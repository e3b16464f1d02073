//! As much of a kubeconfig as a plain HTTP client needs.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::connection::ConnectionError;

/// What the current context says.
pub(crate) struct Access {
    pub(crate) server: String,
    pub(crate) authority_pem: Option<Vec<u8>>,
    pub(crate) token: Option<String>,
    /// Certificate and key, one behind the other.
    pub(crate) identity_pem: Option<Vec<u8>>,
}

impl Access {
    pub(crate) fn parse(kubeconfig: &str) -> Result<Self, ConnectionError> {
        let document: Value =
            serde_saphyr::from_str(kubeconfig).map_err(|error| ConnectionError::Kubeconfig(error.to_string()))?;
        let current = document["current-context"].as_str().unwrap_or_default();
        let context = named(&document, "contexts", current)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cluster = named(&document, "clusters", &text(&context["context"]["cluster"]))?;
        let user = named(&document, "users", &text(&context["context"]["user"]))?;
        let (cluster, user) = (&cluster["cluster"], &user["user"]);
        let server = text(&cluster["server"]);
        if server.is_empty() {
            return Err(ConnectionError::Kubeconfig("the cluster has no `server`".to_owned()));
        }
        let mut identity_pem = pem(user, "client-certificate")?;
        if let (Some(identity), Some(key)) = (&mut identity_pem, pem(user, "client-key")?) {
            identity.push(b'\n');
            identity.extend(key);
        }
        let token = match user["tokenFile"].as_str() {
            Some(file) if user["token"].is_null() => {
                Some(String::from_utf8_lossy(&read(Path::new(file))?).trim().to_owned())
            }
            _ => user["token"].as_str().map(str::to_owned),
        };
        if token.is_none() && identity_pem.is_none() {
            let message =
                "the user has neither a token nor a client certificate; other ways to log in are not supported";
            return Err(ConnectionError::Kubeconfig(message.to_owned()));
        }
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            authority_pem: pem(cluster, "certificate-authority")?,
            token,
            identity_pem,
        })
    }
}

fn named<'a>(document: &'a Value, list: &str, name: &str) -> Result<&'a Value, ConnectionError> {
    let found = document[list]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["name"] == name);
    found.ok_or_else(|| ConnectionError::Kubeconfig(format!("`{list}` has no entry {name:?}")))
}

/// A PEM document that is either in the kubeconfig or in a file that it names.
fn pem(from: &Value, field: &str) -> Result<Option<Vec<u8>>, ConnectionError> {
    if let Some(data) = from[format!("{field}-data")].as_str() {
        let decoded = STANDARD.decode(data.trim());
        return decoded
            .map(Some)
            .map_err(|error| ConnectionError::Kubeconfig(format!("{field}-data is not base64: {error}")));
    }
    from[field].as_str().map(|file| read(Path::new(file))).transpose()
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectionError> {
    std::fs::read(path)
        .map_err(|error| ConnectionError::Kubeconfig(format!("{} cannot be read: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_counts() {
        let config = "
current-context: b
contexts: [{name: a, context: {cluster: x, user: x}}, {name: b, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1/', certificate-authority-data: YQ==}}]
users: [{name: u, user: {token: t}}]";
        let access = Access::parse(config).expect("a kubeconfig");
        assert_eq!(access.server, "https://127.0.0.1:1");
        assert_eq!(access.authority_pem.as_deref(), Some(&b"a"[..]));
        assert_eq!(access.token.as_deref(), Some("t"));
        for wrong in [
            config.replace("token: t", "exec: {}"),
            config.replace("current-context: b", "current-context: z"),
        ] {
            assert!(Access::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
