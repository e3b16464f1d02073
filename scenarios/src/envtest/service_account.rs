//! Tokens of service accounts.

use crate::testbed::TestbedError;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};

/// Longer than any run.
const SECONDS: i64 = 12 * 60 * 60;

/// A token as a pod of this service account would get it.
pub(crate) async fn token(client: kube::Client, namespace: &str, name: &str) -> Result<String, TestbedError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answered = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .map_err(|error| TestbedError::failed(format!("no token for service account {namespace}/{name}"), error))?;
    Ok(answered.status.map(|status| status.token).unwrap_or_default())
}
