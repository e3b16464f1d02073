//! A scenario file as a whole.

use super::parameters::Parameters;
use super::source::Placed;
use super::steps::{Step, StepFile};
use bmc_emulator::FleetSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a world must be able to do for a scenario to mean anything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Machines can be switched on and off.
    Power,
    /// Machines boot from the network what their boot configuration says.
    NetworkBoot,
    /// Drives may be erased.
    Erase,
    /// The truth about a machine can be read: power, drive contents, BMC sessions.
    Inspect,
    /// Faults can be injected into machines and BMCs.
    Faults,
    /// The operator process can be crashed, stopped and started.
    OperatorControl,
    /// What only the operator may write can be written by others, who act as another operator: no admission policy is installed.
    OtherOperators,
    /// Time is virtual: an hour costs nothing.
    VirtualTime,
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Power => "power",
            Self::NetworkBoot => "network-boot",
            Self::Erase => "erase",
            Self::Inspect => "inspect",
            Self::Faults => "faults",
            Self::OperatorControl => "operator-control",
            Self::OtherOperators => "other-operators",
            Self::VirtualTime => "virtual-time",
        })
    }
}

/// A scenario: a fleet of machines, and what happens to it step by step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Scenario")]
pub struct ScenarioFile {
    /// The name of the file without `.yaml`.
    pub name: Placed<String>,
    /// What is shown, in one or two sentences.
    pub description: String,
    /// What the world must offer; elsewhere the scenario is skipped, saying why.
    #[serde(default)]
    pub requires: BTreeSet<Capability>,
    /// Defaults of what the command line may change. `${name}` stands for the value anywhere in this file.
    #[serde(default)]
    pub parameters: BTreeMap<String, Scalar>,
    pub fleet: FleetSpec,
    #[serde(default)]
    pub operator: OperatorSpec,
    pub steps: Vec<Placed<StepFile>>,
}

/// How the operator is started.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OperatorSpec {
    /// Command line options without the leading dashes. Durations are scenario time: a world that runs faster than real
    /// hardware divides them.
    pub options: BTreeMap<String, Scalar>,
    /// MAC prefix database, for scenarios that start from Endpoints.
    pub mac_prefixes: Vec<MacPrefix>,
    /// Whether BMCs send events to the operator.
    pub events: bool,
}

impl OperatorSpec {
    /// The options as arguments, with durations divided by `time_scale`.
    pub fn arguments(&self, time_scale: f64) -> Vec<String> {
        self.options
            .iter()
            .map(|(name, value)| match value.0.parse::<jiff::SignedDuration>() {
                Ok(duration) => {
                    // Below a few milliseconds an interval is a busy loop, however fast the machines are.
                    let milliseconds = (duration.as_secs_f64() * 1000.0 / time_scale).max(5.0);
                    format!("--{name}={milliseconds:.0}ms")
                }
                Err(_) => format!("--{name}={}", value.0),
            })
            .collect()
    }

    /// Makes operators elect a leader, unless the script has said how.
    pub fn elect(&mut self) {
        let options = [
            ("leader-elect", "true"),
            // Twice as long as by default, because every renewal is simulated.
            ("leader-elect-lease-duration", "30s"),
            ("leader-elect-renew-deadline", "20s"),
            ("leader-elect-retry-period", "5s"),
        ];
        for (option, value) in options {
            let option = self.options.entry(option.to_owned());
            option.or_insert_with(|| Scalar(value.to_owned()));
        }
    }

    /// The MAC prefix database as the operator reads it (contract section 8.2); `None` without entries.
    pub fn mac_prefix_file(&self) -> Option<String> {
        let file = BTreeMap::from([("macPrefixes", &self.mac_prefixes)]);
        (!self.mac_prefixes.is_empty()).then(|| serde_saphyr::to_string(&file).expect("plain data"))
    }
}

/// An entry of the MAC prefix database (contract section 8.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MacPrefix {
    /// Without colons.
    pub mac_prefix: String,
    pub manufacturer: String,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_scheme: Option<String>,
    pub port: u16,
    #[serde(rename = "type")]
    pub type_: String,
    pub default_credentials: Vec<Credentials>,
    pub console: Console,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    #[serde(rename = "type")]
    pub type_: String,
    pub port: u16,
}

/// A text, number or truth value, kept as the text it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, number or truth value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean", "number"] })
    }
}

/// A scenario with its parameters bound, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub description: String,
    /// The file it was read from, as it was named.
    pub file: String,
    pub requires: BTreeSet<Capability>,
    pub parameters: Parameters,
    pub fleet: FleetSpec,
    pub operator: OperatorSpec,
    pub steps: Vec<Step>,
}

impl Scenario {
    /// What this scenario needs and a world with `offered` lacks.
    pub fn lacks(&self, offered: &BTreeSet<Capability>) -> Vec<Capability> {
        self.requires.difference(offered).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_among_operator_options_follow_the_time_scale() {
        let operator = OperatorSpec {
            options: BTreeMap::from([
                ("cleanup-timeout".into(), Scalar("1h30m".into())),
                ("enforce-power-off".into(), Scalar("true".into())),
                ("server-max-concurrent-reconciles".into(), Scalar("16".into())),
            ]),
            ..OperatorSpec::default()
        };
        assert_eq!(
            operator.arguments(100.0),
            [
                "--cleanup-timeout=54000ms",
                "--enforce-power-off=true",
                "--server-max-concurrent-reconciles=16"
            ]
        );
        assert_eq!(operator.arguments(1.0)[0], "--cleanup-timeout=5400000ms");
    }
}
