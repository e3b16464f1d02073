//! Messages of the ResourceEvent registry (DSP8013).

use super::message::{Template, templates};

pub(super) const ID: &str = "ResourceEvent.1.3";

templates! {
    CREATED: "ResourceCreated", 0, "OK", "The resource was created successfully.", "None.";
    REMOVED: "ResourceRemoved", 0, "OK", "The resource was removed successfully.", "None.";
    CHANGED: "ResourceChanged", 0, "OK", "One or more resource properties have changed.", "None.";
    STATE_CHANGED: "ResourceStateChanged", 2, "OK", "The state of resource '%1' has changed to %2.", "None.";
    ERRORS_DETECTED: "ResourceErrorsDetected", 2, "Warning",
        "The resource property '%1' has detected errors of type '%2'.",
        "Resolution dependent upon error type.";
    TEST: "TestMessage", 0, "OK", "Test message.", "None.";
}
