//! What happened in a scenario, as positions on the time axis: servers that something is wrong with first, a crowd of others folded.

use super::axis::{Axis, Tick};
use super::blocks::{Block, state_class};
use super::marks::{Mark, marks, word};
use super::row::Row;
use crate::report::model::{MarkerKind, Millis, ScenarioReport, ServerTimeline};
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
    /// Length of the axis.
    end: Millis,
    ticks: Vec<Tick>,
    /// What must not be overlooked on any lane, drawn across all of them.
    lines: Vec<Mark>,
    /// What concerns all servers.
    everywhere: Vec<Mark>,
    steps: Vec<Block>,
    in_sight: Vec<Row>,
    folded: Vec<Row>,
    left_out: usize,
    /// The kinds of markers that occur, with their names, for the legend.
    kinds: Vec<(String, &'static str)>,
    /// The states that occur, with their classes, for the legend.
    states: Vec<(&'static str, String)>,
}

impl TimelineView {
    /// The timelines of `scenario`. `id` is unique on the page.
    pub(super) fn new(scenario: &ScenarioReport, id: &str) -> Self {
        let end = end(scenario);
        let axis = Axis::until(end);
        let concerned = scenario.concerned_servers();
        let is_concerned = |server: &&ServerTimeline| concerned.contains(server.name.as_str());
        let (mut in_sight, mut rest): (Vec<_>, Vec<_>) = scenario.servers.iter().partition(is_concerned);
        let drawn = DRAWN.max(in_sight.len());
        rest.truncate(drawn - in_sight.len());
        let room = IN_SIGHT.saturating_sub(in_sight.len()).min(rest.len());
        // A fold of one or two rows would only hide them.
        let room = if rest.len() - room <= 2 { rest.len() } else { room };
        let folded = rest.split_off(room);
        in_sight.append(&mut rest);
        let row = |server: &ServerTimeline| {
            let mut row = Row::new(axis, scenario, server, id);
            row.concerned = is_concerned(&server);
            row.open = row.concerned || scenario.servers.len() <= OPEN;
            row
        };
        let steps = scenario.steps.iter().enumerate();
        Self {
            end,
            ticks: axis.ticks(),
            lines: marks(axis, scenario.markers.iter().filter(|marker| is_line(marker.kind))),
            everywhere: marks(axis, &scenario.markers),
            steps: steps
                .filter_map(|(index, step)| Block::of_step(axis, index + 1, step))
                .collect(),
            in_sight: in_sight.into_iter().map(row).collect(),
            folded: folded.into_iter().map(row).collect(),
            left_out: scenario.servers.len().saturating_sub(drawn),
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
