//! Faults of a fleet file: from the beginning, in every machine whose name matches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, glob};

/// A fault, and the machines that have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetFault {
    /// Names of machines; `*` stands for any text. Absent: all machines.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub machines: String,
    pub fault: Fault,
}

fn all() -> String {
    "*".to_owned()
}

fn is_all(pattern: &str) -> bool {
    pattern == "*"
}

impl FleetFault {
    pub(crate) fn concerns(&self, machine: &str) -> bool {
        glob::matches(&self.machines, machine)
    }
}
