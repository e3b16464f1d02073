//! Runs scenarios, each in a world of its own on one thread.

use crate::campaign::coverage::Coverage;
use crate::campaign::plan::Plan;
use crate::campaign::{self, Arena, Played};
use crate::edges::{Clock, system_clock, virtual_clock};
use crate::end_state::EndState;
use crate::engine::{self, Progress};
use crate::knife;
use crate::net::Network;
use crate::net::effect::Cut;
use crate::report::{Outcome, ScenarioReport};
use crate::script::Scenario;
use crate::script::steps::ScenarioDuration;
use crate::testbed::cluster::Ground;
use crate::testbed::cluster::provider::{Lent, Provider};
use crate::testbed::log_lines::LogLines;
pub use crate::testbed::log_lines::Logs;
use crate::testbed::wire::Wire;
use crate::testbed::wire::memory::MemoryWire;
use crate::testbed::wire::sockets::{Addresses, SocketWire};
use crate::testbed::world::{Foundation, World};
use crate::testbed::{MachineInfo, Testbed as _, TestbedError};
use crate::trace::Trace;
use jiff::Timestamp;
use operator::permissions::Access;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is worth recording of a run: the operator's decisions, not the chatter of its libraries.
pub const DEFAULT_LOG_FILTER: &str =
    "warn,operator=info,scenarios=info,probe=info,kube_emulator=info,bmc_emulator=info";

/// Every simulation begins at 2030-01-01T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp::constant(1_893_456_000, 0);

/// How a scenario is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Root of all randomness that is the world's own.
    pub seed: u64,
    /// Hardware, and the operator's patience with it, is this many times as fast as in reality. 1 in virtual time.
    pub time_scale: f64,
    /// Which log lines are recorded.
    pub log_filter: String,
    pub logs: Logs,
}

/// Runs `scenario` on loopback sockets in real time, on this thread, on a cluster of `provider`. Ctrl-C ends it; then `interrupted` is
/// cancelled.
pub fn in_real_time(
    scenario: &Scenario,
    settings: &Settings,
    provider: &dyn Provider,
    interrupted: &CancellationToken,
    progress: &dyn Progress,
) -> ScenarioReport {
    let start = tokio::time::Instant::now();
    let outcome = over_sockets(settings, async |foundation| {
        let played = async |foundation: Foundation| {
            let wire = SocketWire::new(&foundation.admin_token, Addresses::OwnBlock, &foundation.directory);
            let world = World::start(scenario, foundation, wire).await?;
            Ok(play(scenario, world, progress).await)
        };
        // The cluster is taken back in any case.
        on_a_cluster(provider, scenario, foundation, async |foundation| {
            tokio::select! {
                biased;
                () = interruption(interrupted) => Err(TestbedError::failed("it was not played to its end", "somebody ended it")),
                played = played(foundation) => played,
            }
        })
        .await
    });
    let mut report = outcome.unwrap_or_else(|error| broken(scenario, system_clock()(), &error));
    report.seed = settings.seed;
    report.wall_time = Some(start.elapsed().into());
    report
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// The steps of a script; with a cut something happens at one of the operator's effects.
    Scenario(&'a Scenario, Option<Cut>),
    /// Random faults and people, written out.
    Plan(&'a Plan),
}

/// What became of it.
pub struct Simulated {
    pub report: ScenarioReport,
    /// Of a plan.
    pub coverage: Coverage,
    /// What the operator changed outside of itself, in order.
    pub effects: Vec<String>,
    /// What is the case in the end, for comparison with another run.
    pub end_state: EndState,
    /// What the operator asked of the API server, whether its roles allow it or not.
    pub asked: BTreeSet<Access>,
}

/// Runs `piece` in memory and in virtual time, on this thread. Everything that happens goes to the trace that `trace` makes.
///
/// The same seed gives the same trace only where the process belongs to the simulation alone, as in the binary `sim`. `directory`
/// is for files the operator reads.
pub fn in_virtual_time(
    piece: Piece<'_>,
    settings: &Settings,
    directory: &Path,
    progress: &dyn Progress,
    trace: impl FnOnce(Clock) -> Arc<Trace>,
) -> Simulated {
    let of_plan;
    let scenario = match piece {
        Piece::Scenario(scenario, _) => scenario,
        Piece::Plan(plan) => {
            of_plan = campaign::scenario(plan);
            &of_plan
        }
    };
    let outcome = (|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| TestbedError::failed("there is no runtime", error))?;
        let _entered = runtime.enter();
        let clock = virtual_clock(EPOCH);
        let log_lines = LogLines::new(settings.logs);
        let _guard = subscribe(&log_lines, settings, clock.clone())?;
        let trace = trace(clock.clone());
        runtime.block_on(async {
            let token = format!("simulation-{}", settings.seed);
            let mut foundation = foundation(settings, clock, directory, log_lines, token);
            foundation.is_virtual = true;
            foundation.first_observer = Some(Arc::new(move |event| trace.event(event)));
            let network = Network::new(settings.seed);
            let wire = MemoryWire::new(settings.seed, &foundation.admin_token, network.clone());
            let world = Arc::new(World::start(scenario, foundation, wire).await?);
            let (report, coverage) = match piece {
                Piece::Scenario(scenario, cut) => {
                    let knife = cut.map(|cut| knife::wait(cut, &network, &world));
                    let report = engine::run(scenario, world.clone(), progress).await;
                    if let Some(mut knife) = knife {
                        knife.shutdown().await;
                    }
                    (report, Coverage::default())
                }
                Piece::Plan(plan) => {
                    let front_ends = world.wire.lock().await.front_ends();
                    let arena = Arena::new(world.clone(), network.clone(), front_ends)?;
                    let Played { report, coverage } = campaign::play(plan, arena).await;
                    (report, coverage)
                }
            };
            let simulated = Simulated {
                report,
                coverage,
                effects: network.effect_names(),
                end_state: EndState::of(world.cluster.emulator()?, &world.fleet),
                asked: world.roles.asked(),
            };
            world.close().await;
            Ok(simulated)
        })
    })();
    let mut simulated = outcome.unwrap_or_else(|error: TestbedError| Simulated {
        report: broken(scenario, EPOCH, &error),
        coverage: Coverage::default(),
        effects: Vec::new(),
        end_state: EndState::default(),
        asked: BTreeSet::new(),
    });
    simulated.report.seed = settings.seed;
    simulated
}

/// A world that stands.
pub struct Standing {
    pub kubeconfig: String,
    /// Signs the certificates of the BMCs.
    pub bmc_ca_pem: String,
    pub machines: Vec<MachineInfo>,
    /// The emulator's admin API, and the bearer token it asks for.
    pub admin_url: String,
    pub admin_token: String,
    pub registry_url: String,
    pub boot_url: String,
    pub metrics_url: String,
}

/// Has something done on a cluster of `provider`.
async fn on_a_cluster<T>(
    provider: &dyn Provider,
    scenario: &Scenario,
    mut foundation: Foundation,
    work: impl AsyncFnOnce(Foundation) -> Result<T, TestbedError>,
) -> Result<T, TestbedError> {
    let Some(Lent { access, keep }) = provider.lend(scenario).await? else {
        return work(foundation).await;
    };
    foundation.ground = Ground::Real(Box::new(access.clone()));
    let outcome = work(foundation).await;
    let taken_back = provider.take_back(Lent { access, keep }).await;
    // What went wrong first is what counts.
    outcome.and_then(|outcome| taken_back.map(|()| outcome))
}

/// Ctrl-C, here or in another thread.
async fn interruption(interrupted: &CancellationToken) {
    tokio::select! {
        biased;
        () = interrupted.cancelled() => {}
        () = self::interrupted() => interrupted.cancel(),
    }
}

/// A world that stays until Ctrl-C, with the BMCs at their well-known addresses and, where its cluster is embedded, the cluster that is
/// kept in `state`: calls `ready` once everything serves, then plays
/// the steps of `scenario`.
///
/// # Errors
/// The world cannot be built, or a step failed.
pub fn until_interrupted(
    scenario: &Scenario,
    settings: &Settings,
    provider: &dyn Provider,
    state: Option<&Path>,
    ready: &mut dyn FnMut(&Standing),
) -> Result<(), TestbedError> {
    over_sockets(settings, async |foundation| {
        let standing = async |foundation| stand(scenario, foundation, ready).await;
        let mut foundation: Foundation = foundation;
        foundation.ground = Ground::Embedded {
            state: state.map(Path::to_owned),
        };
        on_a_cluster(provider, scenario, foundation, standing).await
    })
}

async fn stand(
    scenario: &Scenario,
    foundation: Foundation,
    ready: &mut dyn FnMut(&Standing),
) -> Result<(), TestbedError> {
    let admin_token = random_token()?;
    let wire = SocketWire::new(&foundation.admin_token, Addresses::AsStated, &foundation.directory);
    let world = Arc::new(World::start(scenario, foundation, wire).await?);
    let standing = {
        let mut wire = world.wire.lock().await;
        let admin_url = wire.publish("admin", world.fleet.admin_router(&admin_token)).await?;
        Standing {
            kubeconfig: wire.kubeconfig(),
            bmc_ca_pem: wire.bmc_ca_pem(),
            machines: world.machines(),
            admin_url,
            admin_token,
            registry_url: world.urls.registry.clone(),
            boot_url: world.urls.boot.clone(),
            metrics_url: world.urls.metrics.clone(),
        }
    };
    ready(&standing);
    let played = engine::play_steps(scenario, world.clone());
    let outcome = tokio::select! {
        biased;
        () = interrupted() => Ok(()),
        outcome = played => match outcome {
            Ok(()) => { interrupted().await; Ok(()) }
            Err(why) => Err(TestbedError::failed("the testbed could not be filled", why)),
        },
    };
    let finished = world.finish().await;
    world.close().await;
    outcome.and(finished)
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals there is nothing to wait for but the end of the process.
        std::future::pending::<()>().await;
    }
}

async fn play<W: Wire + 'static>(scenario: &Scenario, world: World<W>, progress: &dyn Progress) -> ScenarioReport {
    let world = Arc::new(world);
    let report = engine::run(scenario, world.clone(), progress).await;
    world.close().await;
    report
}

fn foundation(
    settings: &Settings,
    clock: Clock,
    directory: &Path,
    log_lines: LogLines,
    admin_token: String,
) -> Foundation {
    Foundation {
        seed: settings.seed,
        time_scale: settings.time_scale,
        clock,
        is_virtual: false,
        admin_token,
        ground: Ground::Embedded { state: None },
        directory: directory.to_owned(),
        log_lines,
        first_observer: None,
    }
}

fn subscribe(
    log_lines: &LogLines,
    settings: &Settings,
    clock: Clock,
) -> Result<tracing::subscriber::DefaultGuard, TestbedError> {
    let subscriber = log_lines
        .subscriber(&settings.log_filter, clock)
        .map_err(|error| TestbedError::failed("log lines cannot be recorded", error))?;
    Ok(tracing::subscriber::set_default(subscriber))
}

/// What a world in real time stands on: a runtime on this thread, a directory and log lines of its own.
fn over_sockets<T>(
    settings: &Settings,
    run: impl AsyncFnOnce(Foundation) -> Result<T, TestbedError>,
) -> Result<T, TestbedError> {
    let directory = tempfile::tempdir()
        .map_err(|error| TestbedError::failed("there is no place for temporary files; set TMPDIR", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| TestbedError::failed("there is no runtime", error))?;
    let log_lines = LogLines::new(settings.logs);
    let _guard = subscribe(&log_lines, settings, system_clock())?;
    let foundation = foundation(settings, system_clock(), directory.path(), log_lines, random_token()?);
    runtime.block_on(run(foundation))
}

/// 32 hexadecimal digits nobody can guess.
fn random_token() -> Result<String, TestbedError> {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| TestbedError::failed("there is no token", "the operating system gives no randomness"))?;
    Ok(uuid::Uuid::from_bytes(bytes).simple().to_string())
}

/// The report of a simulation called `name` that did not come to its end.
pub fn broken_report(name: &str, why: String) -> ScenarioReport {
    let plan = Plan {
        description: String::new(),
        seed: 0,
        machines: Vec::new(),
        lasts: ScenarioDuration(Duration::ZERO),
        entries: Vec::new(),
    };
    let scenario = Scenario {
        name: name.to_owned(),
        ..campaign::scenario(&plan)
    };
    engine::not_run(&scenario, EPOCH, Outcome::Broken { why })
}

fn broken(scenario: &Scenario, at: Timestamp, error: &TestbedError) -> ScenarioReport {
    engine::not_run(
        scenario,
        at,
        Outcome::Broken {
            why: engine::with_causes(error),
        },
    )
}
