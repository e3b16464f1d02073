//! Tokens of service accounts. They look like the real ones and are known by heart: nothing is verified by a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::body::RequestBody;
use crate::api::field_error::FieldError;
use crate::api::status::ApiError;
use crate::api::{Answer, Call};
use crate::edges::rfc3339_seconds;
use crate::emulator::KubeEmulator;
use crate::resource::Resource;
use crate::store::{ObjectKey, StorageId};

const SHORTEST_SECONDS: i64 = 600;
const USUAL_SECONDS: i64 = 3600;

/// Whose a token is, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    namespace: String,
    name: String,
    /// Of the service account: one that is made anew is another one.
    uid: String,
    expires: jiff::Timestamp,
}

/// POST to `serviceaccounts/<name>/token`.
pub(crate) fn request(
    call: &Call,
    accounts: &Resource,
    namespace: &str,
    name: &str,
    body: &RequestBody,
) -> Result<Answer, ApiError> {
    let emulator = &call.emulator;
    let mut review = body.decode_options()?;
    let key = ObjectKey::new(Some(namespace), name);
    let account = emulator.store().get(&accounts.storage, &key);
    let account = account.ok_or_else(|| ApiError::not_found(accounts, name))?;
    let seconds = review["spec"]["expirationSeconds"].as_i64().unwrap_or(USUAL_SECONDS);
    if seconds < SHORTEST_SECONDS {
        let detail = "may not specify a duration less than 10 minutes";
        let error = FieldError::invalid("spec.expirationSeconds", &json!(seconds), detail);
        return Err(ApiError::invalid_kind(
            "authentication.k8s.io",
            "TokenRequest",
            "",
            &[error],
        ));
    }
    let now = emulator.now();
    let expires = now + jiff::SignedDuration::from_secs(seconds);
    let issuer = "https://kubernetes.default.svc";
    let audiences = match review["spec"]["audiences"].take() {
        Value::Array(audiences) if !audiences.is_empty() => Value::Array(audiences),
        _ => json!([issuer]),
    };
    let uid = account.value()["metadata"]["uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let claims = json!({
        "aud": audiences, "exp": expires.as_second(), "iat": now.as_second(), "iss": issuer, "jti": emulator.entropy().uid(),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
        "nbf": now.as_second(), "sub": format!("system:serviceaccount:{namespace}:{name}"),
    });
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "emulated"}).to_string());
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signature = URL_SAFE_NO_PAD.encode(Sha256::digest(format!(
        "{header}.{claims}.{}",
        emulator.entropy().uid()
    )));
    let token = format!("{header}.{claims}.{signature}");
    let issued = Issued {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid,
        expires,
    };
    emulator.tokens().insert(token.clone(), issued);
    let answer = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": rfc3339_seconds(now)},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": review["spec"]["boundObjectRef"]},
        "status": {"token": token, "expirationTimestamp": rfc3339_seconds(expires)},
    });
    Ok(Answer::Json(StatusCode::CREATED, answer))
}

/// Namespace and name of the service account that a token is good for.
pub(super) fn owner(emulator: &KubeEmulator, token: &str) -> Option<(String, String)> {
    let issued = emulator.tokens().get(token).cloned()?;
    let key = ObjectKey::new(Some(&issued.namespace), &issued.name);
    let account = emulator.store().get(&StorageId::new("", "serviceaccounts"), &key)?;
    let good = account.value()["metadata"]["uid"] == issued.uid.as_str() && emulator.now() < issued.expires;
    good.then_some((issued.namespace, issued.name))
}
