//! Instance metadata: what a machine may ask about itself, by the address that it asks from (contract section 6.3). A process of its own,
//! of which all replicas serve.
//!
//! | module | subject |
//! |---|---|
//! | `index` | which Server has which address. Pure |
//! | `fields` | what is said about a Server. Pure |
//! | `user_data` | user data of the claim that has it |
//! | `http` | the paths |
//! | `requests` | metrics |
//! | [`options`] | flags |

mod fields;
mod http;
mod index;
pub mod options;
mod requests;
mod user_data;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use crds::Server;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use self::index::Index;
use self::requests::Requests;
use crate::runtime::Watch;

/// The service.
pub struct Metaldata {
    client: Client,
    fixed: BTreeMap<String, String>,
    index: Index,
    requests: Requests,
}

impl Metaldata {
    /// `fixed` is said to every machine.
    pub fn new(client: Client, fixed: BTreeMap<String, String>) -> Arc<Self> {
        Arc::new(Self {
            client,
            fixed,
            index: Index::default(),
            requests: Requests::new(),
        })
    }

    /// The paths. Has to be served with the addresses of peers (`into_make_service_with_connect_info`).
    pub fn router(self: &Arc<Self>) -> Router {
        http::router(self.clone())
    }

    /// `/metrics`.
    pub fn metrics_router(&self) -> Router {
        self.requests.router()
    }

    /// Follows the Servers until stopped. `ready` is called after the first complete list.
    pub async fn run(self: Arc<Self>, stop: CancellationToken, ready: impl FnOnce()) {
        let mut watch = Watch::<Server>::new(Api::all(self.client.clone()));
        let cache = watch.cache();
        watch.on_change(move |change| self.index.changed(change));
        let listed = async {
            if cache.ready().await {
                ready();
            }
        };
        tokio::join!(watch.run(stop), listed);
    }
}
