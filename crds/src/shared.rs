//! Types used by several kinds (contract section 1.1).

use crate::open_enum::open_enum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of an object in the same namespace, or of a cluster-scoped object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LocalObjectReference {
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub name: String,
}

impl LocalObjectReference {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ObjectReference {
    pub namespace: String,
    pub name: String,
}

/// How to reach a management controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Protocol {
    pub name: ProtocolName,
    pub port: i32,
    /// `http` or `https`; the operator's default where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

open_enum! {
    /// Out-of-band protocol spoken to a BMC.
    ProtocolName {
        /// Redfish with vendor dispatch.
        Redfish = "Redfish",
        /// Redfish without vendor dispatch.
        RedfishLocal = "RedfishLocal",
        /// As `RedfishLocal`; upstream's client also fakes a probe registration, ours never does.
        RedfishWithRegistryPatch = "RedfishWithRegistryPatch",
        Ipmi = "IPMI",
        Ssh = "SSH",
    }
}

open_enum! {
    /// Wanted or observed power of a machine.
    Power {
        On = "On",
        Off = "Off",
        Paused = "Paused",
        PoweringOn = "PoweringOn",
        PoweringOff = "PoweringOff",
        Unknown = "Unknown",
    }
}

/// What a taint does to claims that do not tolerate it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// No new claim is bound.
    #[default]
    NoBind,
    /// As `NoBind`; and a claim that has the server already is asked to leave it. Nothing is taken away from it.
    Evict,
}

/// Keeps claims away from a server unless they tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taint {
    #[schemars(length(min = 1))]
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default)]
    #[schemars(extend("default" = "NoBind"))]
    pub effect: TaintEffect,
}

/// As kubectl writes taints: `key=value:Effect`.
impl std::fmt::Display for Taint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.key)?;
        if let Some(value) = self.value.as_deref().filter(|value| !value.is_empty()) {
            write!(formatter, "={value}")?;
        }
        write!(formatter, ":{:?}", self.effect)
    }
}

/// How a toleration compares values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    #[default]
    Equal,
    Exists,
}

/// Lets a claim be bound to servers with a matching taint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Toleration {
    #[schemars(length(min = 1))]
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Contract section 3.5: key equal, effect empty or equal, `Exists` ignores the value.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.key == taint.key
            && self.effect.is_none_or(|effect| effect == taint.effect)
            && match self.operator.unwrap_or_default() {
                TolerationOperator::Exists => true,
                TolerationOperator::Equal => {
                    self.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
                }
            }
    }
}

/// SMBIOS / Redfish UUID of a system. Vendors differ in case (bugs.md 77), so it is lower case from the moment it is parsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, JsonSchema)]
#[schemars(with = "String")]
pub struct SystemUuid(String);

impl SystemUuid {
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_ascii_lowercase())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// An empty UUID identifies nothing and must never match anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for SystemUuid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SystemUuid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: Option<&str>, effect: TaintEffect) -> Taint {
        Taint {
            key: key.into(),
            value: value.map(Into::into),
            effect,
        }
    }

    #[test]
    fn toleration_table() {
        let toleration = |operator, value: Option<&str>, effect| Toleration {
            key: "k".into(),
            operator,
            value: value.map(Into::into),
            effect,
        };
        let no_bind = taint("k", Some("v"), TaintEffect::NoBind);
        for (toleration, tolerated, expected) in [
            (toleration(None, Some("v"), None), &no_bind, true),
            (toleration(None, None, None), &no_bind, false),
            (toleration(Some(TolerationOperator::Exists), None, None), &no_bind, true),
            (
                toleration(Some(TolerationOperator::Exists), None, Some(TaintEffect::Evict)),
                &no_bind,
                false,
            ),
            (
                toleration(Some(TolerationOperator::Equal), Some("w"), None),
                &no_bind,
                false,
            ),
            (
                toleration(None, None, None),
                &taint("k", None, TaintEffect::NoBind),
                true,
            ),
            (
                toleration(Some(TolerationOperator::Exists), None, None),
                &taint("other", None, TaintEffect::NoBind),
                false,
            ),
        ] {
            assert_eq!(
                toleration.tolerates(tolerated),
                expected,
                "{toleration:?} against {tolerated:?}"
            );
        }
    }

    #[test]
    fn unknown_power_survives_a_round_trip() {
        let power: Power = serde_json::from_str("\"Deep Sleep\"").unwrap();
        assert_eq!(power, Power::Other("Deep Sleep".into()));
        assert_eq!(serde_json::to_string(&power).unwrap(), "\"Deep Sleep\"");
    }

    #[test]
    fn system_uuid_has_one_spelling() {
        assert_eq!(
            SystemUuid::new("38947555-7742-3448-3784-82334782383A"),
            SystemUuid::new("38947555-7742-3448-3784-82334782383a")
        );
    }
}
