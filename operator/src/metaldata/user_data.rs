//! User data of the claim that has a Server, read live: it may be secret, and a cache might hold that of the tenant before.

use std::collections::BTreeMap;

use crds::{Server, ServerClaim, keys};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};

/// The content of the Secret.
pub(super) type UserData = BTreeMap<String, ByteString>;

/// Why there is none, where there should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserDataError {
    #[error("Kubernetes API: {0}")]
    Kube(#[from] kube::Error),
    #[error("Secret {namespace}/{name} has type {found:?}, not {}", keys::USER_DATA_SECRET_TYPE)]
    Type {
        namespace: String,
        name: String,
        found: String,
    },
}

/// `None` for a Server without claim, and for a claim without user data.
pub(super) async fn of(client: &Client, server: &Server) -> Result<Option<UserData>, UserDataError> {
    // The index may be behind the cluster: who has the machine now?
    let servers: Api<Server> = Api::all(client.clone());
    let Some(server) = servers.get_opt(&server.name_any()).await? else {
        return Ok(None);
    };
    let Some(holder) = &server.spec.server_claim_ref else {
        return Ok(None);
    };
    let claims: Api<ServerClaim> = Api::namespaced(client.clone(), &holder.namespace);
    let Some(claim) = claims.get_opt(&holder.name).await? else {
        return Ok(None);
    };
    // A claim made anew under the same name is another tenant.
    if holder.uid.is_some() && holder.uid != claim.uid() {
        return Ok(None);
    }
    let Some(reference) = &claim.spec.user_data_ref else {
        return Ok(None);
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &holder.namespace);
    let Some(secret) = secrets.get_opt(&reference.name).await? else {
        return Ok(None);
    };
    let found = secret.type_.unwrap_or_default();
    if found != keys::USER_DATA_SECRET_TYPE {
        return Err(UserDataError::Type {
            namespace: holder.namespace.clone(),
            name: reference.name.clone(),
            found,
        });
    }
    Ok(Some(secret.data.unwrap_or_default()))
}

/// As JSON writes it.
pub(super) fn texts(data: &UserData) -> BTreeMap<&str, String> {
    data.iter()
        .map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0).into_owned()))
        .collect()
}
