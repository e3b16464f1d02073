//! Waiting until something is true. Judged again when an object or a machine it is about has changed, and only for what has changed:
//! an expectation about a thousand servers costs one evaluation per change of a server.

use super::failure::{StepFailure, dump};
use super::observer::{Observer, State, Subject};
use super::time::{DEFAULT_DEADLINE, Pace};
use super::world::ObjectKey;
use crate::expression::parts::Parts;
use crate::expression::{Bindings, Expression, Verdict, value};
use crate::script::steps::Expect;
use crate::testbed::Testbed;
use kube_cel::cel::Value as CelValue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many reasons a failure lists.
const SHOWN_REASONS: usize = 6;

/// Waits, and then watches for as long as it must hold.
pub(super) async fn wait(
    observer: &Observer,
    testbed: &dyn Testbed,
    pace: Pace,
    expect: &Expect,
) -> Result<(), StepFailure> {
    let mut judge = Judge::new(expect)?;
    observer.lock().watch = super::observer::Watch {
        subject: judge.subject(),
        ..Default::default()
    };
    judge.look_at_everything(observer, testbed);

    let patience = expect.within.map_or(DEFAULT_DEADLINE, |within| within.0);
    let deadline = Instant::now() + pace.deadline(patience);
    while !judge.is_true() {
        if timeout_at(deadline, observer.changed.notified()).await.is_err() {
            return Err(judge.failure(observer, testbed, format!("not true within {}", shown(patience))));
        }
        judge.look_again(observer, testbed);
    }
    let Some(holds_for) = expect.holds_for else {
        return Ok(());
    };
    let until = Instant::now() + pace.wait(holds_for.0);
    loop {
        let ended = timeout_at(until, observer.changed.notified()).await.is_err();
        if ended {
            // Time alone can change a machine without an event, for example when a fault expires.
            judge.look_at_everything(observer, testbed);
        } else {
            judge.look_again(observer, testbed);
        }
        if !judge.is_true() {
            return Err(judge.failure(
                observer,
                testbed,
                format!("became true and did not stay so for {holds_for}"),
            ));
        }
        if ended {
            return Ok(());
        }
    }
}

/// Looks once.
pub(super) fn look(observer: &Observer, testbed: &dyn Testbed, expect: &Expect) -> Result<(), StepFailure> {
    let mut judge = Judge::new(expect)?;
    judge.look_at_everything(observer, testbed);
    if judge.is_true() {
        Ok(())
    } else {
        Err(judge.failure(observer, testbed, "not true".to_owned()))
    }
}

fn shown(duration: Duration) -> crate::script::steps::ScenarioDuration {
    crate::script::steps::ScenarioDuration(duration)
}

/// One expectation and what is known about it.
struct Judge<'a> {
    expect: &'a Expect,
    expressions: Vec<Expression>,
    reads: BTreeSet<String>,
    object_parts: Parts,
    machine_parts: Parts,
    /// Objects of the kind that are selected, and whether they fulfil the expectation.
    objects: BTreeMap<ObjectKey, bool>,
    /// How many of `objects` fulfil it.
    fulfilled: usize,
    /// For an expectation without kind: what is not true.
    untrue: Vec<String>,
}

impl<'a> Judge<'a> {
    fn new(expect: &'a Expect) -> Result<Self, StepFailure> {
        let compiled: Result<Vec<Expression>, String> = expect
            .that
            .0
            .iter()
            .map(|condition| Expression::compile(condition))
            .collect();
        let expressions = compiled?;
        let reads = expressions.iter().flat_map(Expression::reads).collect();
        let (mut object_parts, mut machine_parts) = (Parts::default(), Parts::default());
        for expression in &expressions {
            expression.add_parts("object", &mut object_parts);
            expression.add_parts("machine", &mut machine_parts);
        }
        Ok(Self {
            expect,
            expressions,
            reads,
            object_parts,
            machine_parts,
            objects: BTreeMap::new(),
            fulfilled: 0,
            untrue: Vec::new(),
        })
    }

    fn subject(&self) -> Subject {
        match &self.expect.kind {
            Some(kind) => Subject::Kind {
                kind: kind.value.clone(),
                machines: self.reads.contains("machine"),
            },
            None => Subject::World {
                kinds: COLLECTIONS
                    .iter()
                    .filter(|(name, _)| self.reads.contains(*name))
                    .map(|(_, kind)| *kind)
                    .collect(),
                machines: self.reads.contains("machines"),
            },
        }
    }

    fn look_at_everything(&mut self, observer: &Observer, testbed: &dyn Testbed) {
        match &self.expect.kind {
            None => self.judge_world(observer, testbed),
            Some(kind) => {
                let keys = observer.lock().world.list(kind).map(|(key, _)| key).collect();
                self.judge_objects(observer, testbed, keys);
            }
        }
    }

    fn look_again(&mut self, observer: &Observer, testbed: &dyn Testbed) {
        let (touched, dirty) = {
            let watch = &mut observer.lock().watch;
            (std::mem::take(&mut watch.touched), std::mem::take(&mut watch.dirty))
        };
        match &self.expect.kind {
            None if touched => self.judge_world(observer, testbed),
            None => {}
            Some(_) => self.judge_objects(observer, testbed, dirty),
        }
    }

    fn judge_objects(&mut self, observer: &Observer, testbed: &dyn Testbed, keys: BTreeSet<ObjectKey>) {
        for key in keys {
            if self.objects.remove(&key) == Some(true) {
                self.fulfilled -= 1;
            }
            let (object, machine) = fetch(observer, &key);
            let Some(object) = object.filter(|object| self.selects(&key, object)) else {
                continue;
            };
            let bindings = self.bindings(&object, machine.as_deref(), testbed);
            let fulfils = self.expressions.iter().all(|expression| expression.holds(&bindings));
            self.fulfilled += usize::from(fulfils);
            self.objects.insert(key, fulfils);
        }
    }

    fn bindings(&self, object: &Value, machine: Option<&str>, testbed: &dyn Testbed) -> Bindings {
        let mut bindings = Bindings::from([("object", self.object_parts.of(object))]);
        if self.reads.contains("machine") {
            let truth = machine.and_then(|machine| testbed.inspect(machine));
            let machine = truth.map_or(CelValue::Null, |truth| self.machine_parts.of(&to_json(&truth)));
            bindings.insert("machine", machine);
        }
        bindings
    }

    /// Why an object does not fulfil the expectation.
    fn why(&self, observer: &Observer, testbed: &dyn Testbed, key: &ObjectKey) -> Option<String> {
        let (object, machine) = fetch(observer, key);
        let bindings = self.bindings(&*object?, machine.as_deref(), testbed);
        self.expressions
            .iter()
            .find_map(|expression| match expression.judge(&bindings) {
                Verdict::True => None,
                Verdict::NotTrue(why) => Some(why),
            })
    }

    fn judge_world(&mut self, observer: &Observer, testbed: &dyn Testbed) {
        let mut bindings = collections(&observer.lock(), &self.reads);
        if self.reads.contains("machines") {
            let machines = testbed.machines().into_iter().filter_map(|machine| {
                let truth = testbed.inspect(&machine.name)?;
                Some((machine.name, value::from_json(&to_json(&truth))))
            });
            bindings.insert("machines", value::from_entries(machines));
        }
        self.untrue = self
            .expressions
            .iter()
            .filter_map(|expression| match expression.judge(&bindings) {
                Verdict::True => None,
                Verdict::NotTrue(why) => Some(why),
            })
            .collect();
    }

    fn selects(&self, key: &ObjectKey, object: &Value) -> bool {
        let expect = self.expect;
        expect.name.as_ref().is_none_or(|name| name.value == key.name)
            && expect
                .namespace
                .as_ref()
                .is_none_or(|namespace| key.namespace.as_ref() == Some(namespace))
            && expect.labels.iter().all(|(label, value)| {
                object
                    .pointer("/metadata/labels")
                    .and_then(|labels| labels.get(label))
                    .and_then(Value::as_str)
                    == Some(value)
            })
    }

    fn is_true(&self) -> bool {
        match (&self.expect.kind, self.expect.count) {
            (None, _) => self.untrue.is_empty(),
            (Some(_), Some(count)) => self.fulfilled == count,
            (Some(_), None) => !self.objects.is_empty() && self.fulfilled == self.objects.len(),
        }
    }

    fn failure(&self, observer: &Observer, testbed: &dyn Testbed, how: String) -> StepFailure {
        let conditions: Vec<&str> = self.expressions.iter().map(Expression::source).collect();
        let whole = conditions.join(" && ");
        let Some(kind) = &self.expect.kind else {
            return StepFailure {
                message: format!("{how}: {whole}"),
                details: self.untrue.clone(),
                objects: Vec::new(),
            };
        };
        let wanted = match (&self.expect.name, self.expect.count) {
            (Some(name), Some(0)) => format!("no {} {}", kind.value, name.value),
            (Some(name), _) => format!("{} {}", kind.value, name.value),
            (None, Some(count)) => format!("{count} × {}", kind.value),
            (None, None) => format!("every {}", kind.value),
        };
        let condition = if whole.is_empty() {
            String::new()
        } else {
            format!(" with {whole}")
        };
        let mut message = format!("{how}: {wanted}{condition}");
        if self.objects.is_empty() {
            message.push_str("; there is none");
        } else if self.expect.name.is_none() {
            message.push_str(&format!(
                "; it is true for {} of {}",
                self.fulfilled,
                self.objects.len()
            ));
        }
        let too_many = self.expect.count.is_some_and(|count| self.fulfilled > count);
        let culprits: Vec<&ObjectKey> = self
            .objects
            .iter()
            .filter(|(_, fulfils)| **fulfils == too_many)
            .map(|(key, _)| key)
            .collect();
        let shown = culprits.iter().take(SHOWN_REASONS);
        let reasons: Vec<(&ObjectKey, Option<String>)> =
            shown.map(|key| (*key, self.why(observer, testbed, key))).collect();
        let state = observer.lock();
        let mut details: Vec<String> = reasons
            .iter()
            .map(|(key, why)| match why {
                Some(why) => format!("{key}: {}", state.secrets.redact(why)),
                None => format!("{key}: it is true"),
            })
            .collect();
        if culprits.len() > SHOWN_REASONS {
            details.push(format!("… and {} more", culprits.len() - SHOWN_REASONS));
        }
        let objects = dump(
            culprits
                .iter()
                .filter_map(|key| Some((key.to_string(), state.world.get(key)?.as_ref()))),
            &state.secrets,
        );
        StepFailure {
            message,
            details,
            objects,
        }
    }
}

/// An object, and the machine it stands for. Fetched under the lock and judged without it: the testbed may be asked for the truth.
fn fetch(observer: &Observer, key: &ObjectKey) -> (Option<Arc<Value>>, Option<String>) {
    let state = observer.lock();
    let object = state.world.get(key).map(Arc::clone);
    let machine = object
        .as_deref()
        .and_then(|object| state.world.machine_of(object))
        .map(str::to_owned);
    (object, machine)
}

/// Variables that are maps of objects by name, and the kinds behind them.
const COLLECTIONS: [(&str, &str); 5] = [
    ("servers", "Server"),
    ("claims", "ServerClaim"),
    ("bmcs", "BMC"),
    ("bootConfigurations", "ServerBootConfiguration"),
    ("events", "Event"),
];

fn collections(state: &State, reads: &BTreeSet<String>) -> Bindings {
    COLLECTIONS
        .iter()
        .filter(|(name, _)| reads.contains(*name))
        .map(|(name, kind)| {
            let objects = state.world.list(kind);
            let value = if *name == "events" {
                CelValue::List(Arc::new(objects.map(|(_, object)| value::from_json(object)).collect()))
            } else {
                value::from_entries(objects.map(|(key, object)| (key.name, value::from_json(object))))
            };
            (*name, value)
        })
        .collect()
}

fn to_json(truth: &bmc_emulator::MachineTruth) -> Value {
    serde_json::to_value(truth).expect("the truth is plain data")
}
