//! Every event that the operator writes. Notes are made where things happen; reason, action and severity stand here.

/// Severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Normal,
    Warning,
}

/// A kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// The kind of the object it is about.
    pub about: &'static str,
    pub severity: Severity,
    pub reason: &'static str,
    pub action: &'static str,
    /// Whether the same may happen again and again: then it is one event with a growing count.
    pub recurs: bool,
    /// When it is written.
    pub when: &'static str,
}

macro_rules! table {
    ($($name:ident: $about:literal, $severity:ident, $reason:literal, $action:literal, $recurs:literal, $when:literal;)*) => {
        $(
            #[doc = $when]
            pub const $name: Told = Told {
                about: $about,
                severity: Severity::$severity,
                reason: $reason,
                action: $action,
                recurs: $recurs,
                when: $when,
            };
        )*
        /// All of them, for documentation and tests.
        pub const ALL: &[&Told] = &[$(&$name),*];
    };
}

table! {
    STATE_CHANGED: "Server", Normal, "StateChanged", "ChangeState", false, "the state has changed; once for each pair of states in a tenancy";
    FAILED: "Server", Warning, "StateChanged", "ChangeState", false, "the state has become Error";
    CLEANUP_FAILED: "Server", Warning, "CleanupFailed", "Cleanup", false, "a machine could not be cleaned, and why";
    PARKED: "Server", Normal, "Parked", "PowerOff", false, "the machine is off, and the parked marker written";
    PARK_DEFERRED: "Server", Warning, "ParkDeferred", "DeferPark", false, "park was asked for in a state in which nothing can be parked";
    UNPARKING: "Server", Normal, "Unparking", "Unpark", false, "the parked marker was removed";
    RESUMED: "Server", Normal, "Resumed", "Resume", false, "the state has left Parked";
    PARKED_OPERATION_DROPPED: "Server", Warning, "ParkedOperationDropped", "ClearOperationAnnotation", false, "a reset was asked for while others have the machine";
    OPERATION_REFUSED: "Server", Warning, "OperationRefused", "ClearOperationAnnotation", false, "an operation was asked for that the machine, or its state, does not allow";
    UNSUPPORTED_OPERATION: "Server", Warning, "UnsupportedOperation", "ClearOperationAnnotation", false, "an operation was asked for that a Server does not know";
    BMC_UNSUPPORTED_OPERATION: "BMC", Warning, "UnsupportedOperation", "ClearOperationAnnotation", false, "an operation was asked for that a BMC does not know";
    BMC_NOT_READY: "BMC", Warning, "NotReady", "Connect", true, "the BMC cannot be used any more, or for another reason; as condition Ready";
    BMC_READY: "BMC", Normal, "Ready", "Connect", true, "the BMC can be used again";
    ACCOUNT_REFUSED: "BMCUser", Warning, "AccountRefused", "SetAccount", true, "the BMC does not take the account, or its password";
    MAINTENANCE_BEGAN: "ServerMaintenance", Normal, "MaintenanceBegan", "BeginMaintenance", false, "the maintenance has its server";
    BOUND: "ServerClaim", Normal, "Bound", "Bind", false, "a server was bound to the claim";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation() {
        let rows: Vec<String> = ALL
            .iter()
            .map(|told| {
                format!(
                    "| {} | {:?} | `{}` | `{}` | {}{} |",
                    told.about,
                    told.severity,
                    told.reason,
                    told.action,
                    told.when,
                    if told.recurs { "; counted" } else { "" }
                )
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"));
    }
}
