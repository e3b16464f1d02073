//! `metalctl visualizer`: servers in their racks, in a browser on this machine. A place is what the labels of a Server say (contract section
//! 1.10); a server without one is in no picture.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use crds::Server;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde::Serialize;

const PAGE: &str = include_str!("visualizer.html");
const PREFIX: &str = "metadata.metal.ironcore.dev/";

/// A server where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    pub name: String,
    pub location: String,
    pub rack: String,
    pub shelf: i64,
    pub height: i64,
    pub power: String,
    #[serde(rename = "indicatorLED")]
    pub indicator_led: String,
    pub state: String,
}

/// Where the server stands, if its labels say so.
pub fn place(server: &Server) -> Option<Placed> {
    let label = |key: &str| server.labels().get(&format!("{PREFIX}{key}")).map(String::as_str);
    let number = |key: &str| label(key)?.parse().ok();
    let status = server.status.clone().unwrap_or_default();
    Some(Placed {
        name: server.name_any(),
        location: label("location").unwrap_or_default().to_owned(),
        rack: label("rack").unwrap_or_default().to_owned(),
        shelf: number("shelf")?,
        height: number("height")?,
        power: status.power_state.map(|power| power.to_string()).unwrap_or_default(),
        indicator_led: status.indicator_led.map(|led| led.to_string()).unwrap_or_default(),
        state: status.state.map(|state| state.to_string()).unwrap_or_default(),
    })
}

/// The page and its data, for this machine's browser only.
pub fn router(client: kube::Client) -> Router {
    let servers: Arc<Api<Server>> = Arc::new(Api::all(client));
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/api/servers", get(list))
        .with_state(servers)
        .layer(from_fn(local_only))
}

async fn list(State(servers): State<Arc<Api<Server>>>) -> Response {
    match servers.list(&ListParams::default()).await {
        Ok(list) => {
            let mut placed: Vec<Placed> = list.items.iter().filter_map(place).collect();
            placed.sort_by(|a, b| {
                (&a.location, &a.rack, a.shelf, &a.name).cmp(&(&b.location, &b.rack, b.shelf, &b.name))
            });
            Json(placed).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("Servers cannot be listed: {error}\n")).into_response(),
    }
}

/// A page of somebody else, whose name resolves to this machine, must not read who has which server.
async fn local_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    match name {
        Some("localhost" | "127.0.0.1" | "[::1]") => next.run(request).await,
        _ => StatusCode::MISDIRECTED_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use crds::ServerSpec;

    use super::*;

    #[test]
    fn a_place_is_two_numbers_and_two_names() {
        for (labels, expected) in [
            (
                vec![("shelf", "3"), ("height", "2"), ("rack", "r1"), ("location", "hall")],
                Some((3, 2)),
            ),
            (vec![("shelf", "3"), ("height", "2")], Some((3, 2))),
            (vec![("shelf", "top"), ("height", "2"), ("rack", "r1")], None),
            (vec![("shelf", "3"), ("rack", "r1")], None),
            (vec![], None),
        ] {
            let mut server = Server::new("a", ServerSpec::default());
            for (key, value) in &labels {
                server
                    .labels_mut()
                    .insert(format!("{PREFIX}{key}"), (*value).to_owned());
            }
            let found = place(&server).map(|placed| (placed.shelf, placed.height));
            assert_eq!(found, expected, "{labels:?}");
        }
    }
}
