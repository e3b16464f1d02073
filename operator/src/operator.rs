//! The operator as a whole: what is made once, and how it runs.

use std::sync::Arc;
use std::time::Duration;

use crds::Server;
use futures::StreamExt;
use kube::ResourceExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api_deadline::with_deadline;
use crate::bmc::{BmcPool, PoolSettings};
use crate::context::Context;
use crate::controllers::firmware::registries::AttributeRegistries;
use crate::controllers::server::Settings;
use crate::controllers::server_claim::Board;
use crate::controllers::{
    bios_settings, bmc, bmc_settings, bmc_user, boot_configuration, endpoint, firmware_set, firmware_version, server,
    server_claim, server_maintenance, server_readiness_rule,
};
use crate::discovery;
use crate::edges::Edges;
use crate::events::Recorder;
use crate::freshness::OwnWrites;
use crate::health::Health;
use crate::ignition::TemplateSource;
use crate::kinds::{Queues, Watches};
use crate::leader_election::{self, ElectionError, Leadership, LeaseConfig};
use crate::mac_prefixes::MacPrefixes;
use crate::metrics::{Metrics, ServerSample, counted, guarded};
use crate::options::{ConfigError, Options};
use crate::redfish_events::{EventReceiver, ReceiverSettings};
use crate::registry::{KnownServer, Registry, Term, TokenError};
use crate::runtime::{Pacing, run};
use crate::turns::Turns;
use crate::wakeups;
use crate::webhook::Webhooks;

/// Sessions of idle BMCs are looked for this often, in parts of the idle timeout.
const SWEEPS_PER_IDLE_TIMEOUT: u32 = 4;

/// The operator.
pub struct Operator {
    options: Options,
    edges: Edges,
    settings: Settings,
    registry_url: String,
    template: TemplateSource,
    mac_prefixes: MacPrefixes,
    metrics: Metrics,
    health: Health,
    registry: Registry,
    event_receiver: EventReceiver,
    dns_records: Option<Arc<bmc::DnsRecords>>,
    bmcs: BmcPool,
    discovery: Arc<[Box<dyn discovery::Source>]>,
}

/// Why the operator ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Election(#[from] ElectionError),
    #[error("the registry cannot sign tokens: {0}")]
    Tokens(#[from] TokenError),
    /// A controller or watch ended early; it never should.
    #[error("a part of the operator ended unexpectedly")]
    PartEnded,
}

impl Operator {
    /// Checks the options and makes everything that needs no API server.
    ///
    /// # Errors
    /// Options that contradict each other, files that cannot be used.
    pub fn new(options: Options, edges: Edges) -> Result<Self, ConfigError> {
        options.validate()?;
        let metrics = Metrics::new();
        let edges = Edges {
            kube: with_deadline(counted(edges.kube, metrics.clone())),
            ..edges
        };
        let registry = Registry::new(
            edges.kube.clone(),
            edges.clock.clone(),
            metrics.clone(),
            options.registry.registry_allow_unauthenticated,
        );
        let event_receiver = EventReceiver::new(
            ReceiverSettings {
                url: options.event_url(),
                allow_unauthenticated: options.events.event_allow_unauthenticated,
                resync: options.events.event_resync_interval.get(),
            },
            registry.tokens().clone(),
            metrics.clone(),
        );
        Ok(Self {
            settings: Settings::from(&options),
            registry_url: options.registry_url()?,
            dns_records: dns_records(&options.dns_record_template_path)?,
            template: TemplateSource::new(&options.discovery_ignition_path)?,
            mac_prefixes: MacPrefixes::load(&options.mac_prefixes_file)?,
            bmcs: BmcPool::new(
                edges.bmc_http.clone(),
                metrics.clone(),
                PoolSettings::from(&options.bmc),
            ),
            metrics,
            health: Health::new(),
            registry,
            event_receiver,
            discovery: Arc::new([]),
            options,
            edges,
        })
    }

    /// Who looks for BMCs, for whoever has files and sockets to give: nobody does unless this is called.
    #[must_use]
    pub fn discovering(mut self, sources: Vec<Box<dyn discovery::Source>>) -> Self {
        self.discovery = sources.into();
        self
    }

    /// What probes and wipe agents talk to.
    pub fn registry_router(&self) -> axum::Router {
        self.registry.router()
    }

    /// What BMCs send events to; `None` without an event URL.
    pub fn event_router(&self) -> Option<axum::Router> {
        self.options.event_url().map(|_| self.event_receiver.router())
    }

    /// `/healthz` and `/readyz`.
    pub fn health_router(&self) -> axum::Router {
        self.health.router()
    }

    /// What the kubelet asks.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// `/metrics`, for everybody.
    pub fn metrics_router(&self) -> axum::Router {
        self.metrics.router()
    }

    /// `/metrics`, for those whom the API server allows to read it.
    pub fn guarded_metrics_router(&self) -> axum::Router {
        guarded(self.metrics.router(), self.edges.kube.clone(), self.edges.clock.clone())
    }

    /// The webhooks: what they need to know is watched in `tasks` until `stop`.
    pub fn start_webhooks(&self, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> axum::Router {
        Webhooks::start(&self.edges.kube, self.metrics.clone(), stop, tasks).router()
    }

    /// Runs until stopped: waits for leadership (with `--leader-elect`), works, drains, and closes every BMC session before it
    /// gives leadership up. Dropping the future is a crash.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(&self, stop: CancellationToken) -> Result<(), RunError> {
        // Ready means: this process can take over, not that it leads.
        self.health.set_ready(true);
        let result = if self.options.leader_election.leader_elect {
            self.run_elected(stop).await
        } else {
            self.lead(Leadership::always(), stop).await
        };
        self.health.set_ready(false);
        result
    }

    async fn run_elected(&self, stop: CancellationToken) -> Result<(), RunError> {
        let lease = LeaseConfig::new(&self.options.manager_namespace, &self.options.leader_election);
        let mut ended = Ok(());
        let outcome = &mut ended;
        leader_election::run(
            self.edges.kube.clone(),
            lease,
            self.edges.identity.clone(),
            self.edges.clock.clone(),
            stop,
            |leadership, leading| async move {
                *outcome = self.lead(leadership, leading).await;
            },
        )
        .await?;
        ended
    }

    async fn lead(&self, leadership: Leadership, stop: CancellationToken) -> Result<(), RunError> {
        let (client, namespace) = (&self.edges.kube, &self.options.manager_namespace);
        let tokens = self.registry.tokens();
        tokens.load_key(client, namespace, &self.edges.seed).await?;
        let stop = stop.child_token();
        let watches = Watches::new(client);
        let (context, queues, mut tasks) = self.start(watches, leadership, &stop);
        self.metrics.set_leader(true);
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            ready = context.caches.synced() => {
                if ready {
                    self.registry.set_serving(true);
                    self.event_receiver.set_serving(true);
                    self.work(&context, queues, &mut tasks, &stop);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => Ok(()),
                        _ = tasks.join_next() => Err(RunError::PartEnded),
                    }
                } else {
                    Err(RunError::PartEnded)
                }
            }
        };
        // Passes that have begun are finished, nothing new begins.
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        self.registry.set_serving(false);
        self.event_receiver.set_serving(false);
        self.bmcs.close_all().await;
        self.metrics.set_leader(false);
        result
    }

    /// Starts the watches, with everything that they wake.
    fn start(
        &self,
        mut watches: Watches,
        leadership: Leadership,
        stop: &CancellationToken,
    ) -> (Arc<Context>, Queues, JoinSet<()>) {
        let board = Arc::new(Board::default());
        let (queues, wakers) = Queues::new();
        let context = Arc::new(Context {
            client: self.edges.kube.clone(),
            caches: watches.caches(),
            bmcs: self.bmcs.clone(),
            ssh: self.edges.ssh.clone(),
            registry: self.registry.clone(),
            event_receiver: self.event_receiver.clone(),
            dns_records: self.dns_records.clone(),
            options: self.options.clone(),
            settings: self.settings.clone(),
            registry_url: self.registry_url.clone(),
            template: self.template.clone(),
            mac_prefixes: self.mac_prefixes.clone(),
            clock: self.edges.clock.clone(),
            seed: self.edges.seed.clone(),
            leadership,
            metrics: self.metrics.clone(),
            events: Recorder::new(
                self.edges.kube.clone(),
                self.edges.clock.clone(),
                self.edges.identity.clone(),
            ),
            own_writes: OwnWrites::default(),
            turns: Turns::default(),
            listings: Turns::default(),
            firmware_turns: Turns::default(),
            attribute_registries: AttributeRegistries::default(),
            board: board.clone(),
            maintenances: server_maintenance::Queue::default(),
        });
        self.connect_servers(&context);
        let mut tasks = JoinSet::new();
        wakeups::connect(&mut watches, &context, &wakers);
        watches.spawn(stop, &mut tasks);
        let mut reports = self.registry.subscribe();
        let news = self.event_receiver.subscribe();
        tasks.spawn(wakeups::follow_events(
            context.clone(),
            wakers.clone(),
            news,
            stop.clone(),
        ));
        let (reported, servers, turned) = (board, wakers.servers, context.clone());
        let stopped = stop.clone();
        tasks.spawn(async move {
            loop {
                let uuid = tokio::select! {
                    biased;
                    () = stopped.cancelled() => return,
                    uuid = reports.next() => uuid,
                };
                let Some(uuid) = uuid else { return };
                for server in reported.systems(&uuid) {
                    turned.turns.stir(&server);
                    servers.wake(&server);
                }
            }
        });
        (context, queues, tasks)
    }

    fn connect_servers(&self, context: &Arc<Context>) {
        let (servers, board) = (context.caches.servers.clone(), context.board.clone());
        self.registry.set_server_lookup(Arc::new(move |uuid| {
            let server = servers.get(&board.system(uuid)?)?;
            let boot = server.spec.boot_configuration_ref.as_ref();
            Some(KnownServer {
                term: Term::of(&server),
                boot_configuration: boot.map(|boot| (boot.namespace.clone(), boot.name.clone())),
            })
        }));
        let bmcs = context.caches.bmcs.clone();
        self.event_receiver
            .set_bmc_lookup(Arc::new(move |name| bmcs.get(name)?.uid()));
        let servers = context.caches.servers.clone();
        self.metrics.set_server_source(Arc::new(move || {
            servers.all().iter().map(|server| sample(server)).collect()
        }));
    }

    /// Starts the controllers.
    fn work(&self, context: &Arc<Context>, queues: Queues, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        let options = &self.options.controllers;
        let pacing = |concurrency: u16, longest_pause: Duration| Pacing {
            concurrency,
            first_pause: options.resource_polling_interval.get(),
            longest_pause,
        };
        let resync = options.server_resync_interval.get();
        let bmc_resync = options.bmc_resync_interval.get();
        macro_rules! controller {
            ($name:literal, $cache:ident, $work:expr, $pacing:expr, $reconcile:path) => {{
                let given = context.clone();
                tasks.spawn(run(
                    $name,
                    context.caches.$cache.clone(),
                    $work,
                    $pacing,
                    self.metrics.clone(),
                    stop.clone(),
                    move |object| $reconcile(given.clone(), object),
                ));
            }};
        }
        let few = options.bmc_max_concurrent_reconciles;
        let many = options.server_max_concurrent_reconciles;
        let claims = options.server_claim_max_concurrent_reconciles;
        controller!(
            "endpoint",
            endpoints,
            queues.endpoints,
            pacing(few, resync),
            endpoint::reconcile
        );
        controller!("bmc", bmcs, queues.bmcs, pacing(few, bmc_resync), bmc::reconcile);
        controller!(
            "server",
            servers,
            queues.servers,
            pacing(many, resync),
            server::reconcile
        );
        controller!(
            "serverclaim",
            claims,
            queues.claims,
            pacing(claims, resync),
            server_claim::reconcile
        );
        controller!(
            "serverbootconfiguration",
            boot_configurations,
            queues.boot_configurations,
            pacing(many, resync),
            boot_configuration::reconcile
        );
        controller!(
            "serverreadinessrule",
            readiness_rules,
            queues.readiness_rules,
            pacing(few, resync),
            server_readiness_rule::reconcile
        );
        controller!(
            "biossettingsset",
            bios_settings_sets,
            queues.bios_settings_sets,
            pacing(few, resync),
            firmware_set::reconcile_bios_settings
        );
        controller!(
            "biosversionset",
            bios_version_sets,
            queues.bios_version_sets,
            pacing(few, resync),
            firmware_set::reconcile_bios_versions
        );
        controller!(
            "bmcsettingsset",
            bmc_settings_sets,
            queues.bmc_settings_sets,
            pacing(few, resync),
            firmware_set::reconcile_bmc_settings
        );
        controller!(
            "bmcversionset",
            bmc_version_sets,
            queues.bmc_version_sets,
            pacing(few, resync),
            firmware_set::reconcile_bmc_versions
        );
        controller!(
            "bmcuser",
            bmc_users,
            queues.bmc_users,
            pacing(few, bmc_resync),
            bmc_user::reconcile
        );
        controller!(
            "biossettings",
            bios_settings,
            queues.bios_settings,
            pacing(few, resync),
            bios_settings::reconcile
        );
        controller!(
            "biosversion",
            bios_versions,
            queues.bios_versions,
            pacing(few, resync),
            firmware_version::reconcile_bios
        );
        controller!(
            "bmcsettings",
            bmc_settings,
            queues.bmc_settings,
            pacing(few, resync),
            bmc_settings::reconcile
        );
        controller!(
            "bmcversion",
            bmc_versions,
            queues.bmc_versions,
            pacing(few, resync),
            firmware_version::reconcile_bmc
        );
        controller!(
            "servermaintenance",
            maintenances,
            queues.maintenances,
            pacing(few, resync),
            server_maintenance::reconcile
        );
        if !self.discovery.is_empty() {
            let options = &self.options.discovery;
            tasks.spawn(discovery::run(
                context.clone(),
                self.discovery.clone(),
                options.filter(),
                options.interval.get(),
                stop.clone(),
            ));
        }
        let (bmcs, stop) = (self.bmcs.clone(), stop.clone());
        let interval = self.options.bmc.bmc_session_idle_timeout.get() / SWEEPS_PER_IDLE_TIMEOUT;
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(interval.max(Duration::from_secs(1))) => bmcs.sweep().await,
                }
            }
        });
    }
}

/// The template of DNS records, read once.
fn dns_records(path: &str) -> Result<Option<Arc<bmc::DnsRecords>>, ConfigError> {
    if path.is_empty() {
        return Ok(None);
    }
    let invalid = |message: String| ConfigError::File {
        flag: "dns-record-template-path",
        path: path.to_owned(),
        message,
    };
    let template = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    let records = bmc::DnsRecords::new(&template).map_err(|error| invalid(error.to_string()))?;
    Ok(Some(Arc::new(records)))
}

fn sample(server: &Server) -> ServerSample {
    let status = server.status.clone().unwrap_or_default();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    ServerSample {
        name: server.name_any(),
        state: text(status.state.as_ref().map(crds::ServerState::as_str)),
        power_state: text(status.power_state.as_ref().map(crds::Power::as_str)),
        conditions: status
            .conditions
            .iter()
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect(),
    }
}
