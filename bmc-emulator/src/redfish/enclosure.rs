//! Several systems behind one BMC. Each is a machine of its own; the BMC is that of the first one, and whoever asks for a part of the tree
//! that another system has gets it from there.

use std::mem;
use std::sync::MutexGuard;

use super::context::{Answer, Context};
use crate::machine::Machine;

/// The machines behind a BMC, without the one that has it.
pub(crate) trait Others {
    fn count(&self) -> usize;
    /// `index` is below the count.
    fn get(&mut self, index: usize) -> &mut Machine;
}

impl Others for Vec<MutexGuard<'_, Machine>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&mut self, index: usize) -> &mut Machine {
        &mut self[index]
    }
}

/// Whose part of the tree this is, if it is one of the others'.
pub(super) fn owner(cx: &mut Context<'_>, segments: &[&str]) -> Option<usize> {
    let has: &dyn Fn(&Machine) -> bool = match segments {
        ["redfish", "v1", "Systems", id, ..] => &|machine| machine.position.system_id == *id,
        ["redfish", "v1", "Chassis", id, ..] => &|machine| machine.position.chassis_id == *id,
        ["redfish", "v1", "TaskService", "Tasks" | "TaskMonitors", id, ..]
        | ["redfish", "v1", "JobService", "Jobs", id, ..]
        | ["redfish", "v1", "Managers", _, "Oem", "Dell", "Jobs", id, ..] => {
            &|machine| machine.redfish.tasks.get(id).is_some()
        }
        _ => return None,
    };
    (0..cx.others.count()).find(|index| has(cx.others.get(*index)))
}

/// Lets one of the others answer.
pub(super) fn answered_by(
    cx: &mut Context<'_>,
    index: usize,
    answer: impl FnOnce(&mut Context<'_>) -> Answer,
) -> Answer {
    mem::swap(cx.machine, cx.others.get(index));
    let answered = answer(cx);
    mem::swap(cx.machine, cx.others.get(index));
    answered
}

impl Context<'_> {
    /// One of each machine behind the BMC.
    pub(super) fn of_all<T>(&mut self, one: impl Fn(&Machine) -> T) -> Vec<T> {
        let mut all = vec![one(self.machine)];
        all.extend((0..self.others.count()).map(|index| one(self.others.get(index))));
        all
    }

    /// Of all machines behind the BMC.
    pub(super) fn task_ids(&mut self) -> Vec<String> {
        self.of_all(|machine| machine.redfish.tasks.ids()).concat()
    }
}

impl Machine {
    pub(super) fn system_uri(&self) -> String {
        format!("/redfish/v1/Systems/{}", self.position.system_id)
    }

    pub(super) fn chassis_uri(&self) -> String {
        format!("/redfish/v1/Chassis/{}", self.position.chassis_id)
    }
}
