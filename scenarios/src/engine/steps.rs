//! What each kind of step does.

use super::cluster::{Cluster, Target};
use super::expectation;
use super::failure::StepFailure;
use super::observer::{Observer, Standing, Subject, Watch};
use super::registration;
use super::time::{DEFAULT_DEADLINE, Pace};
use crate::expression::Expression;
use crate::report::MarkerKind;
use crate::script::expansion::{INDEX, Variables, expand, expand_string};
use crate::script::source::Placed;
use crate::script::steps::{
    Action, Always, ForEach, Inject, MachineStep, Machines, OperatorStep, OperatorVerb, Register, RegisterCredentials,
    RegisterVia, Step, When,
};
use crate::testbed::{MachineInfo, OperatorAction, Testbed, TestbedError};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use tokio::time::{Instant, sleep, timeout_at};

/// Carries out steps, one after the other.
pub(super) struct Steps {
    testbed: Arc<dyn Testbed>,
    observer: Arc<Observer>,
    cluster: Cluster,
    pace: Pace,
    machines: Vec<MachineInfo>,
    /// Transitions up to here have been waited for.
    seen_transitions: usize,
}

impl Steps {
    pub(super) fn new(testbed: &Arc<dyn Testbed>, observer: &Arc<Observer>, pace: Pace) -> Self {
        Self {
            testbed: Arc::clone(testbed),
            observer: Arc::clone(observer),
            cluster: Cluster::new(testbed.kube()),
            pace,
            machines: testbed.machines(),
            seen_transitions: 0,
        }
    }

    pub(super) async fn run(&mut self, step: &Step) -> Result<(), StepFailure> {
        match &step.action {
            Action::Register(register) => self.register(register).await,
            Action::Apply(apply) => {
                for variables in self.rounds(apply.for_each.as_ref())? {
                    for manifest in &apply.manifests {
                        let manifest = expand(manifest, &variables).map_err(unknown)?;
                        let who = apply.field_manager.as_deref();
                        self.cluster.apply_as(who, &manifest, apply.status).await?;
                    }
                }
                Ok(())
            }
            Action::Delete(delete) => {
                for variables in self.rounds(delete.for_each.as_ref())? {
                    let name = expand_string(&delete.name, &variables).map_err(unknown)?;
                    self.cluster
                        .delete(&target(&delete.kind, delete.namespace.as_deref(), &name))
                        .await?;
                }
                Ok(())
            }
            Action::Patch(patch) => {
                for variables in self.rounds(patch.for_each.as_ref())? {
                    let name = expand_string(&patch.name, &variables).map_err(unknown)?;
                    let merge = expand(&patch.merge, &variables).map_err(unknown)?;
                    let target = target(&patch.kind, patch.namespace.as_deref(), &name);
                    self.cluster.merge(&target, &merge, patch.status).await?;
                }
                Ok(())
            }
            Action::Annotate(annotate) => {
                for variables in self.rounds(annotate.for_each.as_ref())? {
                    let name = expand_string(&annotate.name, &variables).map_err(unknown)?;
                    let target = target(&annotate.kind, annotate.namespace.as_deref(), &name);
                    self.cluster
                        .metadata(&target, "annotations", &annotate.annotations)
                        .await?;
                }
                Ok(())
            }
            Action::Label(label) => {
                for variables in self.rounds(label.for_each.as_ref())? {
                    let name = expand_string(&label.name, &variables).map_err(unknown)?;
                    let target = target(&label.kind, label.namespace.as_deref(), &name);
                    self.cluster.metadata(&target, "labels", &label.labels).await?;
                }
                Ok(())
            }
            Action::Expect(expect) => {
                let outcome = expectation::wait(&self.observer, self.testbed.as_ref(), self.pace, expect).await;
                self.observer.lock().watch = Watch::default();
                outcome
            }
            Action::Assert(expect) => expectation::look(&self.observer, self.testbed.as_ref(), expect),
            Action::Always(always) => self.always(always, &step.title),
            Action::Inject(inject) => self.inject(inject).await,
            Action::ClearFaults(clear) => {
                for machine in self.select(&clear.machines) {
                    self.testbed.clear_faults(&machine.name).await.map_err(testbed)?;
                    self.mark_fault(&machine.name, "faults cleared".to_owned());
                }
                Ok(())
            }
            Action::Machine(machine) => self.machine(machine).await,
            Action::Operator(operator) => self.operator(operator).await,
            Action::Wait(duration) => {
                sleep(self.pace.wait(duration.0)).await;
                Ok(())
            }
        }
    }

    async fn register(&self, register: &Register) -> Result<(), StepFailure> {
        for machine in self.select(&register.machines) {
            if let Some(front) = &machine.behind {
                match register.machines.value {
                    // Its BMC is registered with that one.
                    Machines::All => continue,
                    Machines::Named(_) => {
                        let name = &machine.name;
                        return Err(format!("{name} has no BMC of its own; register {front}").into());
                    }
                }
            }
            match register.via {
                RegisterVia::Bmc | RegisterVia::Server => {
                    let password = match register.credentials {
                        RegisterCredentials::Right => machine.password.0.clone(),
                        RegisterCredentials::Wrong => format!("not-{}", machine.password.0),
                    };
                    let secret = registration::bmc_secret(machine, &password);
                    self.cluster.apply(&secret).await?;
                    let access = match register.via {
                        RegisterVia::Server => registration::server(machine),
                        _ => registration::bmc(machine),
                    };
                    self.cluster.apply(&access).await?;
                }
                RegisterVia::Endpoint => self.cluster.apply(&registration::endpoint(machine)).await?,
            }
        }
        Ok(())
    }

    fn always(&self, always: &Always, title: &str) -> Result<(), StepFailure> {
        let compiled: Result<Vec<Expression>, String> = always
            .that
            .0
            .iter()
            .map(|condition| Expression::compile(condition))
            .collect();
        self.observer.stand(Standing {
            kind: always.kind.value.clone(),
            name: always.name.clone(),
            expressions: compiled?,
            title: title.to_owned(),
        });
        Ok(())
    }

    async fn inject(&self, inject: &Inject) -> Result<(), StepFailure> {
        let fault = serde_json::to_value(&inject.fault).unwrap_or_default();
        let label = format!(
            "injected: {}",
            fault.get("type").and_then(Value::as_str).unwrap_or("a fault")
        );
        for machine in self.select(&inject.machines) {
            self.testbed
                .inject(&machine.name, inject.fault.clone())
                .await
                .map_err(testbed)?;
            self.mark_fault(&machine.name, label.clone());
        }
        Ok(())
    }

    async fn machine(&self, step: &MachineStep) -> Result<(), StepFailure> {
        for machine in self.select(&step.machines) {
            self.testbed
                .machine_action(&machine.name, step.action.clone())
                .await
                .map_err(testbed)?;
            self.mark_fault(&machine.name, format!("{:?}", step.action));
        }
        Ok(())
    }

    async fn operator(&mut self, step: &OperatorStep) -> Result<(), StepFailure> {
        if let Some(when) = &step.when {
            let deadline = self
                .pace
                .deadline(step.within.map_or(DEFAULT_DEADLINE, |within| within.0));
            self.transition(when, Instant::now() + deadline).await?;
        }
        let actions: &[OperatorAction] = match step.action {
            OperatorVerb::Crash => &[OperatorAction::Crash],
            OperatorVerb::Stop => &[OperatorAction::Stop],
            OperatorVerb::Start => &[OperatorAction::Start],
            OperatorVerb::Restart => &[OperatorAction::Crash, OperatorAction::Start],
        };
        for action in actions {
            self.testbed.operator(*action).await.map_err(testbed)?;
        }
        Ok(())
    }

    async fn transition(&mut self, when: &When, deadline: Instant) -> Result<(), StepFailure> {
        self.observer.lock().watch = Watch {
            subject: Subject::Transitions,
            ..Watch::default()
        };
        loop {
            let found = {
                let state = self.observer.lock();
                state.transitions[self.seen_transitions..]
                    .iter()
                    .position(|transition| {
                        transition.state == when.enters.value
                            && when.server.as_ref().is_none_or(|server| *server == transition.server)
                    })
            };
            if let Some(position) = found {
                self.seen_transitions += position + 1;
                return Ok(());
            }
            if timeout_at(deadline, self.observer.changed.notified()).await.is_err() {
                let who = when.server.as_deref().unwrap_or("a server");
                let seen: Vec<String> = self.observer.lock().transitions[self.seen_transitions..]
                    .iter()
                    .map(|transition| format!("{} entered {}", transition.server, transition.state))
                    .collect();
                return Err(StepFailure {
                    message: format!("{who} did not enter {} in time", when.enters.value),
                    details: seen,
                    objects: Vec::new(),
                });
            }
        }
    }

    fn mark_fault(&self, machine: &str, label: String) {
        let now = (self.testbed.clock())();
        self.observer
            .lock()
            .record
            .marker(now, Some(machine), MarkerKind::Fault, label);
    }

    fn select(&self, machines: &Placed<Machines>) -> Vec<&MachineInfo> {
        match &machines.value {
            Machines::All => self.machines.iter().collect(),
            Machines::Named(names) => self
                .machines
                .iter()
                .filter(|machine| names.contains(&machine.name))
                .collect(),
        }
    }

    /// The variables of each round; one round without any for a step that does not repeat.
    fn rounds(&self, for_each: Option<&Placed<ForEach>>) -> Result<Vec<Variables>, StepFailure> {
        let Some(for_each) = for_each else {
            return Ok(vec![Variables::new()]);
        };
        let index = |index: usize| (INDEX.to_owned(), json!(index));
        match (&for_each.machines, for_each.range) {
            (Some(machines), None) => Ok(self
                .select(machines)
                .into_iter()
                .enumerate()
                .map(|(round, machine)| {
                    Variables::from_iter(machine_variables(machine).into_iter().chain([index(round)]))
                })
                .collect()),
            (None, Some(range)) => Ok((0..range as usize)
                .map(|round| Variables::from([index(round)]))
                .collect()),
            _ => Err("forEach needs either machines or range".to_owned().into()),
        }
    }
}

fn target<'a>(kind: &'a str, namespace: Option<&'a str>, name: &'a str) -> Target<'a> {
    Target { kind, namespace, name }
}

fn machine_variables(machine: &MachineInfo) -> [(String, Value); 6] {
    [
        ("machine.name".to_owned(), json!(machine.name)),
        ("machine.server".to_owned(), json!(registration::server_name(machine))),
        ("machine.systemUUID".to_owned(), json!(machine.system_uuid)),
        ("machine.address".to_owned(), json!(machine.address)),
        ("machine.port".to_owned(), json!(machine.port)),
        ("machine.mac".to_owned(), json!(machine.mac)),
    ]
}

fn unknown(name: String) -> StepFailure {
    format!("nothing is called `${{{name}}}` here").into()
}

fn testbed(error: TestbedError) -> StepFailure {
    with_causes(&error).into()
}

/// An error and what caused it, on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    message
}
