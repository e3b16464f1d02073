//! What a script must be beyond its shape: names that exist, expressions that compile, steps that make sense.

use super::error::Mistakes;
use super::expansion::{INDEX, MACHINE_VARIABLES, Variables, expand, expand_string};
use super::kinds::{self, KnownKind};
use super::load::Script;
use super::model::{Scenario, ScenarioFile};
use super::parameters::Parameters;
use super::source::{Place, Placed};
use super::steps::{Action, Always, Apply, Conditions, Expect, ForEach, Machines, OperatorStep, Step, StepFile};
use super::suggest;
use crate::expression::{Expression, scope};
use bmc_emulator::FleetSpec;
use serde_json::Value;
use std::collections::BTreeSet;

/// States a `when` can wait for.
const SERVER_STATES: [&str; 8] = [
    "Initial",
    "Discovery",
    "Available",
    "Reserved",
    "Cleanup",
    "Released",
    "Error",
    "Parked",
];

pub(super) fn check(
    file: ScenarioFile,
    script: &Script,
    parameters: Parameters,
    mistakes: &mut Mistakes<'_>,
) -> Scenario {
    if file.name.value != script.name {
        mistakes.add(
            file.name.place,
            format!(
                "the scenario is called `{}`, its file `{}`",
                file.name.value, script.name
            ),
            "differs from the file's name",
            Some(format!("write `name: {}` or rename the file", script.name)),
        );
    }
    let mut checker = Checker {
        machines: machine_names(&file.fleet),
        mistakes,
    };
    let steps = file.steps.into_iter().filter_map(|step| checker.step(step)).collect();
    Scenario {
        name: file.name.value,
        description: file.description.trim().to_owned(),
        file: script.file.clone(),
        requires: file.requires,
        parameters,
        fleet: file.fleet,
        operator: file.operator,
        steps,
    }
}

/// Names of all machines of a fleet, as the emulator makes them from templates.
pub(crate) fn machine_names(fleet: &FleetSpec) -> BTreeSet<String> {
    fleet
        .machines
        .iter()
        .flat_map(|machine| match machine.count {
            None => vec![machine.name.clone()],
            Some(count) if machine.name.contains("{index}") => (0..count)
                .map(|index| machine.name.replace("{index}", &index.to_string()))
                .collect(),
            Some(count) => (0..count).map(|index| format!("{}-{index}", machine.name)).collect(),
        })
        .collect()
}

struct Checker<'a, 'b> {
    machines: BTreeSet<String>,
    mistakes: &'a mut Mistakes<'b>,
}

impl Checker<'_, '_> {
    fn step(&mut self, step: Placed<StepFile>) -> Option<Step> {
        let Placed { value, place } = step;
        let name = value.name.clone();
        let mut actions = value.actions();
        if actions.len() != 1 {
            self.mistakes.add(
                place,
                format!("a step does exactly one thing, this one {}", actions.len()),
                "one of: register, apply, delete, patch, annotate, label, expect, assert, always, inject, clearFaults, machine, operator, wait",
                Some("begin a new list item for each".to_owned()),
            );
            return None;
        }
        let action = actions.pop()?;
        self.action(&action, place);
        let title = name.unwrap_or_else(|| super::summary::of(&action));
        Some(Step { title, place, action })
    }

    fn action(&mut self, action: &Action, place: Place) {
        match action {
            Action::Register(register) => self.machines(&register.machines),
            Action::Apply(apply) => self.apply(apply),
            Action::Delete(delete) => {
                self.kind(&delete.kind);
                self.text(&delete.name, delete.for_each.as_ref());
            }
            Action::Patch(patch) => {
                self.kind(&patch.kind);
                self.text(&patch.name, patch.for_each.as_ref());
                self.references(&patch.merge, patch.for_each.as_ref());
            }
            Action::Annotate(annotate) => {
                self.kind(&annotate.kind);
                self.text(&annotate.name, annotate.for_each.as_ref());
            }
            Action::Label(label) => {
                self.kind(&label.kind);
                self.text(&label.name, label.for_each.as_ref());
            }
            Action::Expect(expect) => self.expect(expect, place),
            Action::Assert(expect) => {
                if expect.within.is_some() || expect.holds_for.is_some() {
                    self.mistakes.add(
                        place,
                        "`assert` looks once and cannot wait",
                        "has `within` or `holdsFor`",
                        Some("use `expect` to wait".to_owned()),
                    );
                }
                self.expect(expect, place);
            }
            Action::Always(always) => self.always(always),
            Action::Inject(inject) => self.machines(&inject.machines),
            Action::ClearFaults(clear) => self.machines(&clear.machines),
            Action::Machine(machine) => self.machines(&machine.machines),
            Action::Operator(operator) => self.operator(operator),
            Action::Wait(_) => {}
        }
    }

    fn apply(&mut self, apply: &Apply) {
        for manifest in &apply.manifests {
            let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
            match text("/kind") {
                None => self
                    .mistakes
                    .add(manifest.place, "a manifest needs a `kind`", "this one has none", None),
                Some(kind) => {
                    let kind = Placed {
                        value: kind.to_owned(),
                        place: manifest.place,
                    };
                    if let Some(known) = self.kind(&kind)
                        && text("/apiVersion") != Some(&known.api_version())
                    {
                        self.mistakes.add(
                            manifest.place,
                            format!("the apiVersion of {} is `{}`", known.kind, known.api_version()),
                            "another apiVersion, or none",
                            None,
                        );
                    }
                }
            }
            if text("/metadata/name").is_none() {
                self.mistakes.add(
                    manifest.place,
                    "a manifest needs a `metadata.name`",
                    "this one has none",
                    None,
                );
            }
            self.references(manifest, apply.for_each.as_ref());
        }
    }

    fn expect(&mut self, expect: &Expect, place: Place) {
        let variables: &[&str] = match &expect.kind {
            None => {
                if expect.name.is_some() || expect.count.is_some() || !expect.labels.is_empty() {
                    self.mistakes.add(
                        place,
                        "`name`, `labels` and `count` select objects of a kind",
                        "has no `kind`",
                        Some("add `kind`, for example `kind: Server`".to_owned()),
                    );
                }
                if expect.that.0.is_empty() {
                    self.mistakes.add(place, "nothing is expected", "needs `that`", None);
                }
                &scope::WORLD
            }
            Some(kind) => {
                if self.kind(kind).is_some_and(|known| known.kind == "Server") {
                    &scope::SERVER
                } else {
                    &scope::OBJECT
                }
            }
        };
        if expect.name.is_some() && expect.count.is_some_and(|count| count > 1) {
            self.mistakes.add(
                place,
                "one name never stands for several objects",
                "`count` with `name`",
                None,
            );
        }
        self.conditions(&expect.that, variables);
    }

    fn always(&mut self, always: &Always) {
        self.kind(&always.kind);
        self.conditions(&always.that, &scope::CHANGE);
    }

    fn operator(&mut self, operator: &OperatorStep) {
        if let Some(when) = &operator.when
            && !SERVER_STATES.contains(&when.enters.as_str())
        {
            self.mistakes.add(
                when.enters.place,
                format!("no server ever enters `{}`", when.enters.value),
                "not a server state",
                Some(suggest::hint(&when.enters, SERVER_STATES)),
            );
        }
    }

    fn conditions(&mut self, conditions: &Conditions, variables: &[&str]) {
        for condition in &conditions.0 {
            match Expression::compile(condition) {
                Err(error) => self.mistakes.add(
                    condition.place,
                    format!("this is not a CEL expression: {error}"),
                    "cannot be parsed",
                    None,
                ),
                Ok(expression) => {
                    for unknown in expression.undeclared(variables) {
                        self.mistakes.add(
                            condition.place,
                            format!("the expression reads `{unknown}`, which does not exist here"),
                            format!("no variable `{unknown}`"),
                            Some(suggest::hint(&unknown, variables.iter().copied())),
                        );
                    }
                }
            }
        }
    }

    fn kind(&mut self, kind: &Placed<String>) -> Option<KnownKind> {
        let known = kinds::find(kind);
        if known.is_none() {
            self.mistakes.add(
                kind.place,
                format!("unknown kind `{}`", kind.value),
                "no such kind",
                Some(suggest::hint(kind, kinds::ALL.iter().map(|known| known.kind))),
            );
        }
        known
    }

    fn machines(&mut self, machines: &Placed<Machines>) {
        let Machines::Named(names) = &machines.value else {
            return;
        };
        for name in names.iter().filter(|name| !self.machines.contains(*name)) {
            self.mistakes.add(
                machines.place,
                format!("there is no machine `{name}` in the fleet"),
                "not in the fleet",
                Some(suggest::hint(name, self.machines.iter().map(String::as_str))),
            );
        }
    }

    fn references(&mut self, value: &Placed<Value>, for_each: Option<&Placed<ForEach>>) {
        let variables = self.variables(for_each);
        if let Err(name) = expand(value, &variables) {
            self.unknown_reference(value.place, &name, &variables);
        }
    }

    fn text(&mut self, text: &Placed<String>, for_each: Option<&Placed<ForEach>>) {
        let variables = self.variables(for_each);
        if let Err(name) = expand_string(text, &variables) {
            self.unknown_reference(text.place, &name, &variables);
        }
    }

    fn unknown_reference(&mut self, place: Place, name: &str, variables: &Variables) {
        self.mistakes.add(
            place,
            format!("nothing is called `${{{name}}}` here"),
            format!("`${{{name}}}` stands for nothing"),
            Some(suggest::hint(name, variables.keys().map(String::as_str))),
        );
    }

    /// What `${…}` may name in a step with this `forEach`; the values do not matter here.
    fn variables(&mut self, for_each: Option<&Placed<ForEach>>) -> Variables {
        let Some(for_each) = for_each else {
            return Variables::new();
        };
        if for_each.machines.is_some() == for_each.range.is_some() {
            self.mistakes.add(
                for_each.place,
                "`forEach` goes over machines or over a range",
                "needs either `machines` or `range`",
                None,
            );
        }
        let mut names = vec![INDEX];
        if let Some(machines) = &for_each.machines {
            self.machines(machines);
            names.extend(MACHINE_VARIABLES);
        }
        names
            .into_iter()
            .map(|name| (name.to_owned(), Value::from(0)))
            .collect()
    }
}
