//! Markers as they are drawn: those of one kind that would lie on each other become one, with a number.

use super::axis::{Axis, Percent};
use crate::report::model::{Marker, MarkerKind};
use crate::report::words::moment;
use serde::Serialize;

/// Markers nearer than this share of the axis cannot be told apart when the whole axis is on the screen.
const NEAR: f64 = 0.6;
/// Lines of a tooltip; the story of the server has them all.
const TOLD: usize = 8;

/// One symbol on a lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Mark {
    pub(super) left: Percent,
    /// Names the symbol and its colour.
    pub(super) kind: String,
    pub(super) count: usize,
    pub(super) tip: String,
}

/// What a kind of marker is called in legends and stories.
pub(super) fn word(kind: MarkerKind) -> &'static str {
    match kind {
        MarkerKind::Violation => "violation",
        MarkerKind::Fault => "fault",
        MarkerKind::Crash => "operator crash",
        MarkerKind::Stop => "operator stop",
        MarkerKind::Start => "operator start",
        MarkerKind::Boot => "boot",
        MarkerKind::Write => "drive write",
        MarkerKind::Erase => "drive erasure",
        MarkerKind::Event => "warning",
        MarkerKind::Operation => "reset",
    }
}

/// What must not be overlooked, and therefore stands with the states of a server instead of with the doings of its machine.
pub(super) fn is_alert(kind: MarkerKind) -> bool {
    matches!(kind, MarkerKind::Violation | MarkerKind::Fault | MarkerKind::Event)
}

/// The symbols for `markers`, which are in order of time. The gravest is drawn last, on top.
pub(super) fn marks<'a>(axis: Axis, markers: impl IntoIterator<Item = &'a Marker>) -> Vec<Mark> {
    let mut groups: Vec<(Percent, Vec<&Marker>)> = Vec::new();
    for marker in markers {
        let left = axis.place(marker.at);
        let near = groups
            .iter_mut()
            .rfind(|(_, group)| group[0].kind == marker.kind)
            .filter(|(start, _)| left.0 - start.0 < NEAR);
        match near {
            Some((_, group)) => group.push(marker),
            None => groups.push((left, vec![marker])),
        }
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group[0].kind));
    groups
        .into_iter()
        .map(|(left, group)| Mark {
            left,
            kind: format!("{:?}", group[0].kind).to_lowercase(),
            count: group.len(),
            tip: tip(&group),
        })
        .collect()
}

fn tip(group: &[&Marker]) -> String {
    let mut lines: Vec<String> = group
        .iter()
        .take(TOLD)
        .map(|marker| format!("{} {}: {}", moment(marker.at), word(marker.kind), marker.text))
        .collect();
    if group.len() > TOLD {
        lines.push(format!("and {} more", group.len() - TOLD));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Millis;

    #[test]
    fn what_lies_on_each_other_becomes_one_and_the_gravest_is_on_top() {
        let marker = |at, kind, text: &str| Marker {
            at: Millis(at),
            kind,
            text: text.to_owned(),
        };
        let mut markers = vec![
            marker(0, MarkerKind::Violation, "two holders"),
            marker(1, MarkerKind::Fault, "503"),
            marker(2, MarkerKind::Boot, "network"),
            marker(3, MarkerKind::Fault, "timeout"),
        ];
        markers.extend((0..10).map(|at| marker(500 + at / 2, MarkerKind::Event, "again")));
        let drawn = marks(Axis::until(Millis(1000)), &markers);
        let shown: Vec<_> = drawn
            .iter()
            .map(|mark| (mark.kind.as_str(), mark.left.0, mark.count))
            .collect();
        assert_eq!(
            shown,
            [
                ("event", 50.0, 10),
                ("boot", 0.2, 1),
                ("fault", 0.1, 2),
                ("violation", 0.0, 1)
            ]
        );
        assert_eq!(drawn[2].tip, "0:00.001 fault: 503\n0:00.003 fault: timeout");
        assert!(drawn[0].tip.ends_with("\nand 2 more"));
    }
}
