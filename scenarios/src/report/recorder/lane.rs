//! What is common to lanes: values that hold from one moment to another, and markers.

use crate::report::model::{Marker, MarkerKind, Millis};
use crate::report::words::moment;

/// Markers of one lane that are kept; more cannot be read.
const KEPT_MARKERS: usize = 400;

/// Something that holds from one moment until it is replaced or ends.
#[derive(Clone, Debug)]
pub(super) struct Spans<T> {
    closed: Vec<(T, Millis, Millis)>,
    open: Option<(T, Millis)>,
}

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self {
            closed: Vec::new(),
            open: None,
        }
    }
}

impl<T: Clone> Spans<T> {
    /// What holds now.
    pub(super) fn current(&mut self) -> Option<&mut T> {
        self.open.as_mut().map(|(value, _)| value)
    }

    /// From now on `value` holds.
    pub(super) fn begin(&mut self, at: Millis, value: T) {
        self.end(at);
        self.open = Some((value, at));
    }

    /// From now on nothing holds.
    pub(super) fn end(&mut self, at: Millis) {
        if let Some((value, from)) = self.open.take() {
            // Machines and the cluster tell their times independently, so one may seem to be a moment early.
            self.closed.push((value, from, at.max(from)));
        }
    }

    /// All spans; what holds still, holds until `end`.
    pub(super) fn until(&self, end: Millis) -> impl Iterator<Item = (&T, Millis, Millis)> {
        let closed = self.closed.iter().map(|(value, from, to)| (value, *from, *to));
        let open = self
            .open
            .iter()
            .map(move |(value, from)| (value, *from, end.max(*from)));
        closed.chain(open)
    }
}

/// The markers of one lane. Repetitions of the same thing become one marker.
#[derive(Clone, Debug, Default)]
pub(super) struct Markers {
    kept: Vec<Repeated>,
    pub(super) left_out: u64,
}

#[derive(Clone, Debug)]
struct Repeated {
    kind: MarkerKind,
    text: String,
    first: Millis,
    last: Millis,
    times: u64,
}

impl Markers {
    pub(super) fn add(&mut self, at: Millis, kind: MarkerKind, text: String) {
        // A fault fires at every retry: what repeats without anything else in between is one thing.
        if let Some(previous) = self.kept.last_mut()
            && previous.kind == kind
            && previous.text == text
        {
            previous.last = at;
            previous.times += 1;
        } else if self.kept.len() < KEPT_MARKERS {
            self.kept.push(Repeated {
                kind,
                text,
                first: at,
                last: at,
                times: 1,
            });
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn finish(&self) -> Vec<Marker> {
        self.kept
            .iter()
            .map(
                |Repeated {
                     kind,
                     text,
                     first,
                     last,
                     times,
                 }| Marker {
                    at: *first,
                    kind: *kind,
                    text: match times {
                        1 => text.clone(),
                        _ => format!("{text} ({times} times until {})", moment(*last)),
                    },
                },
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_follow_each_other_and_never_run_backwards() {
        let mut spans = Spans::default();
        spans.begin(Millis(5), "a");
        spans.begin(Millis(3), "b");
        spans.end(Millis(9));
        spans.begin(Millis(12), "c");
        let all: Vec<_> = spans.until(Millis(20)).collect();
        assert_eq!(
            all,
            [
                (&"a", Millis(5), Millis(5)),
                (&"b", Millis(3), Millis(9)),
                (&"c", Millis(12), Millis(20))
            ]
        );
    }

    #[test]
    fn repetitions_become_one_marker_and_a_flood_is_counted() {
        let mut markers = Markers::default();
        for at in 0..3 {
            markers.add(Millis(at * 1000), MarkerKind::Fault, "login refused".to_owned());
        }
        for at in 0..500 {
            markers.add(Millis(at), MarkerKind::Boot, format!("boot {at}"));
        }
        let kept = markers.finish();
        assert_eq!(kept[0].text, "login refused (3 times until 0:02.000)");
        assert_eq!(kept[0].at, Millis(0));
        assert_eq!(kept.len(), KEPT_MARKERS);
        assert_eq!(markers.left_out, 101);
    }
}
