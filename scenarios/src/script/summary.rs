//! What a step does, in a line of a report.

use super::source::Placed;
use super::steps::{Action, Expect, ForEach, Machines, OperatorVerb, RegisterCredentials, RegisterVia};
use serde_json::Value;

pub(super) fn of(action: &Action) -> String {
    match action {
        Action::Register(register) => {
            let via = match register.via {
                RegisterVia::Bmc => "",
                RegisterVia::Endpoint => " by Endpoint",
                RegisterVia::Server => " by Server",
            };
            let wrong = if register.credentials == RegisterCredentials::Wrong {
                " with wrong credentials"
            } else {
                ""
            };
            format!("register {}{via}{wrong}", machines(&register.machines))
        }
        Action::Apply(apply) => {
            let objects: Vec<String> = apply
                .manifests
                .iter()
                .map(|manifest| {
                    let text = |pointer| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
                    format!("{} {}", text("/kind"), text("/metadata/name"))
                })
                .collect();
            format!("apply {}{}", objects.join(", "), rounds(apply.for_each.as_ref()))
        }
        Action::Delete(delete) => {
            format!(
                "delete {} {}{}",
                delete.kind.value,
                delete.name.value,
                rounds(delete.for_each.as_ref())
            )
        }
        Action::Patch(patch) => {
            format!(
                "patch {} {}{}",
                patch.kind.value,
                patch.name.value,
                rounds(patch.for_each.as_ref())
            )
        }
        Action::Annotate(annotate) => {
            format!(
                "annotate {} {}{}",
                annotate.kind.value,
                annotate.name.value,
                rounds(annotate.for_each.as_ref())
            )
        }
        Action::Label(label) => {
            format!(
                "label {} {}{}",
                label.kind.value,
                label.name.value,
                rounds(label.for_each.as_ref())
            )
        }
        Action::Expect(expect) => format!("expect {}", condition(expect)),
        Action::Assert(expect) => format!("assert {}", condition(expect)),
        Action::Always(always) => format!("from here on every {}: {}", always.kind.value, first(&always.that.0)),
        Action::Inject(inject) => format!("inject {} into {}", fault(&inject.fault), machines(&inject.machines)),
        Action::ClearFaults(clear) => format!("clear faults of {}", machines(&clear.machines)),
        Action::Machine(step) => format!("{:?} on {}", step.action, machines(&step.machines)),
        Action::Operator(operator) => {
            let verb = match operator.action {
                OperatorVerb::Crash => "crash",
                OperatorVerb::Stop => "stop",
                OperatorVerb::Start => "start",
                OperatorVerb::Restart => "restart",
            };
            let when = operator.when.as_ref().map_or_else(String::new, |when| {
                format!(
                    " when {} enters {}",
                    when.server.as_deref().unwrap_or("a server"),
                    when.enters.value
                )
            });
            format!("{verb} the operator{when}")
        }
        Action::Wait(duration) => format!("wait {duration}"),
    }
}

fn machines(machines: &Placed<Machines>) -> String {
    match &machines.value {
        Machines::All => "all machines".to_owned(),
        Machines::Named(names) => names.join(", "),
    }
}

fn rounds(for_each: Option<&Placed<ForEach>>) -> String {
    match for_each.map(|for_each| (&for_each.machines, for_each.range)) {
        Some((Some(each), _)) => format!(" for {}", machines(each)),
        Some((None, Some(range))) => format!(" × {range}"),
        _ => String::new(),
    }
}

fn condition(expect: &Expect) -> String {
    let whose = match (&expect.kind, &expect.name, expect.count) {
        (None, _, _) => String::new(),
        (Some(kind), Some(name), Some(0)) => format!("no {} {}", kind.value, name.value),
        (Some(kind), Some(name), _) => format!("{} {}", kind.value, name.value),
        (Some(kind), None, Some(count)) => format!("{count} × {}", kind.value),
        (Some(kind), None, None) => format!("every {}", kind.value),
    };
    match (whose.is_empty(), expect.that.0.is_empty()) {
        (_, true) => whose,
        (true, false) => first(&expect.that.0),
        (false, false) => format!("{whose}: {}", first(&expect.that.0)),
    }
}

fn first(conditions: &[Placed<String>]) -> String {
    let first = conditions
        .first()
        .map(|condition| condition.split_whitespace().collect::<Vec<_>>().join(" "));
    match (first, conditions.len()) {
        (Some(first), 0 | 1) => first,
        (Some(first), _) => format!("{first} …"),
        (None, _) => String::new(),
    }
}

/// The fault's own type name, as scripts write it.
fn fault(fault: &bmc_emulator::Fault) -> String {
    serde_json::to_value(fault)
        .ok()
        .and_then(|value| value.get("type").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_default()
}
