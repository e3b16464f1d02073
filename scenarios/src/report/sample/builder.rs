//! Lives of servers, as the recorder would tell them.

use crate::report::model::{
    ClaimSpan, GuestSpan, Marker, MarkerKind, Millis, Outcome, PowerSpan, ScenarioReport, ServerTimeline, StateSpan,
    Statistics, StepOutcome, StepReport,
};
use std::collections::BTreeMap;

pub(super) fn minutes(minutes: u64) -> Millis {
    Millis(minutes * 60_000)
}

/// A scenario in which nothing happened yet.
pub(super) fn scenario(name: &str) -> ScenarioReport {
    ScenarioReport {
        name: name.to_owned(),
        description: String::new(),
        file: format!("scenarios/scripts/{name}.yaml"),
        outcome: Outcome::Passed,
        seed: 7,
        parameters: BTreeMap::new(),
        started_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        duration: Millis(0),
        wall_time: Some(Millis(1_250)),
        steps: Vec::new(),
        violations: Vec::new(),
        servers: Vec::new(),
        markers: Vec::new(),
        events: Vec::new(),
        statistics: Statistics::default(),
        log_tail: Vec::new(),
    }
}

pub(super) fn step(title: &str, index: usize, outcome: StepOutcome, times: Option<(Millis, Millis)>) -> StepReport {
    StepReport {
        title: title.to_owned(),
        kind: if index == 0 { "register" } else { "expect" }.to_owned(),
        line: 20 + 7 * index as u64,
        outcome,
        started: times.map(|(from, _)| from),
        duration: times.map(|(from, to)| Millis(to.0 - from.0)),
    }
}

/// A server and its machine. Each method tells a chapter that begins at a moment.
pub(super) struct Machine(ServerTimeline);

impl Machine {
    pub(super) fn new(name: &str) -> Self {
        let mut machine = Self(ServerTimeline {
            name: format!("{name}-system-0"),
            machine: Some(name.to_owned()),
            ..ServerTimeline::default()
        });
        machine.power(Millis(0), "Off");
        machine.state(Millis(0), "Initial", "BMC=True (Connected)");
        machine
    }

    /// Boots the probe, and is offered after ten minutes.
    pub(super) fn discovered(&mut self, at: Millis) {
        self.state(at, "Discovery", "Discovered=False (Waiting): waits for the probe");
        self.boot(at, "network:eno1");
        let done = after(at, 10);
        self.off(done, "powered off");
        self.state(done, "Available", "Discovered=True (Registered)");
    }

    /// Serves a claim from its drive, until something else happens.
    pub(super) fn claimed(&mut self, at: Millis, claim: &str, epoch: i64) {
        self.state(at, "Reserved", "Bound=True (Bound)");
        self.0.claims.push(ClaimSpan {
            claim: claim.to_owned(),
            epoch: Some(epoch),
            from: at,
            to: Millis(u64::MAX),
        });
        self.boot(at, "network:eno1");
        let installed = after(at, 4);
        self.off(installed, "rebooted");
        self.boot(installed, "drive:nvme0n1");
        self.marker(after(at, 6), MarkerKind::Write, "nvme0n1: 2 records on it now");
    }

    /// Is released, wiped within fifteen minutes, and offered again.
    pub(super) fn wiped(&mut self, at: Millis) {
        self.released(at);
        self.marker(after(at, 9), MarkerKind::Erase, "nvme0n1 erased out of band");
        self.marker(after(at, 12), MarkerKind::Erase, "sda erased in band");
        self.off(after(at, 15), "powered off");
        self.state(after(at, 15), "Available", "Cleanup=True (Succeeded)");
    }

    /// Is released; one drive cannot be erased, and after three attempts an operator gone astray offers it all the same.
    pub(super) fn wipe_fails(&mut self, at: Millis) {
        self.released(at);
        self.marker(after(at, 3), MarkerKind::Fault, "injected: nvme1n1 fails to erase");
        for attempt in 0..3 {
            self.marker(
                after(at, 8 + attempt * 4),
                MarkerKind::Erase,
                "nvme1n1 not erased in band: input/output error",
            );
            self.marker(
                after(at, 8 + attempt * 4),
                MarkerKind::Event,
                "DriveNotErased: nvme1n1: input/output error",
            );
        }
        self.off(after(at, 20), "powered off");
        self.state(
            after(at, 20),
            "Error",
            "drive nvme1n1 could not be erased: input/output error",
        );
        self.state(after(at, 30), "Available", "Cleanup=True (Succeeded)");
    }

    /// Everything that holds still, holds until `end`.
    pub(super) fn finish(mut self, end: Millis) -> ServerTimeline {
        let server = &mut self.0;
        let ends = server.states.iter_mut().map(|span| &mut span.to);
        let ends = ends.chain(server.power.iter_mut().map(|span| &mut span.to));
        let ends = ends.chain(server.claims.iter_mut().map(|span| &mut span.to));
        for to in ends.chain(server.guests.iter_mut().map(|span| &mut span.to)) {
            *to = (*to).min(end);
        }
        server.markers.sort_by_key(|marker| marker.at);
        self.0
    }

    fn released(&mut self, at: Millis) {
        self.state(at, "Cleanup", "Cleanup=False (Wiping)");
        if let Some(claim) = self.0.claims.last_mut() {
            claim.to = at;
        }
        self.off(at, "power lost");
        self.boot(after(at, 1), "network:eno1");
    }

    fn boot(&mut self, at: Millis, guest: &str) {
        self.marker(at, MarkerKind::Operation, "reset On");
        self.power(at, "PoweringOn");
        let up = Millis(at.0 + 20_000);
        self.power(up, "On");
        self.marker(up, MarkerKind::Boot, &format!("boots by one-time override: {guest}"));
        self.0.guests.push(GuestSpan {
            guest: guest.to_owned(),
            from: after(at, 2),
            to: Millis(u64::MAX),
            ended: None,
        });
    }

    fn off(&mut self, at: Millis, why: &str) {
        if let Some(guest) = self.0.guests.last_mut() {
            guest.to = guest.to.min(at);
            guest.ended = Some(why.to_owned());
        }
        self.power(at, "Off");
    }

    fn state(&mut self, at: Millis, state: &str, reason: &str) {
        if let Some(last) = self.0.states.last_mut() {
            last.to = at;
        }
        self.0.states.push(StateSpan {
            state: state.to_owned(),
            from: at,
            to: Millis(u64::MAX),
            reason: Some(reason.to_owned()),
        });
    }

    fn power(&mut self, at: Millis, state: &str) {
        if let Some(last) = self.0.power.last_mut() {
            last.to = at;
        }
        self.0.power.push(PowerSpan {
            state: state.to_owned(),
            from: at,
            to: Millis(u64::MAX),
        });
    }

    fn marker(&mut self, at: Millis, kind: MarkerKind, text: &str) {
        self.0.markers.push(Marker {
            at,
            kind,
            text: text.to_owned(),
        });
    }
}

fn after(at: Millis, length: u64) -> Millis {
    Millis(at.0 + minutes(length).0)
}
