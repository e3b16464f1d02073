//! Every event of the testbed, as it happens. One lock, taken for as long as one event is digested, and never while the testbed is
//! asked for anything: whoever caused the event may hold locks of its own.

use super::secrets::Secrets;
use super::world::{ObjectKey, World, holder, state};
use crate::edges::Clock;
use crate::expression::{Bindings, Expression, Verdict, value};
use crate::invariants::{self, Breach, Invariant, Scene};
use crate::report::{MarkerKind, Recorder, Violation};
use crate::testbed::{MachineInfo, OperatorAction, Testbed, WorldEvent};
use bmc_emulator::{MachineEvent, MachineEventKind, MachineTruth};
use jiff::Timestamp;
use kube_cel::cel::Value as CelValue;
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Log lines kept for a second look at the end, when all secrets are known.
const KEPT_LINES: usize = 20_000;
/// More violations than this say nothing new.
const KEPT_VIOLATIONS: usize = 20;

/// Shared by the testbed, which reports events, and the engine, which waits for them.
pub(crate) struct Observer {
    testbed: Weak<dyn Testbed>,
    clock: Clock,
    machines: super::world::Machines,
    state: Mutex<State>,
    /// Something the engine waits for may have happened.
    pub(crate) changed: Notify,
    /// Cancelled at the first violation.
    pub(crate) violated: CancellationToken,
}

/// What is known so far.
pub(crate) struct State {
    pub world: World,
    pub record: Recorder,
    pub secrets: Secrets,
    pub watch: Watch,
    /// Every first commit of a server in a state, in order.
    pub transitions: Vec<Transition>,
    pub violations: Vec<Violation>,
    always: Vec<Standing>,
    invariants: Vec<Box<dyn Invariant>>,
    lines: VecDeque<String>,
}

/// What the current step waits for.
#[derive(Default)]
pub(crate) struct Watch {
    pub subject: Subject,
    /// Objects that have changed since the step looked.
    pub dirty: BTreeSet<ObjectKey>,
    pub touched: bool,
}

#[derive(Default, PartialEq)]
pub(crate) enum Subject {
    #[default]
    Nothing,
    /// Objects of a kind, and with `machines` the hardware behind Servers.
    Kind {
        kind: String,
        machines: bool,
    },
    /// Objects of these kinds, and with `machines` all hardware.
    World {
        kinds: BTreeSet<&'static str>,
        machines: bool,
    },
    Transitions,
}

/// A server has entered a state.
pub(crate) struct Transition {
    pub server: String,
    pub state: String,
}

/// An `always` step.
pub(crate) struct Standing {
    pub kind: String,
    pub name: Option<String>,
    pub expressions: Vec<Expression>,
    pub title: String,
}

impl Observer {
    /// Starts to observe `testbed`.
    pub(crate) fn attach(testbed: &Arc<dyn Testbed>) -> Arc<Self> {
        let machines = testbed.machines();
        let clock = testbed.clock();
        let mut secrets = Secrets::default();
        for machine in &machines {
            secrets.add(&machine.password.0, &format!("BMC password of {}", machine.name));
        }
        let observer = Arc::new(Self {
            testbed: Arc::downgrade(testbed),
            machines: super::world::Machines::new(&machines),
            state: Mutex::new(State {
                world: World::new(&machines),
                record: Recorder::new(
                    clock(),
                    testbed.time_scale(),
                    machines
                        .iter()
                        .map(|machine| (machine.name.as_str(), machine.system_uuid.as_str())),
                ),
                secrets,
                watch: Watch::default(),
                transitions: Vec::new(),
                violations: Vec::new(),
                always: Vec::new(),
                invariants: invariants::all(),
                lines: VecDeque::new(),
            }),
            clock,
            changed: Notify::new(),
            violated: CancellationToken::new(),
        });
        testbed.observe({
            let observer = Arc::clone(&observer);
            Arc::new(move |event| observer.event(event))
        });
        observer.first_look(testbed.as_ref(), &machines);
        observer
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something the report shows on its time axis.
    pub(crate) fn mark(&self, at: Timestamp, machine: Option<&str>, kind: MarkerKind, text: String) {
        self.lock().record.marker(at, machine, kind, text);
    }

    /// From now on checked at every change.
    pub(crate) fn stand(&self, standing: Standing) {
        self.lock().always.push(standing);
    }

    /// What existed before the first event.
    pub(crate) fn adopt(&self, key: ObjectKey, object: Value) {
        let mut state = self.lock();
        if is_secret(&key.kind) {
            state.secrets.add_object(&key.kind, &key.name, &object);
        }
        state.world.adopt(key, object);
    }

    /// The invariants that can only be judged when everything has ended.
    pub(crate) fn judge_end(&self, truths: &BTreeMap<String, MachineTruth>) {
        let now = (self.clock)();
        let mut state = self.lock();
        if !state.violations.is_empty() {
            // What was cut off by a violation has not ended as it should, and says nothing.
            return;
        }
        let State {
            world,
            secrets,
            invariants,
            lines,
            ..
        } = &mut *state;
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let scene = Scene {
            now,
            world,
            secrets,
            truth: None,
        };
        let breaches: Vec<_> = invariants
            .iter_mut()
            .flat_map(|invariant| named(invariant.name(), invariant.at_end(&scene, truths, &lines)))
            .collect();
        self.report(&mut state, now, "the end of the scenario", breaches);
    }

    /// Power of all machines before anything happened.
    fn first_look(&self, testbed: &dyn Testbed, machines: &[MachineInfo]) {
        let now = (self.clock)();
        for machine in machines {
            let Some(truth) = testbed.inspect(&machine.name) else {
                continue;
            };
            let power = truth.power_state;
            let mut state = self.lock();
            state.record.power(now, &machine.name, power);
            for invariant in &mut state.invariants {
                invariant.power(&machine.name, power);
            }
        }
    }

    fn event(&self, event: &WorldEvent) {
        let now = (self.clock)();
        // Before the lock, see above.
        let truth = match event {
            WorldEvent::Kube(commit) => self.truth_for(commit),
            _ => None,
        };
        let mut state = self.lock();
        if let WorldEvent::Kube(commit) = event
            && is_secret(&commit.kind)
            && commit.event != CommitEvent::Deleted
        {
            state.secrets.add_object(&commit.kind, &commit.name, &commit.object);
        }
        record_event(&mut state, now, event);
        let wake = match event {
            WorldEvent::Kube(commit) => self.commit(&mut state, now, commit, truth.as_ref()),
            WorldEvent::Machine(event) => self.machine(&mut state, event),
            WorldEvent::Log { line } => self.line(&mut state, now, line),
            WorldEvent::Operator(action) => {
                state
                    .invariants
                    .iter_mut()
                    .for_each(|invariant| invariant.operator(*action));
                false
            }
            WorldEvent::Forbidden { request } => {
                let invariants = state.invariants.iter_mut();
                let breaches = invariants.flat_map(|invariant| named(invariant.name(), invariant.forbidden(request)));
                let breaches = breaches.collect();
                self.report(&mut state, now, &format!("request to {request}"), breaches);
                false
            }
        };
        drop(state);
        if wake {
            self.changed.notify_one();
        }
    }

    /// Whether the engine may have waited for this; the same for the next two.
    fn commit(&self, state: &mut State, now: Timestamp, commit: &Commit, truth: Option<&MachineTruth>) -> bool {
        state.world.apply(commit);
        let State {
            world,
            secrets,
            invariants,
            always,
            watch,
            transitions,
            ..
        } = &mut *state;
        let scene = Scene {
            now,
            world,
            secrets,
            truth,
        };
        let mut breaches: Vec<_> = invariants
            .iter_mut()
            .flat_map(|invariant| named(invariant.name(), invariant.commit(commit, &scene)))
            .collect();
        if commit.event != CommitEvent::Deleted {
            breaches.extend(always.iter().filter_map(|standing| standing.check(commit)));
        }
        let mut wake = watch.commit(commit);
        if let Some(entered) = entered_state(commit) {
            transitions.push(Transition {
                server: commit.name.clone(),
                state: entered.to_owned(),
            });
            wake |= watch.subject == Subject::Transitions;
        }
        if !breaches.is_empty() {
            let key = ObjectKey::of(commit);
            let what = format!("{:?} of {key} at revision {}", commit.event, commit.revision);
            self.report(state, now, &what, breaches);
        }
        wake
    }

    fn machine(&self, state: &mut State, event: &MachineEvent) -> bool {
        let now = event.at;
        let State {
            world,
            secrets,
            invariants,
            watch,
            ..
        } = &mut *state;
        let scene = Scene {
            now,
            world,
            secrets,
            truth: None,
        };
        let mut breaches = Vec::new();
        for invariant in invariants {
            if let MachineEventKind::Power { state } = event.kind {
                invariant.power(&event.machine, state);
            }
            breaches.extend(named(invariant.name(), invariant.machine(event, &scene)));
        }
        let wake = watch.machine(event, world);
        if !breaches.is_empty() {
            let what = format!("{:?} of machine {}", event.kind, event.machine);
            self.report(state, event.at, &what, breaches);
        }
        wake
    }

    fn line(&self, state: &mut State, now: Timestamp, line: &str) -> bool {
        let State {
            world,
            secrets,
            invariants,
            lines,
            ..
        } = &mut *state;
        let scene = Scene {
            now,
            world,
            secrets,
            truth: None,
        };
        let breaches: Vec<_> = invariants
            .iter_mut()
            .flat_map(|invariant| named(invariant.name(), invariant.line(line, &scene)))
            .collect();
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
        if !breaches.is_empty() {
            let what = format!("the log line {line}");
            self.report(state, now, &what, breaches);
        }
        false
    }

    fn report(&self, state: &mut State, at: Timestamp, event: &str, breaches: Vec<(String, Breach)>) {
        for (invariant, breach) in breaches {
            self.violated.cancel();
            let message = state.secrets.redact(&breach.message);
            // The end looks at everything again, and finds again what was found before.
            let known = state
                .violations
                .iter()
                .any(|known| known.invariant == invariant && known.message == message);
            if known || state.violations.len() == KEPT_VIOLATIONS {
                continue;
            }
            state
                .record
                .marker(at, None, MarkerKind::Violation, format!("violated: {invariant}"));
            let violation = Violation {
                at: state.record.millis(at),
                message,
                event: state.secrets.redact(event),
                objects: breach.objects,
                invariant,
            };
            state.violations.push(violation);
        }
    }

    /// The truth about the machine of a Server whose drives must be clean at this commit.
    fn truth_for(&self, commit: &Commit) -> Option<MachineTruth> {
        if commit.kind != "Server" || commit.event == CommitEvent::Deleted {
            return None;
        }
        let offered = entered_state(commit) == Some("Available");
        // One that is new and has a holder was restored from a backup, tenant and all.
        let free = commit
            .previous
            .as_deref()
            .is_some_and(|previous| holder(previous).is_none());
        let claimed = holder(&commit.object).is_some() && free;
        if !offered && !claimed {
            return None;
        }
        self.testbed.upgrade()?.inspect(self.machines.of(&commit.object)?)
    }
}

fn record_event(state: &mut State, now: Timestamp, event: &WorldEvent) {
    let State { record, secrets, .. } = state;
    let redact = |text: &str| secrets.redact(text);
    match event {
        WorldEvent::Kube(commit) => record.commit(now, commit, &redact),
        WorldEvent::Machine(event) => record.machine(event, &redact),
        WorldEvent::Log { line } => record.log(line, &redact),
        // What it breaks is recorded where it is judged.
        WorldEvent::Forbidden { .. } => {}
        WorldEvent::Operator(action) => {
            let (kind, text) = match action {
                OperatorAction::Crash => (MarkerKind::Crash, "operator crashed"),
                OperatorAction::Stop => (MarkerKind::Stop, "operator stopped"),
                OperatorAction::Start => (MarkerKind::Start, "operator started"),
                OperatorAction::StartAnother => (MarkerKind::Start, "a second operator started"),
            };
            record.marker(now, None, kind, text.to_owned());
        }
    }
}

fn named(invariant: &str, breaches: Vec<Breach>) -> impl Iterator<Item = (String, Breach)> {
    let invariant = invariant.to_owned();
    breaches.into_iter().map(move |breach| (invariant.clone(), breach))
}

fn is_secret(kind: &str) -> bool {
    matches!(kind, "Secret" | "BMCSecret")
}

/// The state a Server has now and had not before this commit.
fn entered_state(commit: &Commit) -> Option<&str> {
    if commit.kind != "Server" || commit.event == CommitEvent::Deleted {
        return None;
    }
    let now = state(&commit.object)?;
    (commit.previous.as_deref().and_then(state) != Some(now)).then_some(now)
}

impl Standing {
    fn check(&self, commit: &Commit) -> Option<(String, Breach)> {
        if commit.kind != self.kind || self.name.as_ref().is_some_and(|name| *name != commit.name) {
            return None;
        }
        let previous = commit.previous.as_deref().map_or(CelValue::Null, value::from_json);
        let bindings = Bindings::from([("object", value::from_json(&commit.object)), ("previous", previous)]);
        self.expressions
            .iter()
            .find_map(|expression| match expression.judge(&bindings) {
                Verdict::True => None,
                Verdict::NotTrue(why) => Some((
                    self.title.clone(),
                    Breach {
                        message: why,
                        objects: vec![ObjectKey::of(commit).to_string()],
                    },
                )),
            })
    }
}

impl Watch {
    fn commit(&mut self, commit: &Commit) -> bool {
        let concerned = match &self.subject {
            Subject::Kind { kind, .. } => *kind == commit.kind,
            Subject::World { kinds, .. } => kinds.contains(commit.kind.as_str()),
            Subject::Nothing | Subject::Transitions => false,
        };
        if concerned {
            self.touched = true;
            self.dirty.insert(ObjectKey::of(commit));
        }
        concerned
    }

    fn machine(&mut self, event: &MachineEvent, world: &World) -> bool {
        // A request that was served changes nothing an expectation reads; what it leads to is an event of its own.
        if matches!(event.kind, MachineEventKind::RequestServed { .. }) {
            return false;
        }
        match &self.subject {
            Subject::Kind { machines: true, .. } => match world.server_for(&event.machine) {
                Some((key, _)) => {
                    self.touched = true;
                    self.dirty.insert(key.clone())
                }
                None => false,
            },
            Subject::World { machines: true, .. } => {
                self.touched = true;
                true
            }
            _ => false,
        }
    }
}
