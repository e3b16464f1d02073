//! From Endpoints to Available, an idle while, claims, and back.

use std::path::Path;
use std::time::Duration;

use crds::{ClaimPhase, Endpoint, Server, ServerClaim, ServerState};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use scenarios::envtest::assets::Assets;
use scenarios::testbed::TestbedError;
use serde_json::json;
use tokio::time::Instant;

use crate::measure::{Reading, Row};
use crate::operator_process::OperatorProcess;
use crate::world::World;

/// Requests of the user at a time.
const AT_ONCE: usize = 16;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// After this nothing more will come of it.
const PATIENCE: Duration = Duration::from_secs(900);
/// What is left to do after a phase is not its successor's.
const SETTLE: Duration = Duration::from_secs(30);

pub(crate) struct Plan<'a> {
    pub(crate) servers: u32,
    pub(crate) time_scale: f64,
    pub(crate) idle: Duration,
    pub(crate) claims: bool,
    pub(crate) events: bool,
    pub(crate) operator: &'a Path,
    pub(crate) flags: &'a [String],
}

pub(crate) async fn run(assets: &Assets, plan: &Plan<'_>) -> Result<Vec<Row>, TestbedError> {
    let world = World::start(assets, plan.servers, plan.time_scale).await?;
    let operator = OperatorProcess::start(plan.operator, &world, plan.events, plan.flags)?;
    let mut run = Run {
        world,
        operator,
        servers: plan.servers,
        rows: Vec::new(),
    };
    // It starts, takes its caches, and has nothing to do.
    tokio::time::sleep(Duration::from_secs(3)).await;
    run.phases(plan).await?;
    let Run { world, rows, .. } = run;
    world.close().await;
    Ok(rows)
}

struct Run {
    world: World,
    operator: OperatorProcess,
    servers: u32,
    rows: Vec<Row>,
}

impl Run {
    async fn phases(&mut self, plan: &Plan<'_>) -> Result<(), TestbedError> {
        let begun = (Instant::now(), self.read().await);
        self.create_endpoints().await?;
        self.until_servers(|server| state(server) == Some(&ServerState::Available))
            .await?;
        self.done("Endpoint to Available", begun).await;
        if !plan.idle.is_zero() {
            tokio::time::sleep(SETTLE).await;
            let begun = (Instant::now(), self.read().await);
            tokio::time::sleep(plan.idle).await;
            self.done("idle", begun).await;
        }
        if plan.claims {
            let begun = (Instant::now(), self.read().await);
            self.create_claims().await?;
            self.until_claims().await?;
            self.done("claim all: Bound", begun).await;
            self.until_servers(|server| {
                let power = server.status.as_ref().and_then(|status| status.power_state.as_ref());
                state(server) == Some(&ServerState::Reserved) && power == Some(&crds::Power::On)
            })
            .await?;
            self.done("claim all: running", begun).await;
            let begun = (Instant::now(), self.read().await);
            self.delete_claims().await?;
            self.until_servers(|server| state(server) == Some(&ServerState::Available))
                .await?;
            self.done("release all, wiped, to Available", begun).await;
        }
        Ok(())
    }

    async fn read(&self) -> Reading {
        Reading {
            usage: self.operator.usage().await,
            bmc_requests: self.world.bmc_requests(),
        }
    }

    async fn done(&mut self, phase: &'static str, (begun, before): (Instant, Reading)) {
        let took = begun.elapsed();
        let row = Row::between(phase, took, before, self.read().await);
        eprintln!("  {row:?}");
        self.rows.push(row);
    }

    async fn create_endpoints(&self) -> Result<(), TestbedError> {
        let api: Api<Endpoint> = Api::all(self.world.user.clone());
        let all: Result<Vec<Endpoint>, _> = self.world.endpoints().into_iter().map(serde_json::from_value).collect();
        let all = all.map_err(|error| failed("an Endpoint cannot be made", &error))?;
        stream::iter(all)
            .map(|endpoint| {
                let api = api.clone();
                async move { api.create(&PostParams::default(), &endpoint).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .map_err(|error| failed("an Endpoint cannot be created", &error))
    }

    async fn create_claims(&self) -> Result<(), TestbedError> {
        let api: Api<ServerClaim> = Api::namespaced(self.world.user.clone(), "default");
        let claim = |number: u32| {
            serde_json::from_value::<ServerClaim>(json!({
                "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerClaim",
                "metadata": { "name": format!("claim-{number}") },
                "spec": { "power": "On", "image": "registry.example/tenant-os:v1" },
            }))
        };
        let all: Result<Vec<ServerClaim>, _> = (0..self.servers).map(claim).collect();
        let all = all.map_err(|error| failed("a claim cannot be made", &error))?;
        stream::iter(all)
            .map(|claim| {
                let api = api.clone();
                async move { api.create(&PostParams::default(), &claim).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .map_err(|error| failed("a claim cannot be created", &error))
    }

    async fn delete_claims(&self) -> Result<(), TestbedError> {
        let api: Api<ServerClaim> = Api::namespaced(self.world.user.clone(), "default");
        stream::iter(0..self.servers)
            .map(|number| {
                let api = api.clone();
                async move { api.delete(&format!("claim-{number}"), &DeleteParams::default()).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .map_err(|error| failed("a claim cannot be deleted", &error))
    }

    async fn until_servers(&mut self, wanted: impl Fn(&Server) -> bool) -> Result<(), TestbedError> {
        let api: Api<Server> = Api::all(self.world.user.clone());
        self.until(async || {
            let all = api.list(&ListParams::default()).await?;
            Ok(all.items.iter().filter(|server| wanted(server)).count())
        })
        .await
    }

    async fn until_claims(&mut self) -> Result<(), TestbedError> {
        let api: Api<ServerClaim> = Api::namespaced(self.world.user.clone(), "default");
        self.until(async || {
            let all = api.list(&ListParams::default()).await?;
            let phase = |claim: &ServerClaim| claim.status.as_ref().and_then(|status| status.phase.clone());
            Ok(all
                .items
                .iter()
                .filter(|claim| phase(claim) == Some(ClaimPhase::Bound))
                .count())
        })
        .await
    }

    /// Looks now and then, seldom where there is much to see: looking costs the API server, which is measured.
    async fn until(&mut self, count: impl AsyncFn() -> Result<usize, kube::Error>) -> Result<(), TestbedError> {
        let (begun, mut shown) = (Instant::now(), None);
        let between = LOOK_AGAIN.max(Duration::from_millis(u64::from(self.servers)));
        loop {
            let done = count()
                .await
                .map_err(|error| failed("the cluster does not answer", &error))?;
            if done >= usize::try_from(self.servers).unwrap_or(usize::MAX) {
                return Ok(());
            }
            self.operator.still_runs()?;
            if begun.elapsed() > PATIENCE {
                return Err(TestbedError::failed(
                    format!("only {done} of {} in {} s", self.servers, PATIENCE.as_secs()),
                    self.operator.last_words(),
                ));
            }
            if shown.is_none_or(|shown: Instant| shown.elapsed() > Duration::from_secs(10)) {
                eprintln!("    {:>4.0} s  {done}", begun.elapsed().as_secs_f64());
                shown = Some(Instant::now());
            }
            tokio::time::sleep(between).await;
        }
    }
}

fn state(server: &Server) -> Option<&ServerState> {
    server.status.as_ref()?.state.as_ref()
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> TestbedError {
    TestbedError::failed(what.to_owned(), error.to_string())
}
