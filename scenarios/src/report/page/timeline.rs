//! What happened to every server, as positions on the time axis.

use super::axis::{Axis, Percent, Tick};
use super::marks::{Mark, is_alert, marks, word};
use super::story::{self, Line};
use crate::report::model::{Marker, MarkerKind, Millis, ScenarioReport, ServerTimeline, StepOutcome};
use crate::report::words::{length, moment};
use serde::Serialize;
use std::collections::BTreeSet;

/// Lanes of this many servers are open from the start; of more, only those something is wrong with.
const OPEN: usize = 3;
/// Servers that are in sight without opening anything, if nothing is wrong with any of them.
const IN_SIGHT: usize = 12;
/// Servers that are drawn at all. A page with thousands helps nobody; `report.json` has them.
const DRAWN: usize = 250;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TimelineView {
    ticks: Vec<Tick>,
    /// What concerns all servers, drawn across all lanes.
    lines: Vec<Mark>,
    operator: Vec<Mark>,
    steps: Vec<Block>,
    in_sight: Vec<Row>,
    folded: Vec<Row>,
    left_out: usize,
    /// The kinds of markers that occur, with their names, for the legend.
    kinds: Vec<(String, &'static str)>,
    /// The states that occur, with their classes, for the legend.
    states: Vec<(&'static str, String)>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    id: String,
    name: String,
    machine: Option<String>,
    /// Something is wrong with it.
    concerned: bool,
    open: bool,
    alerts: Vec<Mark>,
    states: Vec<Block>,
    lanes: Vec<Lane>,
    doings: Vec<Mark>,
    story: Vec<Line>,
}

/// Spans of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Lane {
    name: &'static str,
    blocks: Vec<Block>,
}

/// A span.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Block {
    left: Percent,
    width: Percent,
    class: &'static str,
    label: String,
    tip: String,
}

impl TimelineView {
    /// The timelines of `scenario`. `id` is unique on the page.
    pub(super) fn new(scenario: &ScenarioReport, id: &str) -> Self {
        let axis = Axis::until(end(scenario));
        let concerned = scenario.concerned_servers();
        let (mut first, mut rest): (Vec<_>, Vec<_>) = scenario
            .servers
            .iter()
            .partition(|server| concerned.contains(server.name.as_str()));
        let drawn: usize = DRAWN.max(first.len());
        let left_out = scenario.servers.len().saturating_sub(drawn);
        rest.truncate(drawn - first.len());
        let room = IN_SIGHT.saturating_sub(first.len()).min(rest.len());
        // A fold of one or two rows would only hide them.
        let room = if rest.len() - room <= 2 { rest.len() } else { room };
        let folded = rest.split_off(room);
        first.append(&mut rest);
        let open = scenario.servers.len() <= OPEN;
        let row = |server: &&ServerTimeline| {
            let concerned = concerned.contains(server.name.as_str());
            row(axis, scenario, server, concerned, open || concerned, id)
        };
        Self {
            ticks: axis.ticks(),
            lines: marks(axis, scenario.markers.iter().filter(|marker| is_line(marker.kind))),
            operator: marks(axis, &scenario.markers),
            steps: steps(axis, scenario),
            in_sight: first.iter().map(row).collect(),
            folded: folded.iter().map(row).collect(),
            left_out,
            kinds: kinds(scenario),
            states: states(scenario),
        }
    }
}

/// The last moment anything is known of.
fn end(scenario: &ScenarioReport) -> Millis {
    let of_servers = scenario.servers.iter().flat_map(|server| {
        let states = server.states.iter().map(|span| span.to);
        let power = server.power.iter().map(|span| span.to);
        states.chain(power).chain(server.markers.iter().map(|marker| marker.at))
    });
    of_servers
        .chain(scenario.markers.iter().map(|marker| marker.at))
        .fold(scenario.duration, Millis::max)
}

fn is_line(kind: MarkerKind) -> bool {
    matches!(kind, MarkerKind::Violation | MarkerKind::Crash)
}

fn row(axis: Axis, scenario: &ScenarioReport, server: &ServerTimeline, concerned: bool, open: bool, id: &str) -> Row {
    let mut alerts: Vec<Marker> = server
        .markers
        .iter()
        .filter(|marker| is_alert(marker.kind))
        .cloned()
        .collect();
    alerts.extend(scenario.violations_of(server).map(|violation| Marker {
        at: violation.at,
        kind: MarkerKind::Violation,
        text: format!("{}: {}", violation.invariant, violation.message),
    }));
    alerts.sort_by_key(|marker| marker.at);
    let doings = server.markers.iter().filter(|marker| !is_alert(marker.kind));
    Row {
        id: format!("{id}-{}", server.name),
        name: server.name.clone(),
        machine: server.machine.clone().filter(|machine| *machine != server.name),
        concerned,
        open,
        states: server
            .states
            .iter()
            .map(|span| {
                let reason = span
                    .reason
                    .as_ref()
                    .map(|reason| format!("\n{reason}"))
                    .unwrap_or_default();
                block(
                    axis,
                    (span.from, span.to),
                    state_class(&span.state),
                    &span.state,
                    &reason,
                )
            })
            .collect(),
        lanes: lanes(axis, server),
        doings: marks(axis, doings),
        story: story::tell(server, &alerts),
        alerts: marks(axis, &alerts),
    }
}

fn lanes(axis: Axis, server: &ServerTimeline) -> Vec<Lane> {
    let claims = server.claims.iter().map(|span| {
        let epoch = span
            .epoch
            .map(|epoch| format!("\ntenancy epoch {epoch}"))
            .unwrap_or_default();
        block(axis, (span.from, span.to), "claim", &span.claim, &epoch)
    });
    let power = server
        .power
        .iter()
        .map(|span| block(axis, (span.from, span.to), power_class(&span.state), &span.state, ""));
    let guests = server.guests.iter().map(|span| {
        let ended = span
            .ended
            .as_ref()
            .map(|why| format!("\nended: {why}"))
            .unwrap_or_default();
        block(
            axis,
            (span.from, span.to),
            guest_class(&span.guest),
            &span.guest,
            &ended,
        )
    });
    let lanes = [
        ("claim", claims.collect::<Vec<_>>()),
        ("power", power.collect()),
        ("runs", guests.collect()),
    ];
    lanes
        .into_iter()
        .filter(|(_, blocks)| !blocks.is_empty())
        .map(|(name, blocks)| Lane { name, blocks })
        .collect()
}

fn steps(axis: Axis, scenario: &ScenarioReport) -> Vec<Block> {
    scenario
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| {
            let (from, Millis(lasted)) = (step.started?, step.duration?);
            let class = match step.outcome {
                StepOutcome::Passed => "passed",
                StepOutcome::Failed { .. } => "failed",
                StepOutcome::NotReached => return None,
            };
            let tip = format!("\n{}: {}", step.kind, step.title);
            let number = (index + 1).to_string();
            Some(block(
                axis,
                (from, Millis(from.0.saturating_add(lasted))),
                class,
                &number,
                &tip,
            ))
        })
        .collect()
}

fn block(axis: Axis, (from, to): (Millis, Millis), class: &'static str, label: &str, more: &str) -> Block {
    let (left, right) = (axis.place(from), axis.place(to));
    let lasted = length(Millis(to.0.saturating_sub(from.0)));
    Block {
        left,
        // Subtracting brings back the digits that rounding took away.
        width: Percent(((right.0 - left.0) * 100.0).round() / 100.0),
        class,
        label: label.to_owned(),
        tip: format!("{label}\n{} – {} ({lasted}){more}", moment(from), moment(to)),
    }
}

/// A class of the style sheet; one for everything it does not know.
fn state_class(state: &str) -> &'static str {
    match state {
        "Initial" => "initial",
        "Discovery" => "discovery",
        "Available" => "available",
        "Reserved" => "reserved",
        "Cleanup" => "cleanup",
        "Released" => "released",
        "Error" => "error",
        "Parked" => "parked",
        _ => "unknown",
    }
}

fn power_class(state: &str) -> &'static str {
    match state {
        "On" => "on",
        "Off" => "off",
        _ => "changing",
    }
}

/// What came over the network is ours (probe, wipe agent, installer) or asked for by the tenant; what is on a drive is the tenant's.
fn guest_class(guest: &str) -> &'static str {
    match guest.split_once(':').map_or(guest, |(device, _)| device) {
        "network" => "network",
        "drive" => "drive",
        _ => "guest",
    }
}

fn kinds(scenario: &ScenarioReport) -> Vec<(String, &'static str)> {
    let of_servers = scenario.servers.iter().flat_map(|server| &server.markers);
    let mut kinds: BTreeSet<MarkerKind> = scenario
        .markers
        .iter()
        .chain(of_servers)
        .map(|marker| marker.kind)
        .collect();
    if !scenario.violations.is_empty() {
        kinds.insert(MarkerKind::Violation);
    }
    kinds
        .into_iter()
        .map(|kind| (format!("{kind:?}").to_lowercase(), word(kind)))
        .collect()
}

fn states(scenario: &ScenarioReport) -> Vec<(&'static str, String)> {
    let mut states = Vec::new();
    for span in scenario.servers.iter().flat_map(|server| &server.states) {
        let entry = (state_class(&span.state), span.state.clone());
        if !states.contains(&entry) {
            states.push(entry);
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn concerned_servers_come_first_and_many_others_are_folded() {
        let mut scenario = sample::failed();
        let model = scenario.servers[0].clone();
        for number in 10..400 {
            scenario.servers.insert(
                0,
                ServerTimeline {
                    name: format!("other-{number}"),
                    machine: None,
                    claims: Vec::new(),
                    ..model.clone()
                },
            );
        }
        let concerned = scenario.concerned_servers().len();
        let view = TimelineView::new(&scenario, "s1");
        assert!(view.in_sight[..concerned].iter().all(|row| row.concerned && row.open));
        assert!(view.in_sight[concerned..].iter().all(|row| !row.concerned && !row.open));
        assert_eq!(view.in_sight.len(), IN_SIGHT);
        assert_eq!(view.in_sight.len() + view.folded.len(), DRAWN);
        assert_eq!(view.left_out, scenario.servers.len() - DRAWN);
    }

    #[test]
    fn few_servers_are_neither_folded_nor_closed() {
        let mut scenario = sample::passed();
        scenario.servers = vec![scenario.servers[0].clone(); OPEN];
        let view = TimelineView::new(&scenario, "s1");
        assert!(view.folded.is_empty());
        assert!(view.in_sight.iter().all(|row| row.open));
        scenario.servers = vec![scenario.servers[0].clone(); IN_SIGHT + 2];
        assert!(TimelineView::new(&scenario, "s1").folded.is_empty());
    }
}
