//! What a scenario does and expects, one type per step.

use super::source::{Place, Placed};
use bmc_emulator::{AdminAction, Fault};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One step: exactly one of the fields besides `name` is set.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Step", extend("minProperties" = 1, "maxProperties" = 2))]
pub struct StepFile {
    /// What the step is for, as the report shows it. Default: a summary of what it does.
    pub name: Option<String>,
    /// Makes machines known to the operator: credentials, and a BMC, an Endpoint or a Server.
    pub register: Option<Register>,
    /// Creates or updates objects, as `kubectl apply` does.
    pub apply: Option<Apply>,
    /// Deletes objects; a missing one is an error.
    pub delete: Option<Delete>,
    /// Merge patch of one object.
    pub patch: Option<Patch>,
    /// Sets or removes annotations.
    pub annotate: Option<Annotate>,
    /// Sets or removes labels.
    pub label: Option<Label>,
    /// Waits until something is true.
    pub expect: Option<Expect>,
    /// Looks once: it is true now.
    pub assert: Option<Expect>,
    /// From here on it is true at every change of an object.
    pub always: Option<Always>,
    /// Makes something go wrong with machines from now on.
    pub inject: Option<Inject>,
    /// Ends all faults of machines.
    pub clear_faults: Option<ClearFaults>,
    /// Does to machines what someone standing in front of them could do.
    pub machine: Option<MachineStep>,
    /// Crashes, stops or starts the operator.
    pub operator: Option<OperatorStep>,
    /// Lets scenario time pass.
    pub wait: Option<ScenarioDuration>,
}

/// A checked step.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: String,
    pub place: Place,
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    Register(Register),
    Apply(Apply),
    Delete(Delete),
    Patch(Patch),
    Annotate(Annotate),
    Label(Label),
    Expect(Expect),
    Assert(Expect),
    Always(Always),
    Inject(Inject),
    ClearFaults(ClearFaults),
    Machine(MachineStep),
    Operator(OperatorStep),
    Wait(ScenarioDuration),
}

impl Action {
    /// The key of the script.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Apply(_) => "apply",
            Self::Delete(_) => "delete",
            Self::Patch(_) => "patch",
            Self::Annotate(_) => "annotate",
            Self::Label(_) => "label",
            Self::Expect(_) => "expect",
            Self::Assert(_) => "assert",
            Self::Always(_) => "always",
            Self::Inject(_) => "inject",
            Self::ClearFaults(_) => "clearFaults",
            Self::Machine(_) => "machine",
            Self::Operator(_) => "operator",
            Self::Wait(_) => "wait",
        }
    }
}

impl StepFile {
    /// The actions this step names; a correct step names one.
    pub(super) fn actions(self) -> Vec<Action> {
        [
            self.register.map(Action::Register),
            self.apply.map(Action::Apply),
            self.delete.map(Action::Delete),
            self.patch.map(Action::Patch),
            self.annotate.map(Action::Annotate),
            self.label.map(Action::Label),
            self.expect.map(Action::Expect),
            self.assert.map(Action::Assert),
            self.always.map(Action::Always),
            self.inject.map(Action::Inject),
            self.clear_faults.map(Action::ClearFaults),
            self.machine.map(Action::Machine),
            self.operator.map(Action::Operator),
            self.wait.map(Action::Wait),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Machines of the fleet: `all`, or a list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machines {
    All,
    Named(Vec<String>),
}

/// How the operator learns of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegisterVia {
    /// BMCSecret and BMC, both named like the machine.
    #[default]
    Bmc,
    /// An Endpoint named like the machine; credentials come from the MAC prefix database.
    Endpoint,
    /// A BMCSecret named like the machine, and a Server with its own access to the BMC, named as if a BMC had made it. There is no BMC object.
    Server,
}

/// Which credentials the BMCSecret gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegisterCredentials {
    #[default]
    Right,
    Wrong,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Register {
    pub machines: Placed<Machines>,
    #[serde(default)]
    pub via: RegisterVia,
    #[serde(default)]
    pub credentials: RegisterCredentials,
}

/// Repeats a step, with `${machine.name}`, `${machine.server}` (name of its Server), `${machine.systemUUID}`, `${machine.address}`,
/// `${machine.port}`, `${machine.mac}` or only `${index}` (from 0) in it. Either `machines` or `range`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ForEach {
    pub machines: Option<Placed<Machines>>,
    /// Rounds with `${index}` from 0.
    pub range: Option<u32>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apply {
    #[serde(default)]
    pub for_each: Option<Placed<ForEach>>,
    /// Complete objects with apiVersion, kind and metadata. An owner reference without `uid` gets that of the object it names.
    pub manifests: Vec<Placed<Value>>,
    /// Stores the status of the manifests, too, as a controller does that has made them.
    #[serde(default)]
    pub status: bool,
    /// Who is said to have done it (`managedFields`). Default: the scenario.
    #[serde(default)]
    pub field_manager: Option<String>,
}

/// One object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delete {
    #[serde(default)]
    pub for_each: Option<Placed<ForEach>>,
    pub kind: Placed<String>,
    /// Default: `default`, for namespaced kinds.
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: Placed<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    #[serde(default)]
    pub for_each: Option<Placed<ForEach>>,
    pub kind: Placed<String>,
    /// Default: `default`, for namespaced kinds.
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: Placed<String>,
    /// Patches the status instead of the object.
    #[serde(default)]
    pub status: bool,
    /// RFC 7386. Of a status, conditions of other types stay.
    pub merge: Placed<Value>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Annotate {
    #[serde(default)]
    pub for_each: Option<Placed<ForEach>>,
    pub kind: Placed<String>,
    /// Default: `default`, for namespaced kinds.
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: Placed<String>,
    /// `null` removes.
    pub annotations: BTreeMap<String, Option<String>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Label {
    #[serde(default)]
    pub for_each: Option<Placed<ForEach>>,
    pub kind: Placed<String>,
    /// Default: `default`, for namespaced kinds.
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: Placed<String>,
    /// `null` removes.
    pub labels: BTreeMap<String, Option<String>>,
}

/// Something about objects of one kind, or about the world as a whole.
///
/// With `kind`, `that` is about `object` (and, for a Server, `machine`: the truth about its hardware). With `name` it must hold for
/// that object, with `count` for exactly so many objects, else for all there are, and at least one.
/// Without `kind`, `that` is about `servers`, `claims`, `bmcs`, `bootConfigurations` and `machines` (maps by name) and `events` (a list).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub kind: Option<Placed<String>>,
    /// Default: any namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub name: Option<Placed<String>>,
    /// Only objects with these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many objects fulfil `that`.
    #[serde(default)]
    pub count: Option<usize>,
    /// CEL, one expression or a list of which all must be true. An expression that reads a missing field is not true.
    #[serde(default)]
    pub that: Conditions,
    /// Deadline in scenario time. Default: 10m.
    #[serde(default)]
    pub within: Option<ScenarioDuration>,
    /// Once true, it stays true for so long.
    #[serde(default)]
    pub holds_for: Option<ScenarioDuration>,
}

/// Something that is true at every change of an object, from this step on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Always {
    pub kind: Placed<String>,
    #[serde(default)]
    pub name: Option<String>,
    /// CEL about `object` and `previous` (null for a new object). An expression that reads a missing field is not true.
    pub that: Conditions,
}

/// CEL expressions that must all be true.
#[derive(Clone, Debug, Default)]
pub struct Conditions(pub Vec<Placed<String>>);

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inject {
    pub machines: Placed<Machines>,
    pub fault: Fault,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClearFaults {
    pub machines: Placed<Machines>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineStep {
    pub machines: Placed<Machines>,
    pub action: AdminAction,
}

/// What is done to the operator process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperatorVerb {
    /// It disappears between two instructions: nothing is finished, nothing is closed.
    Crash,
    /// It ends in an orderly way.
    Stop,
    /// A new instance with empty caches.
    Start,
    /// Crash, then start.
    Restart,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorStep {
    pub action: OperatorVerb,
    /// Waits for this moment first. Moments count from the one the previous `when` waited for, so that none is missed between
    /// two steps.
    #[serde(default)]
    pub when: Option<Placed<When>>,
    /// How long to wait for the moment, in scenario time. Default: 10m.
    #[serde(default)]
    pub within: Option<ScenarioDuration>,
}

/// The moment in which a server's state is first stored.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct When {
    /// Name of the Server. Default: any.
    #[serde(default)]
    pub server: Option<String>,
    pub enters: Placed<String>,
}

/// A duration of scenario time, written as in Go flags: `90s`, `10m`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScenarioDuration(pub Duration);

impl fmt::Display for ScenarioDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = jiff::SignedDuration::try_from(self.0).map_err(|_| fmt::Error)?;
        write!(formatter, "{duration:#}")
    }
}

impl Serialize for ScenarioDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScenarioDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::invalid_value(de::Unexpected::Str(&text), &"a duration such as 90s, 10m or 1h30m");
        let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        duration.try_into().map(Self).map_err(|_| wrong())
    }
}

impl JsonSchema for ScenarioDuration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["90s", "10m", "1h30m"] })
    }
}

impl<'de> Deserialize<'de> for Machines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Machines;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`all` or a list of machine names")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Machines, E> {
                match value {
                    "all" => Ok(Machines::All),
                    name => Ok(Machines::Named(vec![name.to_owned()])),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Machines, A::Error> {
                let mut named = Vec::new();
                while let Some(name) = names.next_element()? {
                    named.push(name);
                }
                Ok(Machines::Named(named))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Machines {
    fn schema_name() -> Cow<'static, str> {
        "Machines".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`all`, the name of one machine, or a list of names.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        enum Raw {
            One(String),
            Many(Vec<Placed<String>>),
        }
        impl<'de> Deserialize<'de> for Raw {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> de::Visitor<'de> for Visitor {
                    type Value = Raw;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("a CEL expression or a list of them")
                    }
                    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                        Ok(Raw::One(value.to_owned()))
                    }
                    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                        Ok(Raw::One(value.to_string()))
                    }
                    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
                        let mut many = Vec::new();
                        while let Some(item) = items.next_element()? {
                            many.push(item);
                        }
                        Ok(Raw::Many(many))
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
        let Placed { value, place } = Placed::<Raw>::deserialize(deserializer)?;
        Ok(Self(match value {
            Raw::One(value) => vec![Placed { value, place }],
            Raw::Many(many) => many,
        }))
    }
}

impl JsonSchema for Conditions {
    fn schema_name() -> Cow<'static, str> {
        "Conditions".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A CEL expression, or a list of which all must be true.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}
