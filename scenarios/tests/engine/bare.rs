//! A world without an operator: the embedded cluster and the emulated machines, in memory.

use async_trait::async_trait;
use bmc_emulator::{AdminAction, Edges, Fault, Fleet, FleetSpec, GuestExit, GuestOs, HttpService, MachineTruth};
use http::{HeaderValue, Request};
use jiff::Timestamp;
use kube::api::{Api, PostParams};
use kube_emulator::{KubeEmulator, Settings};
use scenarios::edges::{Clock, virtual_clock};
use scenarios::script::Capability;
use scenarios::testbed::{MachineInfo, OperatorAction, Testbed, TestbedError, WorldEvent};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub(crate) struct Bare {
    cluster: KubeEmulator,
    fleet: Fleet,
    clock: Clock,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

/// Nothing boots here.
struct NoGuests;

impl GuestOs for NoGuests {
    fn boot(&self, _: bmc_emulator::Boot) -> futures::future::BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

impl Bare {
    pub(crate) async fn start(spec: &FleetSpec) -> Self {
        let clock = virtual_clock(Timestamp::UNIX_EPOCH);
        let cluster = KubeEmulator::new(Settings {
            clock: clock.clone(),
            seed: 1,
            admin_token: "token".to_owned(),
            watch_history: 100,
        });
        let nobody = tower::service_fn(|_| async { Err(std::io::Error::other("there is no network").into()) });
        let fleet = Fleet::new(
            spec,
            Edges {
                clock: clock.clone(),
                http: HttpService::new(nobody),
                guest: Arc::new(NoGuests),
                seed: 1,
                time_scale: 1.0,
            },
        )
        .expect("a good fleet");
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (running, until) = (fleet.clone(), stop.clone());
        tasks.spawn(async move { running.run(until).await });
        let world = Self {
            cluster,
            fleet,
            clock,
            stop,
            tasks: Mutex::new(tasks),
        };
        let crds = Api::all(world.kube());
        for crd in crds::manifest::all() {
            crds.create(&PostParams::default(), &crd).await.expect("a good CRD");
        }
        world
    }

    fn unsupported(what: &str) -> TestbedError {
        TestbedError::Unsupported {
            what: what.to_owned(),
            why: "there is no operator in this world".to_owned(),
        }
    }
}

#[async_trait]
impl Testbed for Bare {
    fn kube(&self) -> kube::Client {
        let router = self.cluster.router();
        let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
            request
                .headers_mut()
                .insert("authorization", HeaderValue::from_static("Bearer token"));
            router.clone().oneshot(request.map(axum::body::Body::new))
        });
        kube::Client::new(service, "default")
    }

    fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn capabilities(&self) -> BTreeSet<Capability> {
        BTreeSet::from([
            Capability::Power,
            Capability::Erase,
            Capability::Inspect,
            Capability::Faults,
            Capability::VirtualTime,
        ])
    }

    fn time_scale(&self) -> f64 {
        1.0
    }

    fn machines(&self) -> Vec<MachineInfo> {
        self.fleet
            .bmcs()
            .iter()
            .map(|bmc| MachineInfo::of(bmc, "http"))
            .collect()
    }

    fn inspect(&self, machine: &str) -> Option<MachineTruth> {
        self.fleet.bmc(machine).map(|bmc| bmc.inspect())
    }

    async fn inject(&self, machine: &str, fault: Fault) -> Result<(), TestbedError> {
        let bmc = self.fleet.bmc(machine).expect("the engine knows the fleet");
        bmc.inject(fault)
            .map(|_| ())
            .map_err(|error| TestbedError::failed("the fault cannot be injected", error))
    }

    async fn clear_faults(&self, machine: &str) -> Result<(), TestbedError> {
        self.fleet
            .bmc(machine)
            .expect("the engine knows the fleet")
            .clear_faults();
        Ok(())
    }

    async fn machine_action(&self, machine: &str, action: AdminAction) -> Result<(), TestbedError> {
        let bmc = self.fleet.bmc(machine).expect("the engine knows the fleet");
        bmc.apply(action)
            .map_err(|error| TestbedError::failed("the action is not possible", error))
    }

    async fn operator(&self, _: OperatorAction) -> Result<(), TestbedError> {
        Err(Self::unsupported("doing anything to the operator"))
    }

    fn observe(&self, observer: Arc<dyn Fn(&WorldEvent) + Send + Sync>) {
        let of_commits = Arc::clone(&observer);
        self.cluster
            .observe(Arc::new(move |commit| of_commits(&WorldEvent::Kube(commit.clone()))));
        self.fleet
            .observe(Arc::new(move |event| observer(&WorldEvent::Machine(event.clone()))));
    }

    async fn finish(&self) -> Result<(), TestbedError> {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
        Ok(())
    }
}
