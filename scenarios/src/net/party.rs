//! Who talks to whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One end of a connection: `operator-1`, `api`, `bmc/node-3`, `machines`, `boot`, `registry`, `user`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party(Arc<str>);

impl Party {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Whether this is an instance of the operator.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.starts_with(OPERATOR)
    }

    /// Whether this is the BMC of a machine.
    pub(super) fn is_bmc(&self) -> bool {
        self.0.starts_with("bmc/")
    }
}

/// Instances of the operator are called this and a number.
const OPERATOR: &str = "operator-";

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Parties by name; one that ends in `*` stands for all that begin like it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Parties(pub String);

impl Parties {
    #[must_use]
    pub fn include(&self, party: &Party) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => party.0.starts_with(beginning),
            None => *self.0 == *party.0,
        }
    }
}

impl From<&str> for Parties {
    fn from(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let operator = Party::new("operator-12");
        for (pattern, included) in [
            ("*", true),
            ("operator-*", true),
            ("operator-1", false),
            ("operator-12", true),
        ] {
            assert_eq!(Parties::from(pattern).include(&operator), included, "{pattern}");
        }
    }
}
