//! Messages of the TaskEvent registry (DSP8013).

use super::message::{Template, templates};

pub(super) const ID: &str = "TaskEvent.1.0";

templates! {
    COMPLETED_OK: "TaskCompletedOK", 1, "OK", "The task with Id '%1' has completed.", "None.";
    ABORTED: "TaskAborted", 1, "Critical", "The task with Id '%1' has been aborted.", "None.";
}
