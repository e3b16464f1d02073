//! Somebody in the network of machines who knows the UUID of one, and tells the operator that it was discovered and wiped. What they lack
//! is a token (bugs.md #158).

use super::arena::Arena;
use crate::edges::HttpService;
use crate::net::party::Party;
use bytes::Bytes;
use http::{Method, Request};
use probe::model::{CleanupReport, CleanupState, Registration, RegistrationData};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(5);

/// Tries again and again until dropped. `None` for a machine that does not exist.
pub(super) fn begin(arena: &Arena, machine: &str) -> Option<JoinSet<()>> {
    let uuid = arena.machine(machine)?.system_uuid.clone();
    let http = arena.network.http(Party::new("machines"));
    let registry = arena.world.urls.registry.clone();
    let forging = async move {
        let (registration, report) = forgeries(&uuid);
        loop {
            post(&http, format!("{registry}/register"), &registration).await;
            post(&http, format!("{registry}/cleanup"), &report).await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    let mut forger = JoinSet::new();
    forger.spawn(forging);
    Some(forger)
}

/// A machine without hardware, and drives that are all wiped.
fn forgeries(uuid: &str) -> (Value, Value) {
    let registration = Registration {
        system_uuid: uuid.to_owned(),
        data: RegistrationData::default(),
    };
    let report = CleanupReport {
        system_uuid: uuid.to_owned(),
        state: CleanupState::Succeeded,
        drives: Vec::new(),
        message: String::new(),
    };
    (json!(registration), json!(report))
}

/// Whether it is believed shows in what happens to the machine.
async fn post(http: &HttpService, uri: String, body: &Value) {
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(http::header::CONTENT_TYPE, "application/json");
    if let Ok(request) = request.body(Bytes::from(body.to_string())) {
        let _ = http.clone().oneshot(request).await;
    }
}
