//! What firmware fetches (contract §11.3).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crds::SystemUuid;
use tracing::{info, warn};

use super::resolution::{Refusal, Resolved, resolve};
use super::{Shared, butane, controller, script};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ipxe/", get(chain_script))
        .route("/ipxe/{uuid}", get(boot_script))
        .route("/ignition/{uuid}", get(ignition))
        .with_state(shared)
}

async fn chain_script(State(shared): State<Arc<Shared>>) -> String {
    script::chain(&shared.settings.service_url)
}

async fn boot_script(State(shared): State<Arc<Shared>>, Path(uuid): Path<String>) -> Result<String, Refused> {
    let Resolved {
        configuration,
        bootable,
    } = find(&shared, &uuid).await?;
    let script = script::boot(
        &shared.settings.service_url,
        &bootable.image,
        bootable.ignition.is_some(),
    );
    info!(system_uuid = uuid, image = %bootable.image, "boot script served");
    controller::note_fetch(&shared, configuration, "IPXEScriptFetched", "IPXEScriptDelivered").await;
    Ok(script)
}

async fn ignition(State(shared): State<Arc<Shared>>, Path(uuid): Path<String>) -> Result<Vec<u8>, Refused> {
    let Resolved {
        configuration,
        bootable,
    } = find(&shared, &uuid).await?;
    let payload = bootable.ignition.ok_or_else(|| Refused {
        status: StatusCode::NOT_FOUND,
        message: "the boot configuration of this machine has no ignition".to_owned(),
    })?;
    let document = match payload.is_butane {
        false => payload.content,
        true => butane::to_ignition(&payload.content).map_err(|error| {
            warn!(system_uuid = uuid, %error, "ignition not served");
            Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                message: error.to_string(),
            }
        })?,
    };
    info!(system_uuid = uuid, bytes = document.len(), "ignition served");
    controller::note_fetch(&shared, configuration, "IgnitionDataFetched", "IgnitionDataDelivered").await;
    Ok(document)
}

async fn find(shared: &Shared, uuid: &str) -> Result<Resolved, Refused> {
    resolve(shared, &SystemUuid::new(uuid)).await.map_err(|refusal| {
        warn!(system_uuid = uuid, %refusal, "nothing to boot for this machine");
        match refusal {
            Refusal::Api(_) => Refused {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "try again".to_owned(),
            },
            // Not more: whoever asks is not proven to be that machine.
            _ => Refused {
                status: StatusCode::NOT_FOUND,
                message: "Resource Not Found".to_owned(),
            },
        }
    })
}

/// An error as firmware gets it.
struct Refused {
    status: StatusCode,
    message: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, format!("{}\n", self.message)).into_response()
    }
}
