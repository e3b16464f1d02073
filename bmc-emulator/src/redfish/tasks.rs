//! Tasks: what takes longer than a request.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::identity;
use crate::machine::Moment;
use crate::personality::TaskStyle;

#[derive(Debug)]
pub(crate) struct Tasks {
    style: &'static TaskStyle,
    seed: u64,
    machine: String,
    created: u64,
    tasks: BTreeMap<String, Task>,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub name: String,
    /// The resource the task works on.
    pub target: String,
    /// With the wall clock of the BMC, right or wrong.
    pub started: Moment,
    /// How long it is going to take; absent: until the next POST.
    pub expected: Option<Duration>,
    pub ended: Option<Ended>,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub at: Moment,
    /// The message of a failure.
    pub outcome: Result<(), String>,
}

impl Task {
    /// `TaskState`.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.ended, self.expected) {
            (Some(Ended { outcome: Ok(()), .. }), _) => "Completed",
            (Some(Ended { outcome: Err(_), .. }), _) => "Exception",
            (None, Some(_)) => "Running",
            (None, None) => "Starting",
        }
    }

    pub(crate) fn percent_complete(&self, now: Instant) -> u32 {
        match (&self.ended, self.expected) {
            (Some(_), _) => 100,
            (None, None) => 0,
            (None, Some(expected)) if expected.is_zero() => 99,
            (None, Some(expected)) => {
                let share = now.saturating_duration_since(self.started.now).as_secs_f64() / expected.as_secs_f64();
                // Saturating by definition of `as`; a running task is never at 100.
                ((share * 100.0) as u32).min(99)
            }
        }
    }
}

/// Every system of an enclosure counts its tasks from another number, so that one list can hold them all.
const TASKS_OF_A_SYSTEM: u64 = 1_000_000;

impl Tasks {
    /// Of the machine with this number among those behind its BMC.
    pub(crate) fn new(style: &'static TaskStyle, machine: &str, number: u32, seed: u64) -> Self {
        Self {
            style,
            seed,
            machine: machine.to_owned(),
            created: u64::from(number) * TASKS_OF_A_SYSTEM,
            tasks: BTreeMap::new(),
        }
    }

    /// Starts a task and returns its id.
    pub(crate) fn start(&mut self, name: &str, target: String, expected: Option<Duration>, started: Moment) -> String {
        self.created += 1;
        let id = if self.style.job_ids {
            let bytes = identity::derive(self.seed, &[&self.machine, "job", &self.created.to_string()]);
            let digits: String = bytes.iter().take(12).map(|byte| char::from(b'0' + byte % 10)).collect();
            format!("JID_{digits}")
        } else {
            self.created.to_string()
        };
        let task = Task {
            name: name.to_owned(),
            target,
            started,
            expected,
            ended: None,
        };
        self.tasks.insert(id.clone(), task);
        id
    }

    /// Ends a task and returns its final state.
    pub(crate) fn finish(&mut self, id: &str, outcome: Result<(), String>, at: Moment) -> &'static str {
        match self.tasks.get_mut(id) {
            Some(task) => {
                task.ended = Some(Ended { at, outcome });
                task.state()
            }
            None => "Cancelled",
        }
    }

    /// What remains to be done, the next POST does.
    pub(crate) fn wait_for_post(&mut self, id: &str) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.expected = None;
        }
    }

    /// POST has begun: everything that waited for it is done. Returns the ids.
    pub(crate) fn finish_staged(&mut self, at: Moment) -> Vec<String> {
        let staged = self
            .tasks
            .iter_mut()
            .filter(|(_, task)| task.ended.is_none() && task.expected.is_none());
        staged
            .map(|(id, task)| {
                task.ended = Some(Ended { at, outcome: Ok(()) });
                id.clone()
            })
            .collect()
    }

    /// Forgets what ended too long ago. `kept_for` is already scaled.
    pub(super) fn forget(&mut self, now: Instant, kept_for: Duration) {
        self.tasks.retain(|_, task| match &task.ended {
            Some(ended) => now.saturating_duration_since(ended.at.now) < kept_for,
            None => true,
        });
    }

    /// Whether something is going to be done to `target` at the next POST.
    pub(super) fn is_waiting_for(&self, target: &str) -> bool {
        let mut tasks = self.tasks.values();
        tasks.any(|task| task.ended.is_none() && task.expected.is_none() && task.target == target)
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.tasks.remove(id);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.tasks.keys().cloned().collect()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    pub(crate) fn states(&self) -> BTreeMap<String, String> {
        self.tasks
            .iter()
            .map(|(id, task)| (id.clone(), task.state().to_owned()))
            .collect()
    }
}
