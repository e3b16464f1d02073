//! The HTTP face of the registry: contract section 6.1, plus `POST /cleanup` and tokens.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::tokens::Purpose;
use super::{CleanupReport, HardwareData, Registry, Term, boot_state};
use crate::identity::SystemUuid;
use crate::sabotage::{self, Bug};
use crate::serve::not_leading;

/// Longest accepted body in bytes.
const BODY_LIMIT: usize = 1 << 20;

pub(super) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/register", post(register))
        .route("/bootstate", post(bootstate))
        .route("/cleanup", post(cleanup))
        .route("/systems/{uuid}", get(system))
        .route("/delete/{uuid}", delete(delete_system))
        .layer(middleware::from_fn_with_state(registry.clone(), leader_only))
        .with_state(registry)
}

/// An answer in plain text, as the Go registry gives it.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self(status, text.into())
    }

    fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "missing, invalid or outdated token")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

/// Only the leader knows current epochs and acts on reports; anybody else says so at once.
async fn leader_only(State(registry): State<Registry>, request: Request, next: Next) -> Response {
    let endpoint = match request.uri().path().split('/').nth(1) {
        Some("register") => "register",
        Some("bootstate") => "bootstate",
        Some("cleanup") => "cleanup",
        Some("systems") => "systems",
        Some("delete") => "delete",
        _ => "other",
    };
    let response = if registry.serving() {
        next.run(request).await
    } else {
        not_leading()
    };
    registry
        .0
        .metrics
        .registry_answered(endpoint, response.status().as_u16());
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterRequest {
    #[serde(rename = "systemUUID")]
    system_uuid: SystemUuid,
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BootStateRequest {
    #[serde(rename = "systemUUID")]
    system_uuid: SystemUuid,
    #[serde(default)]
    booted: bool,
}

#[derive(Deserialize)]
struct CleanupRequest {
    #[serde(rename = "systemUUID")]
    system_uuid: SystemUuid,
    #[serde(flatten)]
    report: CleanupReport,
}

async fn register(State(registry): State<Registry>, headers: HeaderMap, body: Body) -> Result<StatusCode, Refusal> {
    let request: RegisterRequest = read(body).await?;
    let term = registry.authorize(&headers, &request.system_uuid, &[Purpose::Discovery])?;
    // Incident 72.
    let refused = sabotage::active(Bug::OddLldpRefused) && !HardwareData::is_uniform(&request.data);
    if !request.data.is_object() || refused {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "data is not an object"));
    }
    tracing::info!(system_uuid = %request.system_uuid, epoch = term.epoch, "a probe registered");
    registry.store_registration(request.system_uuid, term, request.data);
    Ok(StatusCode::CREATED)
}

async fn cleanup(State(registry): State<Registry>, headers: HeaderMap, body: Body) -> Result<StatusCode, Refusal> {
    let request: CleanupRequest = read(body).await?;
    let term = registry.authorize(&headers, &request.system_uuid, &[Purpose::Cleanup])?;
    tracing::info!(system_uuid = %request.system_uuid, epoch = term.epoch, state = ?request.report.state, "a wipe agent reported");
    registry.store_cleanup(request.system_uuid, term, request.report);
    Ok(StatusCode::OK)
}

async fn bootstate(State(registry): State<Registry>, headers: HeaderMap, body: Body) -> Result<StatusCode, Refusal> {
    let request: BootStateRequest = read(body).await?;
    registry.authorize(&headers, &request.system_uuid, &[Purpose::Discovery, Purpose::Cleanup])?;
    if !request.booted {
        return Ok(StatusCode::OK);
    }
    let configuration = registry
        .known_server(&request.system_uuid)
        .and_then(|server| server.boot_configuration);
    let Some((namespace, name)) = configuration else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no server with this UUID has a boot configuration",
        ));
    };
    match boot_state::record(&registry.0.kube, &registry.0.clock, &namespace, &name).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "the boot configuration does not exist",
        )),
        Err(error) => {
            tracing::error!(%error, system_uuid = %request.system_uuid, namespace, name, "a boot state could not be recorded");
            Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the boot state could not be recorded",
            ))
        }
    }
}

async fn system(
    State(registry): State<Registry>,
    headers: HeaderMap,
    Path(uuid): Path<String>,
) -> Result<Response, Refusal> {
    registry.authorize_internal(&headers)?;
    let data = registry.stored_data(&SystemUuid::new(&uuid));
    let data = data.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "nothing registered for this UUID"))?;
    Ok(axum::Json(data.as_ref()).into_response())
}

async fn delete_system(
    State(registry): State<Registry>,
    headers: HeaderMap,
    Path(uuid): Path<String>,
) -> Result<StatusCode, Refusal> {
    registry.authorize_internal(&headers)?;
    if registry.remove(&SystemUuid::new(&uuid)) {
        Ok(StatusCode::OK)
    } else {
        Err(Refusal::new(StatusCode::NOT_FOUND, "nothing registered for this UUID"))
    }
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = to_bytes(body, BODY_LIMIT).await.map_err(|_| {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {BODY_LIMIT} bytes"),
        )
    })?;
    // serde's message quotes nothing of the body but its shape, yet an attacker chooses it: it goes back only to them.
    serde_json::from_slice(&bytes).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::trim)
}

impl Registry {
    /// The term for which a report of this machine counts. A token of an epoch that has passed, or of another Server, is refused (S14);
    /// one that is newer than our cache knows was signed by us, so the cache is behind.
    fn authorize(&self, headers: &HeaderMap, uuid: &SystemUuid, purposes: &[Purpose]) -> Result<Term, Refusal> {
        let server = self
            .known_server(uuid)
            .filter(|_| !uuid.is_empty())
            .ok_or_else(Refusal::unauthorized)?;
        // Incident 158.
        if sabotage::active(Bug::RegistryOpen) {
            return Ok(server.term);
        }
        let Some(token) = bearer(headers) else {
            return if self.0.allow_unauthenticated {
                Ok(server.term)
            } else {
                Err(Refusal::unauthorized())
            };
        };
        self.0
            .tokens
            .verify(uuid, &server.term.server_uid, token)
            // Incidents 91 and 142.
            .filter(|claims| {
                let outdated = claims.term.epoch < server.term.epoch
                    && !sabotage::active(Bug::StaleRegistrationAccepted)
                    && !sabotage::active(Bug::StaleWipeReportAccepted);
                purposes.contains(&claims.purpose) && !outdated
            })
            .map(|claims| claims.term)
            .ok_or_else(Refusal::unauthorized)
    }

    fn authorize_internal(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match bearer(headers) {
            Some(token) if self.0.tokens.verify_internal(token) => Ok(()),
            _ => Err(Refusal::unauthorized()),
        }
    }
}
