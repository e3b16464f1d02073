//! The timeline of one server as a list in order of time: for printing, for searching, for screen readers.

use super::marks::{is_alert, word};
use crate::report::model::{Marker, Millis, ServerTimeline};
use crate::report::words::length;
use serde::Serialize;

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) at: Millis,
    pub(super) subject: &'static str,
    pub(super) text: String,
    pub(super) alert: bool,
}

/// Everything about `server`. `alerts` are its markers of that sort, and what the scenario knows besides.
pub(super) fn tell(server: &ServerTimeline, alerts: &[Marker]) -> Vec<Line> {
    let line = |at, subject, text| Line {
        at,
        subject,
        text,
        alert: false,
    };
    let because = |why: &Option<String>| why.as_ref().map(|why| format!(" – {why}")).unwrap_or_default();
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(server.states.iter().map(|span| {
        let text = format!("{}{}{}", span.state, lasting(span.from, span.to), because(&span.reason));
        line(span.from, "state", text)
    }));
    lines.extend(server.claims.iter().map(|span| {
        let epoch = span.epoch.map(|epoch| format!(", epoch {epoch}")).unwrap_or_default();
        line(
            span.from,
            "claim",
            format!("{}{}{epoch}", span.claim, lasting(span.from, span.to)),
        )
    }));
    lines.extend(server.power.iter().map(|span| {
        line(
            span.from,
            "power",
            format!("{}{}", span.state, lasting(span.from, span.to)),
        )
    }));
    lines.extend(server.guests.iter().map(|span| {
        let text = format!("{}{}{}", span.guest, lasting(span.from, span.to), because(&span.ended));
        line(span.from, "runs", text)
    }));
    lines.extend(
        server
            .markers
            .iter()
            .filter(|marker| !is_alert(marker.kind))
            .map(|marker| line(marker.at, word(marker.kind), marker.text.clone())),
    );
    lines.extend(alerts.iter().map(|marker| Line {
        alert: true,
        ..line(marker.at, word(marker.kind), marker.text.clone())
    }));
    lines.sort_by_key(|line| line.at);
    lines
}

fn lasting(from: Millis, to: Millis) -> String {
    format!(" for {}", length(Millis(to.0.saturating_sub(from.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_story_is_told_in_order_of_time() {
        let scenario = sample::failed();
        let server = &scenario.servers[0];
        let alerts: Vec<Marker> = server
            .markers
            .iter()
            .filter(|marker| is_alert(marker.kind))
            .cloned()
            .collect();
        let told: Vec<String> = tell(server, &alerts)
            .iter()
            .map(|line| {
                format!(
                    "{:>7} {}{}: {}",
                    line.at.0,
                    if line.alert { "! " } else { "" },
                    line.subject,
                    line.text
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
