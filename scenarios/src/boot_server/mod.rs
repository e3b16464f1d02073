//! The boot-operator stand-in of the testbed: decides which boot configurations are Ready and serves what firmware
//! fetches, as the boot-operator of contract §11 does.
//!
//! | module | subject |
//! |---|---|
//! | [`image`] | OCI image references and the registry allow list |
//! | [`butane`] | Butane YAML → Ignition JSON |
//! | `validation` | pure: ServerBootConfiguration + Secret → Ready or Error |
//! | `identity` | what an index of Servers reads of them |
//! | `resolution` | which configuration a machine may boot *now*: index, live reads, fencing |
//! | `script` | the iPXE script |
//! | `controller` | writes the verdict to `status` |
//! | `routes` | `/ipxe/<uuid>` and `/ignition/<uuid>` |
//!
//! Better than the original on purpose: a configuration is found through the `bootConfigurationRef` of the Server that
//! carries the UUID, read live and checked against the tenancy epoch, so that a stale cache or a leftover object never
//! serves another tenancy's system (bugs.md 73, 74, 76, 77). It resolves no image layers: the scripts name a kernel and
//! an initrd that virtual firmware does not load.

pub mod butane;
mod conditions;
mod controller;
mod identity;
pub mod image;
mod resolution;
mod routes;
pub(crate) mod script;
mod validation;

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;

use resolution::ServerIndex;

/// Wall clock for condition timestamps. Timers use `tokio::time`.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the boot server is told about its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL under which machines reach [`BootServer::router`], without a trailing slash.
    pub service_url: String,
    /// Registries from which images may come, by exact name; the names of the Docker Hub are one.
    pub allowed_registries: Vec<String>,
}

/// The boot server. Cheap to clone.
#[derive(Clone)]
pub struct BootServer {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    settings: Settings,
    clock: Clock,
    servers: ServerIndex,
    users: controller::Users,
}

impl BootServer {
    /// Spawns and reads nothing; see [`BootServer::run`].
    #[must_use]
    pub fn new(client: Client, settings: Settings, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                client,
                settings,
                clock,
                servers: ServerIndex::default(),
                users: controller::Users::default(),
            }),
        }
    }

    /// What firmware talks to.
    pub fn router(&self) -> axum::Router {
        routes::router(self.shared.clone())
    }

    /// Watches Servers, ServerBootConfigurations and Secrets until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(
            resolution::watch_servers(self.shared.clone(), stop.clone()),
            controller::run(self.shared.clone(), stop),
        );
    }
}
