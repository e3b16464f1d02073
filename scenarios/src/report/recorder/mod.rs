//! Collects what a report shows while a scenario runs. Synchronous and pure: the same happenings give the same record.
//!
//! | module | subject |
//! |---|---|
//! | `server` | what happened to a Server object: states, claims, reasons |
//! | `machine` | what happened to a machine: power, guests, boots, drives, faults |
//! | `events` | Kubernetes Events |
//! | `lane` | spans and markers on one lane, merged and limited |

mod events;
mod lane;
mod machine;
mod server;

use super::model::{KubeEventLine, Marker, MarkerKind, Millis, ServerTimeline, Statistics};
use bmc_emulator::{MachineEvent, PowerState};
use events::Events;
use jiff::Timestamp;
use kube_emulator::{Commit, CommitEvent};
use lane::Markers;
use machine::MachineLane;
use server::ServerLane;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Lines of the log that are kept.
const KEPT_LOG_LINES: usize = 200;

/// Blacks out secret values in a text. Applied to every free text before it is kept.
pub type Redact<'a> = &'a dyn Fn(&str) -> String;

/// The record of one scenario while it runs.
pub struct Recorder {
    started_at: Timestamp,
    time_scale: f64,
    /// Machines by system UUID in lower case.
    machine_names: BTreeMap<String, String>,
    servers: BTreeMap<String, ServerLane>,
    machines: BTreeMap<String, MachineLane>,
    markers: Markers,
    events: Events,
    log: VecDeque<String>,
    statistics: Statistics,
}

/// What was recorded, for the fields of the same names in [`ScenarioReport`](super::ScenarioReport).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub servers: Vec<ServerTimeline>,
    pub markers: Vec<Marker>,
    pub events: Vec<KubeEventLine>,
    pub statistics: Statistics,
    pub log_tail: Vec<String>,
}

impl Recorder {
    /// A record that begins at `started_at` of the world's clock, in which scenario time passes `time_scale` times as fast as on that
    /// clock. `machines` are names and system UUIDs; that is how a Server finds its machine.
    pub fn new<'a>(
        started_at: Timestamp,
        time_scale: f64,
        machines: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let machine_names: BTreeMap<String, String> = machines
            .into_iter()
            .map(|(name, uuid)| (uuid.to_lowercase(), name.to_owned()))
            .collect();
        Self {
            started_at,
            time_scale,
            servers: BTreeMap::new(),
            machines: machine_names
                .values()
                .map(|name| (name.clone(), MachineLane::default()))
                .collect(),
            machine_names,
            markers: Markers::default(),
            events: Events::default(),
            log: VecDeque::new(),
            statistics: Statistics::default(),
        }
    }

    /// Scenario time between the start of the scenario and `at`; zero before the start.
    pub fn millis(&self, at: Timestamp) -> Millis {
        let nanoseconds = at.duration_since(self.started_at).as_nanos().max(0);
        // Millisecond ticks are exact in a float for centuries.
        Millis((nanoseconds as f64 * self.time_scale / 1e6).round() as u64)
    }

    /// The power of a machine before anything happened to it.
    pub fn power(&mut self, at: Timestamp, machine: &str, state: PowerState) {
        let at = self.millis(at);
        self.machine_lane(machine).power(at, state);
    }

    /// A write to the cluster.
    pub fn commit(&mut self, at: Timestamp, commit: &Commit, redact: Redact<'_>) {
        let at = self.millis(at);
        *self.statistics.api_writes.entry(commit.kind.clone()).or_default() += 1;
        match commit.kind.as_str() {
            "Server" => {
                let lane = self.servers.entry(commit.name.clone()).or_default();
                if commit.event == CommitEvent::Deleted {
                    lane.deleted(at);
                } else {
                    lane.changed(at, &commit.object, &self.machine_names, redact);
                }
            }
            "Event" if commit.event != CommitEvent::Deleted => {
                let Some(new) = self.events.changed(at, commit, redact) else {
                    return;
                };
                self.statistics.kube_events += 1;
                // A warning about a Server belongs on its lane; others are in the list.
                if new.type_ == "Warning"
                    && let Some(lane) = new
                        .regarding
                        .strip_prefix("Server ")
                        .and_then(|name| self.servers.get_mut(name))
                {
                    lane.markers
                        .add(at, MarkerKind::Event, format!("{}: {}", new.reason, new.note));
                }
            }
            _ => {}
        }
    }

    /// Something that happened to a machine, at the time the event names.
    pub fn machine(&mut self, event: &MachineEvent, redact: Redact<'_>) {
        let at = self.millis(event.at);
        machine::count(&event.kind, &mut self.statistics);
        self.machine_lane(&event.machine).happened(at, &event.kind, redact);
    }

    /// A line of the log.
    pub fn log(&mut self, line: &str, redact: Redact<'_>) {
        self.statistics.log_lines += 1;
        if self.log.len() == KEPT_LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(redact(line));
    }

    /// Something worth a marker that no event tells: an injected fault, a violation, a crash. Without a machine it concerns all of them.
    pub fn marker(&mut self, at: Timestamp, machine: Option<&str>, kind: MarkerKind, text: String) {
        let at = self.millis(at);
        if kind == MarkerKind::Crash {
            self.statistics.operator_crashes += 1;
        }
        match machine {
            Some(machine) => self.machine_lane(machine).markers.add(at, kind, text),
            None => self.markers.add(at, kind, text),
        }
    }

    fn machine_lane(&mut self, machine: &str) -> &mut MachineLane {
        self.machines.entry(machine.to_owned()).or_default()
    }

    /// The record up to `at`: a timeline per Server, and one per machine no Server ever stood for, in the order people count.
    pub fn finish(&self, at: Timestamp) -> Recorded {
        let end = self.millis(at);
        let mut statistics = self.statistics.clone();
        let mut servers: Vec<ServerTimeline> = self
            .servers
            .iter()
            .map(|(name, lane)| {
                let machine = lane.machine.as_ref().and_then(|name| self.machines.get(name));
                timeline(name, lane.machine.clone(), Some(lane), machine, end)
            })
            .collect();
        let accounted: BTreeSet<&String> = self.servers.values().filter_map(|lane| lane.machine.as_ref()).collect();
        let lonely = self.machines.iter().filter(|(name, _)| !accounted.contains(name));
        servers.extend(lonely.map(|(name, machine)| timeline(name, Some(name.clone()), None, Some(machine), end)));
        servers.sort_by_cached_key(|server| natural(&server.name));
        statistics.left_out += self.events.left_out + self.markers.left_out;
        statistics.left_out += self.servers.values().map(|lane| lane.markers.left_out).sum::<u64>();
        statistics.left_out += self.machines.values().map(|lane| lane.markers.left_out).sum::<u64>();
        Recorded {
            servers,
            markers: self.markers.finish(),
            events: self.events.finish(),
            statistics,
            log_tail: self.log.iter().cloned().collect(),
        }
    }
}

fn timeline(
    name: &str,
    machine_name: Option<String>,
    server: Option<&ServerLane>,
    machine: Option<&MachineLane>,
    end: Millis,
) -> ServerTimeline {
    let mut markers: Vec<Marker> = server.map(|lane| lane.markers.finish()).unwrap_or_default();
    markers.extend(machine.into_iter().flat_map(|lane| lane.markers.finish()));
    markers.sort_by_key(|marker| marker.at);
    ServerTimeline {
        name: name.to_owned(),
        machine: machine_name,
        states: server.map(|lane| lane.states(end)).unwrap_or_default(),
        claims: server.map(|lane| lane.claims(end)).unwrap_or_default(),
        power: machine.map(|lane| lane.powers(end)).unwrap_or_default(),
        guests: machine.map(|lane| lane.guests(end)).unwrap_or_default(),
        markers,
    }
}

/// A sort key in which `node-10` comes after `node-9`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        parts.push((word.to_owned(), tail[..end].parse().unwrap_or(u64::MAX)));
        rest = &tail[end..];
    }
    parts
}

#[cfg(test)]
mod tests;
