//! The paths under `/v1/` (contract section 6.3). Whoever asks is told about the machine whose address he has, after a header that no browser
//! and no proxy sends by accident.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crds::Server;
use serde_json::json;

use super::Metaldata;
use super::fields::{self, USER_DATA};
use super::user_data::{self, UserData};

const FLAVOR_HEADER: &str = "Metadata-Flavor";
const FLAVOR: &str = "IronCore Metal";
const MISSING_FLAVOR: &str = "missing required header: Metadata-Flavor: IronCore Metal";

pub(super) fn router(metaldata: Arc<Metaldata>) -> Router {
    Router::new()
        .route("/v1/", get(all))
        .route("/v1/user-data", get(user_data))
        .route("/v1/user-data/{key}", get(user_data_key))
        .route("/v1/{field}", get(field))
        .layer(middleware::from_fn(flavored))
        .layer(middleware::from_fn_with_state(metaldata.clone(), counted))
        .with_state(metaldata)
}

async fn flavored(headers: HeaderMap, request: Request, next: Next) -> Response {
    if headers.get(FLAVOR_HEADER).is_some_and(|flavor| flavor == FLAVOR) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, MISSING_FLAVOR).into_response()
}

async fn counted(State(metaldata): State<Arc<Metaldata>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    metaldata.requests.count(response.status());
    response
}

async fn all(State(metaldata): State<Arc<Metaldata>>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    let Some(server) = metaldata.index.find(peer.ip()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut document = json!(fields::fields(&server, &metaldata.fixed));
    match user_data_of(&metaldata, &server).await {
        Ok(Some(data)) => document[USER_DATA] = json!(user_data::texts(&data)),
        Ok(None) => {}
        Err(response) => return response,
    }
    axum::Json(document).into_response()
}

async fn field(
    State(metaldata): State<Arc<Metaldata>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(field): Path<String>,
) -> Response {
    let server = metaldata.index.find(peer.ip());
    let value = server.and_then(|server| fields::fields(&server, &metaldata.fixed).remove(&field));
    value.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

async fn user_data(State(metaldata): State<Arc<Metaldata>>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    let Some(server) = metaldata.index.find(peer.ip()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match user_data_of(&metaldata, &server).await {
        Ok(Some(data)) => axum::Json(user_data::texts(&data)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(response) => response,
    }
}

async fn user_data_key(
    State(metaldata): State<Arc<Metaldata>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(key): Path<String>,
) -> Response {
    let Some(server) = metaldata.index.find(peer.ip()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match user_data_of(&metaldata, &server).await {
        Ok(Some(mut data)) => match data.remove(&key) {
            Some(value) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], value.0).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(response) => response,
    }
}

async fn user_data_of(metaldata: &Metaldata, server: &Server) -> Result<Option<UserData>, Response> {
    user_data::of(&metaldata.client, server).await.map_err(|error| {
        tracing::warn!(%error, "user data could not be read");
        // What is wrong with it is the owner's business, and not that of the machine.
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
