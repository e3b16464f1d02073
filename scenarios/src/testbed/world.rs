//! One running world: cluster, machines, boot server and operator, wired together.

use super::cluster::{Cluster, Ground, RealCluster};
use super::flags::{self, Surroundings};
use super::hub::{Hub, Observer};
use super::log_lines::LogLines;
use super::operator_process::{Faces, OperatorProcess};
use super::roles::{Judge, Roles};
use super::wire::Wire;
use super::{
    IMAGE_REGISTRY, MANAGER_NAMESPACE, MachineInfo, OperatorAction, Testbed, TestbedError, WorldEvent, firmware_images,
};
use crate::boot_server::{self, BootServer};
use crate::edges::{Clock, SkewedClock};
use crate::engine::cluster::FIELD_MANAGER;
use crate::guest::Guests;
use crate::script::{Capability, Scenario};
use ::operator::api_deadline::with_deadline;
use ::operator::edges::Seed;
use async_trait::async_trait;
use bmc_emulator::{AdminAction, Bmc, Fault, Fleet, FleetSpec, MachineTruth};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube_emulator::KubeEmulator;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Watches that lag further behind than this are told to list again.
const WATCH_HISTORY: usize = 10_000;
const CONFLICT: u16 = 409;

/// What a world is built from besides its scenario.
pub(crate) struct Foundation {
    pub seed: u64,
    pub time_scale: f64,
    pub clock: Clock,
    pub is_virtual: bool,
    /// The token that may do everything in the cluster.
    pub admin_token: String,
    pub ground: Ground,
    /// For files the operator reads.
    pub directory: PathBuf,
    pub log_lines: LogLines,
    /// Sees everything from the very first event on.
    pub first_observer: Option<Observer>,
}

/// URLs of a world.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub boot: String,
    pub registry: String,
    pub metrics: String,
}

/// A world in which a scenario runs.
pub(crate) struct World<W> {
    pub(crate) wire: Mutex<W>,
    pub(crate) fleet: Fleet,
    pub(crate) cluster: Cluster,
    pub(crate) urls: Urls,
    pub(crate) roles: Roles,
    hub: Arc<Hub>,
    clock: Clock,
    api_clock: SkewedClock,
    time_scale: f64,
    is_virtual: bool,
    machines: Vec<MachineInfo>,
    user: kube::Client,
    operator: Mutex<OperatorProcess>,
    /// Ends an operator that is stopping.
    dying: Arc<Notify>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl<W: Wire> World<W> {
    /// Starts everything; the operator last.
    pub(crate) async fn start(scenario: &Scenario, foundation: Foundation, mut wire: W) -> Result<Self, TestbedError> {
        let Foundation {
            seed,
            time_scale,
            clock,
            ..
        } = foundation;
        let (hub, stop, mut tasks) = (Arc::new(Hub::default()), CancellationToken::new(), JoinSet::new());
        if let Some(observer) = foundation.first_observer {
            hub.observe(observer);
        }
        foundation.log_lines.connect(&hub);

        let api_clock = SkewedClock::new(clock.clone());
        let (cluster, judge) = match foundation.ground {
            Ground::Embedded { state } => {
                let settings = kube_emulator::Settings {
                    clock: api_clock.clock(),
                    seed,
                    admin_token: foundation.admin_token,
                    watch_history: WATCH_HISTORY,
                };
                let emulator = match state {
                    None => KubeEmulator::new(settings),
                    Some(folder) => KubeEmulator::kept_in(settings, &folder)
                        .map_err(|error| TestbedError::failed("the cluster cannot go on", error))?,
                };
                observe(&emulator, &hub, &stop, &mut tasks);
                (Cluster::Embedded(emulator), Judge::Table)
            }
            Ground::Real(access) => {
                let real = RealCluster::observe(access, &hub, &stop, &mut tasks).await?;
                (Cluster::Real(Arc::new(real)), Judge::Server)
            }
        };
        wire.publish_cluster(&cluster).await?;
        let user = wire.kube("user")?;
        if let Cluster::Embedded(_) = cluster {
            install(&user).await?;
        }

        let faces = Faces::default();
        let registry_url = wire.publish("registry", faces.registry.router()).await?;
        let event_url = wire.publish("events", faces.events.router()).await?;
        let metrics = wire.publish("metrics", faces.metrics.router()).await?;
        let boot = boot_server(&mut wire, &clock, &stop, &mut tasks).await?;

        let fleet = fleet(scenario, &boot, seed, time_scale, &clock, &wire)?;
        let of_machines = hub.clone();
        fleet.observe(Arc::new(move |event| {
            of_machines.tell(WorldEvent::Machine(event.clone()))
        }));
        wire.publish_fleet(&fleet).await?;
        let (running, until) = (fleet.clone(), stop.clone());
        tasks.spawn(async move { running.run(until).await });

        let mac_prefixes = mac_prefixes(scenario, &foundation.directory)?;
        let face = wire.bmc_face();
        let surroundings = Surroundings {
            time_scale,
            registry_url: &registry_url,
            event_url: &event_url,
            bmc_scheme: face.scheme,
            bmc_ca_file: face.ca_file,
            mac_prefixes_file: mac_prefixes.as_deref(),
        };
        let roles = Roles::new(hub.clone(), judge);
        let (clients, ssh, time) = (wire.operator_clients(&roles)?, wire.operator_ssh()?, clock.clone());
        let edges = Arc::new(move |process| {
            let (kube, bmc_http) = clients(process)?;
            Ok(::operator::Edges {
                kube,
                bmc_http,
                ssh: ssh.clone(),
                clock: time.clone(),
                // Real processes do not share their entropy.
                seed: Seed::from(seed.wrapping_add(process << 32)),
                identity: format!("metal-operator-{process}"),
            })
        });
        let mut operator = OperatorProcess::new(flags::arguments(&surroundings, &scenario.operator), edges, faces);
        operator.start()?;
        let machines = fleet
            .bmcs()
            .iter()
            .map(|bmc| MachineInfo::of(bmc, face.scheme))
            .collect();
        Ok(Self {
            urls: Urls {
                boot,
                registry: registry_url,
                metrics,
            },
            wire: Mutex::new(wire),
            fleet,
            cluster,
            roles,
            hub,
            clock,
            api_clock,
            time_scale,
            is_virtual: foundation.is_virtual,
            machines,
            user,
            dying: operator.dying(),
            operator: Mutex::new(operator),
            stop,
            tasks: Mutex::new(tasks),
        })
    }

    /// Ends what [`Testbed::finish`] leaves inspectable.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.tasks.lock().await.shutdown().await;
        self.wire.lock().await.close().await;
    }

    /// From now on the clock of the API server is so much ahead of all others, or behind.
    pub(crate) fn skew_api(&self, seconds: i64) {
        self.api_clock.set(seconds);
    }

    /// The operator dies, and a new one starts after a while. Whatever a script wants to do to the operator waits for it.
    pub(crate) async fn interrupt_operator(&self, away: Duration) {
        let Ok(mut operator) = self.operator.try_lock() else {
            // It is stopping, and dies on its way.
            self.hub.tell(WorldEvent::Operator(OperatorAction::Crash));
            self.dying.notify_waiters();
            return;
        };
        if !operator.is_running() {
            return;
        }
        self.hub.tell(WorldEvent::Operator(OperatorAction::Crash));
        // It runs, so it can do both.
        let _ = operator.act(OperatorAction::Crash).await;
        tokio::time::sleep(away).await;
        let _ = operator.act(OperatorAction::Start).await;
        self.hub.tell(WorldEvent::Operator(OperatorAction::Start));
    }

    /// Number of the process of the operator that runs longest.
    pub(crate) async fn oldest_operator(&self) -> Option<u64> {
        self.operator.lock().await.oldest()
    }

    /// How many operators run.
    pub(crate) async fn operators(&self) -> usize {
        self.operator.lock().await.instances()
    }

    pub(crate) fn bmc(&self, machine: &str) -> Result<Bmc, TestbedError> {
        self.fleet.bmc(machine).ok_or_else(|| {
            let known: Vec<&str> = self.machines.iter().map(|machine| machine.name.as_str()).collect();
            TestbedError::UnknownMachine {
                name: machine.to_owned(),
                known: known.join(", "),
            }
        })
    }
}

#[async_trait]
impl<W: Wire + 'static> Testbed for World<W> {
    fn kube(&self) -> kube::Client {
        self.user.clone()
    }

    fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn capabilities(&self) -> BTreeSet<Capability> {
        let mut all = BTreeSet::from([
            Capability::Power,
            Capability::NetworkBoot,
            Capability::Erase,
            Capability::Inspect,
            Capability::Faults,
            Capability::OperatorControl,
            // A real cluster that is lent for such a scenario has no policy either.
            Capability::OtherOperators,
        ]);
        if self.is_virtual {
            all.insert(Capability::VirtualTime);
        }
        all
    }

    fn time_scale(&self) -> f64 {
        self.time_scale
    }

    fn machines(&self) -> Vec<MachineInfo> {
        self.machines.clone()
    }

    fn inspect(&self, machine: &str) -> Option<MachineTruth> {
        self.fleet.bmc(machine).map(|bmc| bmc.inspect())
    }

    async fn inject(&self, machine: &str, fault: Fault) -> Result<(), TestbedError> {
        let injected = self.bmc(machine)?.inject(fault);
        injected
            .map(|_| ())
            .map_err(|error| TestbedError::failed(format!("the fault cannot be injected into {machine}"), error))
    }

    async fn clear_faults(&self, machine: &str) -> Result<(), TestbedError> {
        self.bmc(machine)?.clear_faults();
        Ok(())
    }

    async fn machine_action(&self, machine: &str, action: AdminAction) -> Result<(), TestbedError> {
        self.bmc(machine)?
            .apply(action)
            .map_err(|error| TestbedError::failed(format!("the action is not possible on {machine}"), error))
    }

    async fn operator(&self, action: OperatorAction) -> Result<(), TestbedError> {
        let mut operator = self.operator.lock().await;
        if action == OperatorAction::Crash {
            // What a crashed process still does is nobody's event: it is told first.
            self.hub.tell(WorldEvent::Operator(action));
            return operator.act(action).await;
        }
        operator.act(action).await?;
        self.hub.tell(WorldEvent::Operator(action));
        Ok(())
    }

    fn observe(&self, observer: Observer) {
        self.hub.observe(observer);
    }

    async fn finish(&self) -> Result<(), TestbedError> {
        let mut operator = self.operator.lock().await;
        // A scenario may leave it stopped or crashed, and a campaign two of them.
        while operator.is_running() {
            operator.act(OperatorAction::Stop).await?;
        }
        Ok(())
    }
}

fn observe(emulator: &KubeEmulator, hub: &Arc<Hub>, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    let hub = hub.clone();
    emulator.observe(Arc::new(move |commit| hub.tell(WorldEvent::Kube(commit.clone()))));
    let (controllers, until) = (emulator.clone(), stop.clone());
    tasks.spawn(async move { controllers.run_controllers(until).await });
}

/// What an administrator does before the operator comes: kinds and its namespace.
async fn install(client: &kube::Client) -> Result<(), TestbedError> {
    let failed = |what: &str, error: kube::Error| TestbedError::failed(format!("{what} cannot be created"), error);
    let crds = Api::all(client.clone());
    for crd in crds::manifest::all() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        match crds.create(&PostParams::default(), &crd).await {
            // Of a cluster that was kept; it may be that of an older version.
            Err(kube::Error::Api(status)) if status.code == CONFLICT => {
                let parameters = PatchParams::apply(FIELD_MANAGER).force();
                let patched = crds.patch(&name, &parameters, &Patch::Apply(&crd)).await;
                patched.map_err(|error| failed(&name, error))?
            }
            created => created.map_err(|error| failed(&name, error))?,
        };
    }
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(MANAGER_NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    match Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
    {
        Err(kube::Error::Api(status)) if status.code == CONFLICT => Ok(()),
        created => created.map(drop).map_err(|error| failed(MANAGER_NAMESPACE, error)),
    }
}

async fn boot_server<W: Wire>(
    wire: &mut W,
    clock: &Clock,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<String, TestbedError> {
    // Its own URL stands in what it serves, so the address comes first.
    let slot = super::slot::Slot::default();
    let url = wire.publish("boot", slot.router()).await?;
    let settings = boot_server::Settings {
        service_url: url.clone(),
        allowed_registries: vec![IMAGE_REGISTRY.to_owned()],
    };
    let server = BootServer::new(with_deadline(wire.kube("boot-server")?), settings, clock.clone());
    slot.add(1, server.router());
    let until = stop.clone();
    tasks.spawn(async move { server.run(until).await });
    Ok(url)
}

fn fleet<W: Wire>(
    scenario: &Scenario,
    boot_url: &str,
    seed: u64,
    time_scale: f64,
    clock: &Clock,
    wire: &W,
) -> Result<Fleet, TestbedError> {
    let mut spec: FleetSpec = scenario.fleet.clone();
    wire.place(&mut spec);
    for machine in &mut spec.machines {
        machine.boot.server_url.get_or_insert_with(|| boot_url.to_owned());
    }
    let http = firmware_images::beside(wire.machine_http()?);
    let edges = bmc_emulator::Edges {
        clock: clock.clone(),
        guest: Arc::new(Guests::new(http.clone())),
        http,
        seed,
        time_scale,
    };
    Fleet::new(&spec, edges).map_err(|error| TestbedError::failed("the fleet cannot be built", error))
}

fn mac_prefixes(scenario: &Scenario, directory: &Path) -> Result<Option<PathBuf>, TestbedError> {
    let Some(text) = scenario.operator.mac_prefix_file() else {
        return Ok(None);
    };
    let path = directory.join("mac-prefixes.yaml");
    std::fs::write(&path, text)
        .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))?;
    Ok(Some(path))
}
