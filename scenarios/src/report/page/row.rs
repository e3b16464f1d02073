//! A server in a timeline: its states in front, and the lanes behind them.

use super::axis::Axis;
use super::blocks::Block;
use super::marks::{Mark, is_alert, marks};
use super::story::{self, Line};
use crate::report::model::{Marker, MarkerKind, ScenarioReport, ServerTimeline};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    id: String,
    name: String,
    machine: Option<String>,
    /// Something is wrong with it.
    pub(super) concerned: bool,
    pub(super) open: bool,
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

impl Row {
    /// The row of `server`, closed. `id` is that of the scenario on the page.
    pub(super) fn new(axis: Axis, scenario: &ScenarioReport, server: &ServerTimeline, id: &str) -> Self {
        let (mut alerts, doings): (Vec<Marker>, Vec<Marker>) =
            server.markers.iter().cloned().partition(|marker| is_alert(marker.kind));
        // The recorder does not know which servers a violation is about.
        alerts.extend(scenario.violations_of(server).map(|violation| Marker {
            at: violation.at,
            kind: MarkerKind::Violation,
            text: format!("{}: {}", violation.invariant, violation.message),
        }));
        alerts.sort_by_key(|marker| marker.at);
        Self {
            id: format!("{id}-{}", server.name),
            name: server.name.clone(),
            machine: server.machine.clone().filter(|machine| *machine != server.name),
            concerned: false,
            open: false,
            states: server.states.iter().map(|span| Block::of_state(axis, span)).collect(),
            lanes: lanes(axis, server),
            doings: marks(axis, &doings),
            story: story::tell(server, &alerts),
            alerts: marks(axis, &alerts),
        }
    }
}

fn lanes(axis: Axis, server: &ServerTimeline) -> Vec<Lane> {
    let claims = server.claims.iter().map(|span| Block::of_claim(axis, span));
    let power = server.power.iter().map(|span| Block::of_power(axis, span));
    let guests = server.guests.iter().map(|span| Block::of_guest(axis, span));
    [
        ("claim", claims.collect::<Vec<_>>()),
        ("power", power.collect()),
        ("runs", guests.collect()),
    ]
    .into_iter()
    .filter(|(_, blocks)| !blocks.is_empty())
    .map(|(name, blocks)| Lane { name, blocks })
    .collect()
}
