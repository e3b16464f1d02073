//! Spans as they are drawn: where, in which class of the style sheet, and what they say.

use super::axis::{Axis, Percent};
use crate::report::model::{ClaimSpan, GuestSpan, Millis, PowerSpan, StateSpan, StepOutcome, StepReport};
use crate::report::words::{length, moment};
use crds::ServerState;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Block {
    left: Percent,
    width: Percent,
    class: &'static str,
    label: String,
    tip: String,
}

impl Block {
    pub(super) fn of_state(axis: Axis, span: &StateSpan) -> Self {
        let reason = span.reason.as_ref().map(|reason| format!("\n{reason}"));
        let times = (span.from, span.to);
        Self::new(axis, times, state_class(&span.state), &span.state, reason)
    }

    pub(super) fn of_claim(axis: Axis, span: &ClaimSpan) -> Self {
        let epoch = span.epoch.map(|epoch| format!("\ntenancy epoch {epoch}"));
        Self::new(axis, (span.from, span.to), "claim", &span.claim, epoch)
    }

    pub(super) fn of_power(axis: Axis, span: &PowerSpan) -> Self {
        let class = match span.state.as_str() {
            "On" => "on",
            "Off" => "off",
            _ => "changing",
        };
        Self::new(axis, (span.from, span.to), class, &span.state, None)
    }

    pub(super) fn of_guest(axis: Axis, span: &GuestSpan) -> Self {
        let ended = span.ended.as_ref().map(|why| format!("\nended: {why}"));
        let times = (span.from, span.to);
        Self::new(axis, times, guest_class(&span.guest), &span.guest, ended)
    }

    /// The block of a step that was reached.
    pub(super) fn of_step(axis: Axis, number: usize, step: &StepReport) -> Option<Self> {
        let class = match step.outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed { .. } => "failed",
            StepOutcome::NotReached => return None,
        };
        let (from, Millis(lasted)) = (step.started?, step.duration?);
        let times = (from, Millis(from.0.saturating_add(lasted)));
        let what = Some(format!("\n{}: {}", step.kind, step.title));
        Some(Self::new(axis, times, class, &number.to_string(), what))
    }

    fn new(axis: Axis, (from, to): (Millis, Millis), class: &'static str, label: &str, more: Option<String>) -> Self {
        let (left, right) = (axis.place(from), axis.place(to));
        let lasted = length(Millis(to.0.saturating_sub(from.0)));
        Self {
            left,
            // Subtracting brings back the digits that rounding took away.
            width: Percent(((right.0 - left.0) * 100.0).round() / 100.0),
            class,
            label: label.to_owned(),
            tip: format!(
                "{label}\n{} – {} ({lasted}){}",
                moment(from),
                moment(to),
                more.unwrap_or_default()
            ),
        }
    }
}

pub(super) fn state_class(state: &str) -> &'static str {
    match ServerState::from(state) {
        ServerState::Initial => "initial",
        ServerState::Discovery => "discovery",
        ServerState::Available => "available",
        ServerState::Reserved => "reserved",
        ServerState::Cleanup => "cleanup",
        ServerState::Released => "released",
        ServerState::Error => "error",
        ServerState::Parked => "parked",
        ServerState::Maintenance => "maintenance",
        ServerState::Other(_) => "unknown",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_what_was_how_long_and_why() {
        let axis = Axis::until(Millis(90_000));
        let span = StateSpan {
            state: "Cleanup".to_owned(),
            from: Millis(30_000),
            to: Millis(60_000),
            reason: Some("wiping".to_owned()),
        };
        let block = Block::of_state(axis, &span);
        assert_eq!((block.left, block.width), (Percent(33.33), Percent(33.34)));
        assert_eq!(block.class, "cleanup");
        assert_eq!(block.tip, "Cleanup\n0:30.000 – 1:00.000 (30 s)\nwiping");
    }

    #[test]
    fn guests_are_told_apart_by_where_they_came_from() {
        for (guest, class) in [("network:eno1", "network"), ("drive:sda", "drive"), ("probe", "guest")] {
            assert_eq!(guest_class(guest), class);
        }
    }
}
