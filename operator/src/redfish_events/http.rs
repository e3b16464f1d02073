//! The HTTP face of the receiver: contract section 6.4, plus a token at the end of the path.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use serde::Deserialize;

use super::{EventReceiver, message};
use crate::serve::not_leading;

/// Longest accepted body in bytes.
const BODY_LIMIT: usize = 1 << 20;

pub(super) fn router(receiver: EventReceiver) -> Router {
    Router::new()
        .route("/serverevents/alerts/{bmc}", post(alerts))
        .route("/serverevents/alerts/{bmc}/{token}", post(alerts))
        .route("/serverevents/metricsreport/{bmc}", post(report))
        .route("/serverevents/metricsreport/{bmc}/{token}", post(report))
        .layer(middleware::from_fn_with_state(receiver.clone(), leader_only))
        .with_state(receiver)
}

/// Only the leader acts on events; anybody else says so at once.
async fn leader_only(State(receiver): State<EventReceiver>, request: Request, next: Next) -> Response {
    let endpoint = match request.uri().path().split('/').nth(2) {
        Some("alerts") => "alerts",
        Some("metricsreport") => "metricsreport",
        _ => "other",
    };
    let response = if receiver.serving() {
        next.run(request).await
    } else {
        not_leading()
    };
    let metrics = receiver.0.metrics.redfish();
    metrics.received(endpoint, response.status().as_u16());
    response
}

/// Who tells.
#[derive(Deserialize)]
struct Sender {
    bmc: String,
    token: Option<String>,
}

async fn alerts(
    State(receiver): State<EventReceiver>,
    Path(sender): Path<Sender>,
    body: Body,
) -> Result<StatusCode, StatusCode> {
    let body = read(&receiver, &sender, body).await?;
    let alerts = message::alerts(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    receiver.told(&sender.bmc, &alerts);
    Ok(StatusCode::OK)
}

async fn report(
    State(receiver): State<EventReceiver>,
    Path(sender): Path<Sender>,
    body: Body,
) -> Result<StatusCode, StatusCode> {
    let body = read(&receiver, &sender, body).await?;
    let readings = message::readings(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    receiver.measured(&sender.bmc, readings);
    Ok(StatusCode::OK)
}

/// The body, for those who may send one: a stranger costs no memory.
async fn read(receiver: &EventReceiver, sender: &Sender, body: Body) -> Result<Bytes, StatusCode> {
    if !receiver.admits(&sender.bmc, sender.token.as_deref()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}
