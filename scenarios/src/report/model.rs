//! The data of a report. Everything in it is safe to publish: secrets are blacked out before they get here, and no field can hold a
//! Secret or BMCSecret object.
//!
//! Times are offsets in scenario time ([`Millis`]) since the [start](ScenarioReport::started_at) of the scenario: a run at
//! `--time-scale 100` and a simulation of the same scenario show the same axis.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Milliseconds of scenario time: since the start of the scenario, or as a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

/// One run of one or more scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Version of this repository's tools.
    pub version: String,
    /// What replays the run, for example `cargo xtask sim --seed 7 --servers 10`.
    pub command: String,
    /// In words: the cluster, the machines, the time.
    pub environment: String,
    pub seed: u64,
    pub mode: Mode,
    /// Scenario time is this many times as fast as the wall clock; 1 in virtual time, where the wall clock means nothing.
    pub time_scale: f64,
    /// When the run began, by the clock of the run. In virtual time that is the epoch of the simulation.
    pub started_at: Timestamp,
    /// How long the run took on the wall, for whoever waited; absent where no real clock is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<Millis>,
    pub scenarios: Vec<ScenarioReport>,
}

/// How time passes in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    RealTime,
    VirtualTime,
}

/// One scenario of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    pub name: String,
    pub description: String,
    /// Where the script is, relative to the repository.
    pub file: String,
    pub outcome: Outcome,
    pub seed: u64,
    pub parameters: BTreeMap<String, String>,
    /// The zero of every [`Millis`] below, by the clock of the run.
    pub started_at: Timestamp,
    /// In scenario time.
    pub duration: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<Millis>,
    pub steps: Vec<StepReport>,
    pub violations: Vec<Violation>,
    pub servers: Vec<ServerTimeline>,
    /// What concerns every server: crashes and starts of the operator.
    pub markers: Vec<Marker>,
    /// Kubernetes Events, in order.
    pub events: Vec<KubeEventLine>,
    pub statistics: Statistics,
    /// The end of the log, only of a scenario that did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
}

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result")]
pub enum Outcome {
    Passed,
    /// A step, the end of the scenario or an invariant was not as it should be.
    Failed(Failure),
    /// The world lacks what the scenario requires.
    Skipped {
        because: String,
    },
    /// The testbed itself failed; the scenario proves nothing.
    Broken {
        why: String,
    },
}

impl Outcome {
    /// The name of the variant.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed(_) => "Failed",
            Self::Skipped { .. } => "Skipped",
            Self::Broken { .. } => "Broken",
        }
    }

    /// Whether the run as a whole may still be called successful.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Passed | Self::Skipped { .. })
    }
}

/// Why a scenario failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// One sentence: what was expected and did not come.
    pub message: String,
    pub at: Millis,
    /// Title of the step; absent when an invariant or the end of the scenario failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    pub file: String,
    /// Line of the script, counted from 1; absent when no line is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What was not as it should be, one line each.
    pub details: Vec<String>,
    /// The objects it is about, as they were at that moment.
    pub objects: Vec<ObjectDump>,
}

impl Failure {
    /// `script.yaml:12`, as editors and terminals understand it.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// An object as a reader wants to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDump {
    /// `Kind name` or `Kind namespace/name`.
    pub object: String,
    pub yaml: String,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result")]
pub enum StepOutcome {
    Passed,
    Failed {
        message: String,
    },
    /// The scenario ended before.
    NotReached,
}

/// One step of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    pub title: String,
    /// The key of the script: `apply`, `expect`, `inject`, `power`, `operator`, `wait`, …
    pub kind: String,
    /// Line of the script, counted from 1.
    pub line: u64,
    pub outcome: StepOutcome,
    /// Absent when the step was not reached, like `duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Millis>,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    pub invariant: String,
    pub at: Millis,
    pub message: String,
    /// The event at which it was noticed, in words.
    pub event: String,
    /// `Kind name` or `Kind namespace/name`.
    pub objects: Vec<String>,
}

/// What happened to one server, and to the machine it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerTimeline {
    /// Name of the Server object; of the machine if no Server ever stood for it.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// `status.state` of the Server.
    pub states: Vec<StateSpan>,
    /// Who held the server.
    pub claims: Vec<ClaimSpan>,
    /// The real power of the machine, not what the Server says.
    pub power: Vec<PowerSpan>,
    /// What the machine executed.
    pub guests: Vec<GuestSpan>,
    pub markers: Vec<Marker>,
}

/// A Server was in this state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSpan {
    pub state: String,
    pub from: Millis,
    pub to: Millis,
    /// What the conditions of the Server said last while it was in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A claim held the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimSpan {
    /// `namespace/name`.
    pub claim: String,
    /// Tenancy epoch of the Server during that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    pub from: Millis,
    pub to: Millis,
}

/// The machine's power was so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerSpan {
    /// As Redfish names it: `On`, `Off`, `PoweringOn`, `PoweringOff`.
    pub state: String,
    pub from: Millis,
    pub to: Millis,
}

/// Something ran on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSpan {
    /// What it was booted from, or what it is.
    pub guest: String,
    pub from: Millis,
    pub to: Millis,
    /// Why it ended; absent if it ran to the end of the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub at: Millis,
    pub kind: MarkerKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkerKind {
    /// An invariant did not hold.
    Violation,
    /// A fault was injected, or showed.
    Fault,
    /// The operator disappeared between two instructions.
    Crash,
    /// The operator stopped in an orderly way.
    Stop,
    /// An operator with empty caches started.
    Start,
    /// The machine booted something, or failed to.
    Boot,
    /// A drive was written by whoever held the machine.
    Write,
    /// A drive was erased, or its erasure failed.
    Erase,
    /// A Kubernetes Event of type Warning.
    Event,
    /// A disruptive command reached the BMC: a reset of the system or of the BMC itself.
    Operation,
}

/// A Kubernetes Event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeEventLine {
    pub at: Millis,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: String,
    pub reason: String,
    /// `Kind name` or `Kind namespace/name`.
    pub regarding: String,
    pub note: String,
    /// How often it was seen, from the Event's series.
    pub count: u64,
}

/// How much happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Committed writes to the cluster, by kind.
    pub api_writes: BTreeMap<String, u64>,
    /// Requests BMCs answered, by HTTP status class (`2xx`, `4xx`, …).
    pub bmc_requests: BTreeMap<String, u64>,
    /// System reset commands BMCs accepted.
    pub resets: u64,
    pub bmc_resets: u64,
    pub boots: u64,
    pub failed_boots: u64,
    pub drives_erased: u64,
    pub failed_erasures: u64,
    /// BMC sessions that were opened.
    pub sessions: u64,
    pub failed_logins: u64,
    pub faults_fired: u64,
    pub operator_crashes: u64,
    pub kube_events: u64,
    pub log_lines: u64,
    /// Events and markers that happened but are not in this report, because a report is for reading.
    pub left_out: u64,
}

impl ScenarioReport {
    /// The servers a failure or a violation is about, by what its objects name: the Server itself, its machine, or a claim that held it.
    pub fn concerned_servers(&self) -> BTreeSet<&str> {
        let mut objects: BTreeSet<&str> = self
            .violations
            .iter()
            .flat_map(|violation| &violation.objects)
            .map(String::as_str)
            .collect();
        if let Outcome::Failed(failure) = &self.outcome {
            objects.extend(failure.objects.iter().map(|dump| dump.object.as_str()));
        }
        self.servers
            .iter()
            .filter(|server| server.is_named_by(&objects))
            .map(|server| server.name.as_str())
            .collect()
    }

    /// How many steps passed.
    pub fn passed_steps(&self) -> usize {
        let passed = |step: &&StepReport| step.outcome == StepOutcome::Passed;
        self.steps.iter().filter(passed).count()
    }

    /// Whether it is the violations that made it fail: then they say what the details of the failure say, and more.
    pub fn fails_by_violation(&self) -> bool {
        let Outcome::Failed(failure) = &self.outcome else {
            return false;
        };
        self.violations
            .iter()
            .any(|violation| failure.details.contains(&violation.message))
    }

    /// The violations that name `server`, its machine, or a claim it served.
    pub fn violations_of<'a>(&'a self, server: &'a ServerTimeline) -> impl Iterator<Item = &'a Violation> {
        self.violations
            .iter()
            .filter(|violation| server.is_named_by(&violation.objects.iter().map(String::as_str).collect()))
    }
}

impl ServerTimeline {
    /// Whether one of `objects` (`Kind name`) is this server, its machine, or a claim it served.
    fn is_named_by(&self, objects: &BTreeSet<&str>) -> bool {
        objects.iter().any(|object| match object.split_once(' ') {
            Some(("ServerClaim", claim)) => self.claims.iter().any(|span| span.claim == claim),
            Some((_, name)) => name == self.name || self.machine.as_deref() == Some(name),
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_name_servers_by_name_machine_or_claim() {
        let server = ServerTimeline {
            name: "node-1-system-0".to_owned(),
            machine: Some("node-1".to_owned()),
            claims: vec![ClaimSpan {
                claim: "default/db".to_owned(),
                epoch: None,
                from: Millis(0),
                to: Millis(1),
            }],
            ..ServerTimeline::default()
        };
        let table = [
            ("Server node-1-system-0", true),
            ("Machine node-1", true),
            ("BMC node-1", true),
            ("ServerClaim default/db", true),
            ("ServerClaim other/db", false),
            ("Server node-10", false),
            ("node-1", false),
        ];
        for (object, named) in table {
            assert_eq!(server.is_named_by(&BTreeSet::from([object])), named, "{object}");
        }
    }
}
