//! The time axis of a scenario.

use crate::report::model::Millis;
use crate::report::words::length;
use serde::Serialize;

/// Labelled ticks at most; more would run into each other on a narrow screen.
const TICKS: u64 = 12;
/// Ticks between two labelled ones get their label when the timeline is zoomed.
const FINE_TICKS: u64 = 60;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances people can count in.
const STEPS: [u64; 29] = [
    1,
    5,
    10,
    50,
    100,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    50 * DAY,
    100 * DAY,
    1000 * DAY,
];

/// From zero to the last moment of a scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    end: u64,
}

/// A place on the axis, in percent of its length.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(super) struct Percent(pub(super) f64);

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Tick {
    pub(super) left: Percent,
    pub(super) label: String,
    /// Shown only when there is room.
    pub(super) fine: bool,
}

impl Axis {
    pub(super) fn until(Millis(end): Millis) -> Self {
        // An axis has a length even if nothing took any time.
        Self { end: end.max(1) }
    }

    /// Two decimals are less than a pixel of a page no screen is as wide as.
    pub(super) fn place(self, Millis(at): Millis) -> Percent {
        Percent((at.min(self.end) as f64 / self.end as f64 * 10_000.0).round() / 100.0)
    }

    pub(super) fn ticks(self) -> Vec<Tick> {
        let coarse = self.step(TICKS);
        // Fine ticks must include the coarse ones.
        let fine = STEPS
            .into_iter()
            .find(|step| self.end / step <= FINE_TICKS && coarse.is_multiple_of(*step))
            .unwrap_or(coarse);
        (0..=self.end / fine)
            .map(|index| index * fine)
            .map(|at| Tick {
                left: self.place(Millis(at)),
                label: length(Millis(at)),
                fine: at % coarse != 0,
            })
            .collect()
    }

    fn step(self, at_most: u64) -> u64 {
        STEPS
            .into_iter()
            .find(|step| self.end / step <= at_most)
            .unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (end, expected) in [
            (0, "0 s|1 ms"),
            (
                900,
                "0 s|100 ms|200 ms|300 ms|400 ms|500 ms|600 ms|700 ms|800 ms|900 ms",
            ),
            (47_000, "0 s|5 s|10 s|15 s|20 s|25 s|30 s|35 s|40 s|45 s"),
            (20 * MINUTE, "0 s|2 m|4 m|6 m|8 m|10 m|12 m|14 m|16 m|18 m|20 m"),
            (
                100 * HOUR,
                "0 s|12 h|24 h|36 h|2 d 00 h|2 d 12 h|3 d 00 h|3 d 12 h|4 d 00 h",
            ),
        ] {
            let ticks = Axis::until(Millis(end)).ticks();
            let coarse: Vec<_> = ticks
                .iter()
                .filter(|tick| !tick.fine)
                .map(|tick| tick.label.as_str())
                .collect();
            assert_eq!(coarse.join("|"), expected, "{end}");
            assert!(ticks.len() <= FINE_TICKS as usize + 1);
        }
    }

    #[test]
    fn any_length_has_few_ticks() {
        for end in (0..60).map(|power| 1_u64 << power) {
            let ticks = Axis::until(Millis(end)).ticks();
            assert!(ticks.len() <= FINE_TICKS as usize + 1, "{end}");
            let coarse = ticks.iter().filter(|tick| !tick.fine).count() as u64;
            assert!((1..=TICKS + 1).contains(&coarse), "{end}");
        }
    }

    #[test]
    fn places_are_on_the_axis() {
        let axis = Axis::until(Millis(3000));
        assert_eq!(axis.place(Millis(1000)), Percent(33.33));
        assert_eq!(axis.place(Millis(9000)), Percent(100.0));
    }
}
