//! The operator asks the API server for nothing that its roles do not allow: on a real cluster it would be refused.

use super::{Breach, Invariant};

/// Judged where the request is made; here it is only counted against the scenario.
#[derive(Default)]
pub struct LeastPrivilege;

impl Invariant for LeastPrivilege {
    fn name(&self) -> &'static str {
        "the operator asks for nothing that its roles do not allow"
    }

    fn forbidden(&mut self, request: &str) -> Vec<Breach> {
        let message = format!(
            "the operator wanted to {request}, which no role allows; a controller that needs it has a line in \
             operator/src/permissions/table.rs (then `cargo xtask deploy`)"
        );
        vec![Breach::new(message, [])]
    }
}
