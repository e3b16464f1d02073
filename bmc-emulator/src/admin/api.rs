//! The admin API over HTTP.
//!
//! | request | answer |
//! |---|---|
//! | `GET /machines` | names, personalities and addresses |
//! | `GET /machines/{name}` | the truth about one machine |
//! | `GET /machines/{name}/faults` | its faults |
//! | `POST /machines/{name}/faults` | injects a fault, 201 with its id |
//! | `DELETE /machines/{name}/faults`, `…/faults/{id}` | clears them |
//! | `POST /faults` | injects a fault into all machines of a pattern, 201 with the ids |
//! | `DELETE /faults` | clears all faults of all machines |
//! | `POST /machines/{name}/actions` | does something to it, 204 |

use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::AdminAction;
use crate::bmc::Bmc;
use crate::fault::{Fault, FaultId, FleetFault};
use crate::fleet::Fleet;
use crate::secret::Secret;

pub(crate) fn router(fleet: Fleet, token: &str) -> Router {
    let token = Secret::new(format!("Bearer {token}"));
    Router::new()
        .route("/machines", get(machines))
        .route("/machines/{name}", get(machine))
        .route("/machines/{name}/faults", get(faults).post(inject).delete(clear))
        .route("/machines/{name}/faults/{id}", delete(remove))
        .route("/faults", post(inject_everywhere).delete(clear_everywhere))
        .route("/machines/{name}/actions", post(act))
        .layer(middleware::from_fn_with_state(token, authorize))
        .with_state(fleet)
}

async fn authorize(State(token): State<Secret>, request: Request, next: Next) -> Response {
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if presented == Some(token.expose()) {
        next.run(request).await
    } else {
        Problem(
            StatusCode::UNAUTHORIZED,
            "present the admin token as a bearer token".to_owned(),
        )
        .into_response()
    }
}

/// Why a request was not carried out, as `{"error": "…"}`.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

fn find(fleet: &Fleet, name: &str) -> Result<Bmc, Problem> {
    fleet
        .bmc(name)
        .ok_or_else(|| Problem(StatusCode::NOT_FOUND, format!("no machine is called {name:?}")))
}

fn unprocessable(error: impl std::error::Error) -> Problem {
    Problem(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

async fn machines(State(fleet): State<Fleet>) -> Json<Value> {
    let all: Vec<Value> = fleet
        .bmcs()
        .iter()
        .map(|bmc| {
            let endpoint = bmc.endpoint();
            json!({
                "name": bmc.name(),
                "systemUUID": bmc.system_uuid().to_string(),
                "address": endpoint.address,
                "port": endpoint.port,
                "macAddress": endpoint.mac_address,
                "behind": (!bmc.has_own_bmc()).then(|| bmc.front().name()),
            })
        })
        .collect();
    Json(json!({ "machines": all }))
}

async fn machine(State(fleet): State<Fleet>, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(Json(find(&fleet, &name)?.inspect()).into_response())
}

async fn faults(State(fleet): State<Fleet>, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(Json(find(&fleet, &name)?.inspect().faults).into_response())
}

async fn inject(
    State(fleet): State<Fleet>,
    Path(name): Path<String>,
    Json(fault): Json<Fault>,
) -> Result<Response, Problem> {
    let id = find(&fleet, &name)?.inject(fault).map_err(unprocessable)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn inject_everywhere(State(fleet): State<Fleet>, Json(rule): Json<FleetFault>) -> Result<Response, Problem> {
    let ids = fleet.inject(&rule).map_err(unprocessable)?;
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response())
}

async fn clear_everywhere(State(fleet): State<Fleet>) -> StatusCode {
    fleet.bmcs().iter().for_each(Bmc::clear_faults);
    StatusCode::NO_CONTENT
}

async fn clear(State(fleet): State<Fleet>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    find(&fleet, &name)?.clear_faults();
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(State(fleet): State<Fleet>, Path((name, id)): Path<(String, u64)>) -> Result<StatusCode, Problem> {
    if find(&fleet, &name)?.remove_fault(FaultId(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem(
            StatusCode::NOT_FOUND,
            format!("{name} has no fault {id}; it may have fired for the last time"),
        ))
    }
}

async fn act(
    State(fleet): State<Fleet>,
    Path(name): Path<String>,
    Json(action): Json<AdminAction>,
) -> Result<StatusCode, Problem> {
    let done = find(&fleet, &name)?.apply(action);
    done.map(|()| StatusCode::NO_CONTENT).map_err(unprocessable)
}
