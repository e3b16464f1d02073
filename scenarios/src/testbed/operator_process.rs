//! The operator as processes that can be crashed, stopped and started again.

use super::slot::Slot;
use super::{OperatorAction, TestbedError};
use ::operator::{Edges, Operator, Options};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than any request to a BMC may take, and closing sessions after it.
const ORDERLY_STOP: Duration = Duration::from_secs(90);
/// A process that ended by itself is started again, as a kubelet does after a first failure.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// Where the operator's own servers are reached, whichever instances run.
#[derive(Clone, Default)]
pub(super) struct Faces {
    pub registry: Slot,
    pub events: Slot,
    pub metrics: Slot,
}

/// The edges of the process with this number.
pub(super) type EdgesOf = Arc<dyn Fn(u64) -> Result<Edges, TestbedError> + Send + Sync>;

/// All instances. Scenarios have one at a time; a second one is what a rolling upgrade brings.
pub(super) struct OperatorProcess {
    recipe: Recipe,
    running: BTreeMap<u64, Instance>,
    dying: Arc<Notify>,
}

/// How a process is made.
#[derive(Clone)]
struct Recipe {
    arguments: Vec<String>,
    edges: EdgesOf,
    faces: Faces,
    processes: Arc<AtomicU64>,
}

struct Instance {
    stop: CancellationToken,
    /// One task, which owns everything the operator spawns.
    task: JoinSet<()>,
    /// Number of the process that runs now.
    number: Arc<AtomicU64>,
}

impl OperatorProcess {
    pub(super) fn new(arguments: Vec<String>, edges: EdgesOf, faces: Faces) -> Self {
        Self {
            recipe: Recipe {
                arguments,
                edges,
                faces,
                processes: Arc::default(),
            },
            running: BTreeMap::new(),
            dying: Arc::default(),
        }
    }

    /// What an instance that is stopping at this moment can be crashed with; nobody else listens.
    pub(super) fn dying(&self) -> Arc<Notify> {
        self.dying.clone()
    }

    pub(super) fn start(&mut self) -> Result<(), TestbedError> {
        if self.is_running() {
            return Err(impossible("starting the operator", "it is running already"));
        }
        self.start_another()
    }

    pub(super) async fn act(&mut self, action: OperatorAction) -> Result<(), TestbedError> {
        match action {
            OperatorAction::Crash => self.crash().await,
            OperatorAction::Stop => self.stop().await,
            OperatorAction::Start => self.start(),
            OperatorAction::StartAnother => self.start_another(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Number of the process that runs longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        let (_, instance) = self.running.first_key_value()?;
        Some(instance.number.load(Ordering::Relaxed))
    }

    /// How many instances there are.
    pub(super) fn instances(&self) -> usize {
        self.running.len()
    }

    fn start_another(&mut self) -> Result<(), TestbedError> {
        let (number, operator) = self.recipe.make()?;
        let (stop, recipe, current) = (
            CancellationToken::new(),
            self.recipe.clone(),
            Arc::new(AtomicU64::new(number)),
        );
        let (until, shown) = (stop.clone(), current.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { recipe.keep_running(number, operator, &until, &shown).await });
        let number = current;
        let key = number.load(Ordering::Relaxed);
        self.running.insert(key, Instance { stop, task, number });
        Ok(())
    }

    /// The oldest instance disappears between two instructions.
    async fn crash(&mut self) -> Result<(), TestbedError> {
        let mut instance = self.take("crashing")?;
        instance.task.shutdown().await;
        Ok(())
    }

    /// The oldest instance ends in an orderly way.
    async fn stop(&mut self) -> Result<(), TestbedError> {
        let mut instance = self.take("stopping")?;
        instance.stop.cancel();
        let ended = tokio::select! {
            biased;
            () = self.dying.notified() => {
                instance.task.shutdown().await;
                return Ok(());
            }
            ended = tokio::time::timeout(ORDERLY_STOP, instance.task.join_next()) => ended,
        };
        ended.map(|_| ()).map_err(|_| {
            TestbedError::failed(
                "the operator did not stop",
                format!("it was asked to {} seconds ago", ORDERLY_STOP.as_secs()),
            )
        })
    }

    fn take(&mut self, doing: &str) -> Result<Instance, TestbedError> {
        let (_, instance) = self
            .running
            .pop_first()
            .ok_or_else(|| impossible(&format!("{doing} the operator"), "it is not running"))?;
        self.recipe.withdraw(instance.number.load(Ordering::Relaxed));
        Ok(instance)
    }
}

impl Recipe {
    fn make(&self) -> Result<(u64, Operator), TestbedError> {
        let failed =
            |error: &dyn std::fmt::Display| TestbedError::failed("the operator cannot be started", error.to_string());
        let options = Options::from_arguments(&self.arguments).map_err(|error| failed(&error))?;
        let number = self.processes.fetch_add(1, Ordering::Relaxed) + 1;
        let operator = Operator::new(options, (self.edges)(number)?).map_err(|error| failed(&error))?;
        self.faces.registry.add(number, operator.registry_router());
        if let Some(router) = operator.event_router() {
            self.faces.events.add(number, router);
        }
        self.faces.metrics.add(number, operator.metrics_router());
        Ok((number, operator))
    }

    fn withdraw(&self, number: u64) {
        self.faces.registry.remove(number);
        self.faces.events.remove(number);
        self.faces.metrics.remove(number);
    }

    /// A process that ends by itself has lost its lease, and is followed by a fresh one.
    async fn keep_running(
        &self,
        mut number: u64,
        mut operator: Operator,
        until: &CancellationToken,
        shown: &AtomicU64,
    ) {
        loop {
            let ended = operator.run(until.clone()).await;
            if until.is_cancelled() {
                return;
            }
            if let Err(error) = ended {
                tracing::warn!(%error, "the operator ended by itself and is started again");
            }
            self.withdraw(number);
            tokio::time::sleep(RESTART_PAUSE).await;
            match self.make() {
                Ok((next, fresh)) => (number, operator) = (next, fresh),
                Err(error) => {
                    tracing::error!(%error, "the operator cannot be started again");
                    return;
                }
            }
            shown.store(number, Ordering::Relaxed);
        }
    }
}

fn impossible(what: &str, why: &str) -> TestbedError {
    TestbedError::Unsupported {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}
