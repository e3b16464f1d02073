//! Plays a plan in two acts, as TigerBeetle's simulator does. First things go wrong and people act, and nothing unsafe may happen. Then
//! everything is repaired, and everything has to get where its spec wants it, fall silent, and stay so when all status is lost.

use super::arena::Arena;
use super::coverage::Coverage;
use super::ledger::{Ledger, Pages};
use super::mishap::{Ongoing, title};
use super::plan::{Entry, Plan, What};
use super::settled::Picture;
use super::{machines, servicing, user};
use crate::engine::drama::Drama;
use crate::engine::failure::{StepFailure, dump};
use crate::engine::observer::Observer;
use crate::report::{MarkerKind, ScenarioReport};
use crate::testbed::{Testbed, WorldEvent};
use bmc_emulator::{AdminAction, DriveContent, DriveTruth, Execution, MachineTruth, PowerState};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Everything is where it has to be this long after the last repair. An erasure of two drives in band, a timeout of it and another try
/// fit in.
const PATIENCE: Duration = Duration::from_secs(8 * 3600);
/// What is settled may still be told: conditions follow with the next resync.
const AFTERTHOUGHTS: Duration = Duration::from_secs(600);
/// Nothing is written for so long.
const SILENCE: Duration = Duration::from_secs(3600);
/// How often a BMC may be asked in that hour: some twenty times as often as the resync interval takes.
const POLLING: u64 = 1_000;
/// Between two looks at everything.
const LOOK: Duration = Duration::from_secs(30);
/// People see to what needs them this often: servers in Error, machines that hang.
const ROUNDS: Duration = Duration::from_secs(900);
/// How many reasons a failure lists.
const SHOWN: usize = 8;

/// What became of a plan.
pub struct Played {
    pub report: ScenarioReport,
    pub coverage: Coverage,
}

/// Plays `plan` in its world, and ends the world.
pub(crate) async fn play(plan: &Plan, arena: Arena) -> Played {
    let arena = Arc::new(arena);
    let testbed: Arc<dyn Testbed> = arena.world.clone();
    let (ledger, coverage) = (Arc::new(Ledger::default()), Arc::new(Mutex::new(Coverage::default())));
    testbed.observe({
        let (ledger, coverage) = (ledger.clone(), coverage.clone());
        Arc::new(move |event: &WorldEvent| {
            ledger.event(event);
            lock(&coverage).event(event);
        })
    });
    let mut drama = Drama::begin(&testbed);
    let observer = drama.observer();
    let director = Director {
        arena: arena.clone(),
        observer,
        ledger,
        coverage: coverage.clone(),
    };
    let acts = async {
        drama.act("things go wrong, people act", director.trouble(plan)).await?;
        drama.act("everything is repaired", director.repair()).await?;
        drama
            .act("every server and claim is where its spec wants it", director.settle())
            .await?;
        drama.act("nothing is written for an hour", director.silence()).await?;
        drama
            .act(
                "all status is lost, and no held machine is touched",
                director.amnesia(plan.seed),
            )
            .await?;
        drama.act("and everything is where it was", director.settle()).await
    };
    // Whoever fails an act has said so in the report.
    let _ = acts.await;
    let scenario = machines::scenario(&name(plan), &plan.description, &plan.machines);
    let report = drama.end(&scenario).await;
    let coverage = lock(&coverage).clone();
    Played { report, coverage }
}

/// As reports name the run of a plan.
fn name(plan: &Plan) -> String {
    format!("seed-{}", plan.seed)
}

struct Director {
    arena: Arc<Arena>,
    observer: Arc<Observer>,
    ledger: Arc<Ledger>,
    coverage: Arc<Mutex<Coverage>>,
}

impl Director {
    /// Every entry at its time, each on its own: that one takes long delays no other.
    async fn trouble(&self, plan: &Plan) -> Result<(), StepFailure> {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for entry in &plan.entries {
            sleep_until(start + entry.at.0).await;
            while running.try_join_next().is_some() {}
            running.spawn(self.entry(entry.clone()));
        }
        sleep_until(start + plan.lasts.0).await;
        // What is not over yet is over now; ends that take a while (a process that stops) have their while.
        tokio::time::timeout(ROUNDS, async { while running.join_next().await.is_some() {} })
            .await
            .ok();
        running.shutdown().await;
        Ok(())
    }

    fn entry(&self, entry: Entry) -> impl Future<Output = ()> + Send + 'static {
        let (arena, observer, coverage) = (self.arena.clone(), self.observer.clone(), self.coverage.clone());
        async move {
            let clock = arena.world.clock();
            match entry.what {
                What::User { class, action } => {
                    *lock(&coverage).users.entry(class).or_default() += 1;
                    observer.mark(clock(), action.machine(), MarkerKind::Fault, format!("user: {class}"));
                    if let Err(error) = action.perform(&arena).await {
                        tracing::error!(%error, "the campaign could not do what it planned");
                    }
                }
                What::Fault { class, lasts, mishap } => {
                    let machine = mishap.machine().map(str::to_owned);
                    let title = title(class, &mishap);
                    observer.mark(clock(), machine.as_deref(), MarkerKind::Fault, title.clone());
                    let begun = mishap.begin(&arena, entry.id, lasts.0).await;
                    match begun {
                        Ok(Ongoing::Nothing) if !mishap.is_instant() => {}
                        Ok(ongoing) => {
                            *lock(&coverage).faults.entry(class).or_default() += 1;
                            sleep(lasts.0).await;
                            if let Err(error) = ongoing.end(&arena).await {
                                tracing::error!(%error, title, "a fault could not be ended");
                            }
                            observer.mark(clock(), machine.as_deref(), MarkerKind::Fault, format!("over: {title}"));
                        }
                        Err(error) => tracing::error!(%error, title, "a fault could not begin"),
                    }
                }
            }
        }
    }

    /// From now on nothing goes wrong any more: clocks are right, all faults end, drives are back, credentials are right, one operator runs.
    async fn repair(&self) -> Result<(), StepFailure> {
        let arena = &self.arena;
        arena.network.calm_all();
        arena.world.skew_api(0);
        for front_end in arena.front_ends() {
            front_end.set_lag(Duration::ZERO);
            front_end.set_silence(None);
            for resource in super::faults::WATCHED {
                front_end.set_lag_for(resource, None);
            }
        }
        for machine in &arena.machines {
            let bmc = arena.world.bmc(&machine.name).map_err(|error| error.to_string())?;
            bmc.clear_faults();
            for drive in bmc.inspect().drives.into_iter().filter(|drive| !drive.present) {
                let drive = bmc_emulator::DriveName(drive.name);
                let insert = AdminAction::InsertDrive { drive };
                bmc.apply(insert).map_err(|error| error.to_string())?;
            }
        }
        arena.one_operator().await;
        for machine in &arena.machines {
            user::register(arena, &machine.name).await?;
        }
        let claims: Vec<String> = {
            let state = self.observer.lock();
            state.world.list("ServerClaim").map(|(key, _)| key.name).collect()
        };
        for claim in claims {
            arena.user.apply(&user::user_data(&claim)).await?;
            // It may be gone by now.
            let _ = user::guard(arena, &claim, false).await;
        }
        let maintenances: Vec<String> = {
            let state = self.observer.lock();
            let all = state.world.list("ServerMaintenance");
            all.map(|(key, _)| key.name).collect()
        };
        for maintenance in maintenances {
            // It may be gone by now.
            let _ = servicing::end(arena, &maintenance).await;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), StepFailure> {
        let patience = Instant::now() + PATIENCE;
        let mut next_round = Instant::now();
        loop {
            let truths = self.truths();
            let Some(unsettled) = self.unsettled(&truths, Instant::now() >= patience) else {
                return Ok(());
            };
            unsettled?;
            if Instant::now() >= next_round {
                self.round(&truths).await?;
                next_round = Instant::now() + ROUNDS;
            }
            sleep(LOOK).await;
        }
    }

    /// What only people can do: put back what was deleted, ask for another try, switch off a machine that hangs.
    async fn round(&self, truths: &BTreeMap<String, MachineTruth>) -> Result<(), String> {
        for truth in truths.values() {
            let (server, bmc) = {
                let state = self.observer.lock();
                let server = state.world.server_for(&truth.name).map(|(_, server)| server.clone());
                let bmc = state.world.list("BMC").any(|(key, _)| key.name == truth.name);
                (server, bmc)
            };
            if !bmc {
                user::register(&self.arena, &truth.name).await?;
            }
            let Some(server) = server else { continue };
            if crate::engine::world::state(&server) == Some("Error") {
                // It may be gone by now.
                let _ = user::retry(&self.arena, &truth.name).await;
            }
            // It may be gone by now.
            let _ = servicing::put_back(&self.arena, &truth.name, &server).await;
            if lacks_claim(&server) {
                // What the condition asks for: the backup did not have it.
                let let_go = serde_json::json!({ "spec": { "serverClaimRef": null } });
                let _ = user::patch_server(&self.arena, &truth.name, &let_go).await;
            }
            let is_retained = crate::engine::world::state(&server) == Some("Released");
            if is_retained && crate::engine::world::text(&server, "/metadata/deletionTimestamp").is_some() {
                // Who wants to get rid of a server that was kept says so by letting go of what it was kept for.
                let let_go = serde_json::json!({ "spec": { "serverClaimRef": null } });
                let _ = user::patch_server(&self.arena, &truth.name, &let_go).await;
            }
            let hangs = matches!(truth.execution, Execution::Halted { .. } | Execution::PostHung { .. })
                && truth.power_state == PowerState::On;
            if hangs && crate::engine::world::state(&server) == Some("Reserved") {
                self.help_tenant(truth, &server).await?;
            }
        }
        Ok(())
    }

    /// A tenant whose machine hangs pulls the cord; one whose machine has nothing to boot from (its installation was cut off) gives up.
    async fn help_tenant(&self, truth: &MachineTruth, server: &serde_json::Value) -> Result<(), String> {
        let is_installed = |drive: &DriveTruth| drive.records.contains_key(DriveContent::BOOT_IMAGE);
        if !truth.drives.iter().any(is_installed) {
            let claim = crate::engine::world::text(server, "/spec/serverClaimRef/name").unwrap_or_default();
            // It may be gone by now.
            let _ = self.arena.user.delete(&user::of_claim(claim)).await;
            return Ok(());
        }
        self.arena
            .hands(&truth.name, AdminAction::PowerOff)
            .map_err(|error| error.to_string())
    }

    async fn silence(&self) -> Result<(), StepFailure> {
        sleep(AFTERTHOUGHTS).await;
        self.ledger.open();
        let before = self.arena.network.effect_names().len();
        sleep(SILENCE).await;
        let Pages { writes, requests, .. } = self.ledger.read();
        let busy = requests.into_iter().filter(|(_, times)| *times > POLLING);
        let busy: Vec<String> = busy.map(|(machine, times)| format!("{machine}: {times}")).collect();
        if !busy.is_empty() {
            return Err(failure(
                "BMCs are asked too often in an hour in which nothing happened",
                busy,
            ));
        }
        // What changes nothing is no write, and yet work for the API server.
        let sent = self.arena.network.effect_names().split_off(before);
        let in_vain: Vec<String> = sent.into_iter().filter(|effect| effect.contains(" api ")).collect();
        if !writes.is_empty() {
            let message = format!(
                "{} writes in an hour in which nothing happened",
                writes.values().sum::<u64>()
            );
            let lines = writes.into_iter().map(|(what, times)| format!("{what}: {times} times"));
            return Err(failure(&message, lines.collect()));
        }
        if !in_vain.is_empty() {
            let message = format!("{} writes that change nothing in an hour", in_vain.len());
            return Err(failure(&message, in_vain));
        }
        Ok(())
    }

    /// As after a restore from a backup without status, kind after kind in an order of the seed, under a fresh operator.
    async fn amnesia(&self, seed: u64) -> Result<(), StepFailure> {
        let held: Vec<String> = {
            let state = self.observer.lock();
            let machines = self.arena.machines.iter().filter(|machine| {
                let server = state.world.server_for(&machine.name);
                server.is_some_and(|(_, server)| crate::engine::world::holder(server).is_some())
            });
            machines.map(|machine| machine.name.clone()).collect()
        };
        self.ledger.open();
        let mut kinds = vec!["Server", "ServerClaim", "BMC", "ServerBootConfiguration"];
        let mut draw = super::draw::Draw::new(seed, "amnesia");
        while !kinds.is_empty() {
            let kind = kinds.remove(draw.index(kinds.len()));
            self.arena.lose_status(kind);
            if draw.percent(50) {
                sleep(draw.duration(Duration::ZERO, Duration::from_secs(60))).await;
            }
        }
        self.arena.operator(crate::testbed::OperatorAction::Crash).await;
        self.arena.one_operator().await;
        sleep(SILENCE).await;
        let Pages { disruptions, .. } = self.ledger.read();
        let touched: Vec<String> = held
            .iter()
            .filter_map(|machine| Some(format!("{machine}: {}", disruptions.get(machine)?.join(", "))))
            .collect();
        if touched.is_empty() {
            return Ok(());
        }
        Err(failure(
            "machines that claims hold were disrupted because status was lost (S7)",
            touched,
        ))
    }

    fn truths(&self) -> BTreeMap<String, MachineTruth> {
        let machines = self.arena.machines.iter();
        machines
            .filter_map(|machine| Some((machine.name.clone(), self.arena.world.inspect(&machine.name)?)))
            .collect()
    }

    /// `None` when everything is where it has to be; an error when it is too late for what is not.
    fn unsettled(&self, truths: &BTreeMap<String, MachineTruth>, too_late: bool) -> Option<Result<(), StepFailure>> {
        let state = self.observer.lock();
        let world = &state.world;
        let unsettled = Picture { world, truths }.unsettled();
        let first = unsettled.first()?;
        if !too_late {
            return Some(Ok(()));
        }
        Some(Err(StepFailure {
            message: format!(
                "{} things are not where they have to be {} hours after the last repair",
                unsettled.len(),
                PATIENCE.as_secs() / 3600
            ),
            objects: dump(
                first.objects.iter().map(|(name, object)| (name.clone(), *object)),
                &state.secrets,
            ),
            details: unsettled.into_iter().map(|thing| thing.line).take(SHOWN).collect(),
        }))
    }
}

fn failure(message: &str, details: Vec<String>) -> StepFailure {
    StepFailure {
        message: message.to_owned(),
        details: details.into_iter().take(SHOWN).collect(),
        objects: Vec::new(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the operator waits for a claim that a restore has not brought back.
fn lacks_claim(server: &serde_json::Value) -> bool {
    let conditions = server
        .pointer("/status/conditions")
        .and_then(serde_json::Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["reason"] == "ClaimMissing")
}
