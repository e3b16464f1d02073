//! The operator as a process that can be crashed, stopped and started again.

use super::slot::Slot;
use super::{OperatorAction, TestbedError};
use ::operator::{Edges, Operator, Options};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than any request to a BMC may take, and closing sessions after it.
const ORDERLY_STOP: Duration = Duration::from_secs(90);

/// Where the operator's own servers are reached, whichever instance runs.
#[derive(Clone, Default)]
pub(super) struct Faces {
    pub registry: Slot,
    pub metrics: Slot,
}

/// At most one instance at a time.
pub(super) struct OperatorProcess {
    arguments: Vec<String>,
    edges: Edges,
    faces: Faces,
    instances: u64,
    running: Option<Instance>,
}

struct Instance {
    stop: CancellationToken,
    /// One task, which owns everything the operator spawns.
    task: JoinSet<()>,
}

impl OperatorProcess {
    /// Instances differ in the number behind `edges.identity`; their seed is the same.
    pub(super) fn new(arguments: Vec<String>, edges: Edges, faces: Faces) -> Self {
        Self {
            arguments,
            edges,
            faces,
            instances: 0,
            running: None,
        }
    }

    pub(super) fn start(&mut self) -> Result<(), TestbedError> {
        if self.running.is_some() {
            return Err(impossible("starting the operator", "it is running already"));
        }
        let failed =
            |error: &dyn std::fmt::Display| TestbedError::failed("the operator cannot be started", error.to_string());
        let options = Options::from_arguments(&self.arguments).map_err(|error| failed(&error))?;
        self.instances += 1;
        let edges = Edges {
            identity: format!("{}-{}", self.edges.identity, self.instances),
            ..self.edges.clone()
        };
        let operator = Operator::new(options, edges).map_err(|error| failed(&error))?;
        self.faces.registry.set(Some(operator.registry_router()));
        self.faces.metrics.set(Some(operator.metrics_router()));
        let stop = CancellationToken::new();
        let token = stop.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = operator.run(token).await {
                tracing::error!(%error, "the operator ended by itself");
            }
        });
        self.running = Some(Instance { stop, task });
        Ok(())
    }

    pub(super) async fn crash(&mut self) -> Result<(), TestbedError> {
        let mut instance = self.take("crashing")?;
        instance.task.shutdown().await;
        Ok(())
    }

    pub(super) async fn stop(&mut self) -> Result<(), TestbedError> {
        let mut instance = self.take("stopping")?;
        instance.stop.cancel();
        let ended = tokio::time::timeout(ORDERLY_STOP, instance.task.join_next()).await;
        ended.map(|_| ()).map_err(|_| {
            TestbedError::failed(
                "the operator did not stop",
                format!("it was asked to {} seconds ago", ORDERLY_STOP.as_secs()),
            )
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) async fn act(&mut self, action: OperatorAction) -> Result<(), TestbedError> {
        match action {
            OperatorAction::Crash => self.crash().await,
            OperatorAction::Stop => self.stop().await,
            OperatorAction::Start => self.start(),
        }
    }

    fn take(&mut self, doing: &str) -> Result<Instance, TestbedError> {
        let instance = self
            .running
            .take()
            .ok_or_else(|| impossible(&format!("{doing} the operator"), "it is not running"))?;
        for face in [&self.faces.registry, &self.faces.metrics] {
            face.set(None);
        }
        Ok(instance)
    }
}

fn impossible(what: &str, why: &str) -> TestbedError {
    TestbedError::Unsupported {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}
