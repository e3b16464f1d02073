//! The faults of one BMC, in the order in which they were injected.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::time::Instant;

use super::glob;
use super::{Fault, FaultError, FaultId, HttpAction};
use crate::machine::drive::DriveName;
use crate::machine::power::PowerState;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    last: u64,
    rules: BTreeMap<FaultId, Fault>,
    /// What rules of requests remember, where they have something to.
    progress: BTreeMap<FaultId, Progress>,
}

/// How far a rule of requests is.
#[derive(Debug, Default)]
struct Progress {
    /// Nothing happens before.
    begins: Option<Instant>,
    /// Requests that have matched.
    matched: u64,
    /// [`HttpAction::Stuck`]: answers by path and query.
    answers: BTreeMap<String, Response<Bytes>>,
}

/// Where an answer is remembered, and what is remembered.
#[derive(Debug)]
pub(crate) struct Stuck {
    fault: FaultId,
    pub answer: Option<Response<Bytes>>,
}

/// One request, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Path and query.
    pub whole: &'a str,
    pub now: Instant,
}

/// What the fault table makes of one request.
#[derive(Debug, Default)]
pub(crate) struct HttpOutcome {
    pub fired: Vec<FaultId>,
    /// Sum of all latencies, not yet scaled.
    pub latency: Duration,
    /// The first rule that changes the answer.
    pub answer: Option<HttpAction>,
    /// With [`HttpAction::Stuck`].
    pub stuck: Option<Stuck>,
}

impl Faults {
    /// `at` says when a rule of requests begins that is to begin later.
    pub(crate) fn inject(&mut self, fault: Fault, at: impl FnOnce(Duration) -> Instant) -> Result<FaultId, FaultError> {
        if remaining(&fault) == Some(0) {
            return Err(FaultError::NothingRemaining);
        }
        self.last += 1;
        let id = FaultId(self.last);
        if let Fault::Http { action, when, .. } = &fault {
            action.check()?;
            when.check()?;
            let progress = Progress {
                begins: when.after.map(|text| at(text.0)),
                ..Progress::default()
            };
            self.progress.insert(id, progress);
        }
        self.rules.insert(id, fault);
        Ok(id)
    }

    /// Whether there was such a fault.
    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        self.progress.remove(&id);
        self.rules.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
        self.progress.clear();
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = (FaultId, &Fault)> {
        self.rules.iter().map(|(id, fault)| (*id, fault))
    }

    /// Consumes what fires for this request. `draw` gives a number from 0 to 1 for a fault, a request of it, and a purpose.
    pub(crate) fn on_request(&mut self, asked: Asked<'_>, draw: impl Fn(FaultId, u64, &str) -> f64) -> HttpOutcome {
        let mut outcome = HttpOutcome::default();
        for (id, fault) in &self.rules {
            let Fault::Http {
                method,
                path,
                action,
                when,
                ..
            } = fault
            else {
                continue;
            };
            let method_matches = method
                .as_deref()
                .is_none_or(|method| method.eq_ignore_ascii_case(asked.method));
            if !method_matches || !glob::matches(path, asked.path) {
                continue;
            }
            let progress = self.progress.entry(*id).or_default();
            if progress.begins.is_some_and(|begins| asked.now < begins) {
                continue;
            }
            let count = progress.matched;
            progress.matched += 1;
            if !when.concerns(count, || draw(*id, count, "concerns")) {
                continue;
            }
            match action.latency(|| draw(*id, count, "latency")) {
                Some(latency) => outcome.latency += latency,
                None if outcome.answer.is_some() => continue,
                None if *action == HttpAction::Stuck && asked.method != "GET" => continue,
                None => {
                    outcome.answer = Some(action.clone());
                    outcome.stuck = (*action == HttpAction::Stuck).then(|| Stuck {
                        fault: *id,
                        answer: progress.answers.get(asked.whole).cloned(),
                    });
                }
            }
            outcome.fired.push(*id);
        }
        for id in outcome.fired.clone() {
            self.consume(id);
        }
        outcome
    }

    /// From now on this is what the path answers, as long as the fault is there.
    pub(crate) fn remember(&mut self, stuck: &Stuck, whole: &str, answer: Response<Bytes>) {
        if let Some(progress) = self.progress.get_mut(&stuck.fault) {
            progress.answers.insert(whole.to_owned(), answer);
        }
    }

    pub(crate) fn certificate_expired(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::CertificateExpired { .. }))
    }

    pub(crate) fn certificate_of_another(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::CertificateWrongName { .. }))
    }

    pub(crate) fn ignores_power_button(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::NeverEndingShutdown { .. }))
            .is_some()
    }

    pub(crate) fn loses_reset(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::LostReset { .. })).is_some()
    }

    pub(crate) fn rejects_credentials(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::WrongCredentials { .. }))
            .is_some()
    }

    pub(crate) fn reported_power_state(&mut self) -> Option<PowerState> {
        match self.take(|fault| matches!(fault, Fault::WrongPowerState { .. })) {
            Some(Fault::WrongPowerState { reported, .. }) => Some(reported),
            _ => None,
        }
    }

    pub(crate) fn hides_power_state(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::PowerStateUnknown { .. }))
    }

    /// The message of an erasure that must fail.
    pub(crate) fn erase_failure(&mut self, name: &DriveName) -> Option<String> {
        match self.take(|fault| matches!(fault, Fault::DriveEraseFails { drive, .. } if drive == name)) {
            Some(Fault::DriveEraseFails { message, .. }) => Some(message),
            _ => None,
        }
    }

    /// Whether an erasure is to report success and leave everything on the drive.
    pub(crate) fn erase_lies(&mut self, name: &DriveName) -> bool {
        self.take(|fault| matches!(fault, Fault::DriveEraseLies { drive, .. } if drive == name))
            .is_some()
    }

    pub(crate) fn unreachable(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::BmcUnreachable { .. }))
    }

    pub(crate) fn session_table_full(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::SessionTableFull { .. }))
            .is_some()
    }

    pub(crate) fn clock_is_reset(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::ClockReset { .. }))
    }

    pub(crate) fn host_clock_is_reset(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::HostClockReset { .. }))
    }

    pub(crate) fn hold_tasks(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::TaskNeverEnds { .. }))
    }

    pub(crate) fn post_fails(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::PostFails { .. })).is_some()
    }

    /// How long the guest that is started now is going to live, if it dies by itself. Not yet scaled.
    pub(crate) fn life_of_guest(&mut self) -> Option<Duration> {
        match self.take(|fault| matches!(fault, Fault::GuestDies { .. })) {
            Some(Fault::GuestDies { after, .. }) => Some(after.0),
            _ => None,
        }
    }

    pub(crate) fn silence_neighbors(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::NoLldp { .. }))
    }

    pub(crate) fn loses_events(&self) -> bool {
        self.has(|fault| matches!(fault, Fault::EventsLost { .. }))
    }

    /// Whether the network boot that begins now is misled.
    pub(crate) fn mislead_network_boot(&mut self) -> bool {
        self.take(|fault| matches!(fault, Fault::WrongNic { .. })).is_some()
    }

    /// How old the power state is that readers get. Not yet scaled.
    pub(crate) fn staleness(&self) -> Duration {
        let ages = self.rules.values().filter_map(|fault| match fault {
            Fault::StaleReads { duration } => Some(duration.0),
            _ => None,
        });
        ages.max().unwrap_or_default()
    }

    fn has(&self, wanted: impl Fn(&Fault) -> bool) -> bool {
        self.rules.values().any(wanted)
    }

    fn take(&mut self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let (id, fault) = self.rules.iter().find(|(_, fault)| wanted(fault))?;
        let (id, fault) = (*id, fault.clone());
        self.consume(id);
        Some(fault)
    }

    fn consume(&mut self, id: FaultId) {
        let Some(fault) = self.rules.get_mut(&id) else { return };
        if let Some(count) = remaining_mut(fault) {
            *count -= 1;
            if *count == 0 {
                self.remove(id);
            }
        }
    }
}

fn remaining_mut(fault: &mut Fault) -> Option<&mut u32> {
    match fault {
        Fault::Http { remaining, .. }
        | Fault::NeverEndingShutdown { remaining }
        | Fault::DriveEraseFails { remaining, .. }
        | Fault::WrongPowerState { remaining, .. }
        | Fault::LostReset { remaining }
        | Fault::WrongCredentials { remaining }
        | Fault::SessionTableFull { remaining, .. }
        | Fault::DriveEraseLies { remaining, .. }
        | Fault::PostFails { remaining }
        | Fault::GuestDies { remaining, .. }
        | Fault::WrongNic { remaining } => remaining.as_mut(),
        Fault::BmcUnreachable { .. }
        | Fault::PowerStateUnknown { .. }
        | Fault::ClockReset { .. }
        | Fault::HostClockReset { .. }
        | Fault::TaskNeverEnds { .. }
        | Fault::NoLldp { .. }
        | Fault::EventsLost { .. }
        | Fault::CertificateExpired { .. }
        | Fault::CertificateWrongName { .. }
        | Fault::StaleReads { .. } => None,
    }
}

fn remaining(fault: &Fault) -> Option<u32> {
    remaining_mut(&mut fault.clone()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::When;
    use crate::fleet::duration::DurationText;

    fn http(method: Option<&str>, path: &str, action: HttpAction, remaining: Option<u32>) -> Fault {
        Fault::Http {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            action,
            remaining,
            when: When::default(),
        }
    }

    fn inject(faults: &mut Faults, fault: Fault) -> Result<FaultId, FaultError> {
        faults.inject(fault, |delay| Instant::now() + delay)
    }

    fn ask(faults: &mut Faults, method: &str, path: &str) -> HttpOutcome {
        let asked = Asked {
            method,
            path,
            whole: path,
            now: Instant::now(),
        };
        faults.on_request(asked, |_, count, _| {
            [0.9, 0.1][usize::try_from(count).expect("few") % 2]
        })
    }

    fn status(status: u16) -> HttpAction {
        HttpAction::Status { status, body: None }
    }

    #[test]
    fn a_rule_fires_as_often_as_it_says() {
        let mut faults = Faults::default();
        inject(
            &mut faults,
            http(Some("GET"), "/redfish/v1/Systems/*", status(503), Some(2)),
        )
        .expect("valid");
        assert_eq!(ask(&mut faults, "POST", "/redfish/v1/Systems/1").answer, None);
        for _ in 0..2 {
            assert_eq!(
                ask(&mut faults, "GET", "/redfish/v1/Systems/1").answer,
                Some(status(503))
            );
        }
        assert_eq!(ask(&mut faults, "GET", "/redfish/v1/Systems/1").fired, []);
    }

    #[test]
    fn latencies_add_up_and_the_first_answer_wins() {
        let mut faults = Faults::default();
        let latency = HttpAction::Latency {
            duration: DurationText(Duration::from_secs(2)),
        };
        inject(&mut faults, http(None, "**", latency.clone(), None)).expect("valid");
        inject(&mut faults, http(None, "**", status(500), None)).expect("valid");
        inject(&mut faults, http(None, "**", HttpAction::Hang, None)).expect("valid");
        inject(&mut faults, http(None, "**", latency, None)).expect("valid");
        let outcome = ask(&mut faults, "GET", "/");
        assert_eq!(
            (outcome.latency.as_secs(), outcome.answer, outcome.fired.len()),
            (4, Some(status(500)), 3)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn rules_begin_skip_and_are_drawn() {
        let mut faults = Faults::default();
        let mut rule = http(None, "**", status(503), Some(1));
        if let Fault::Http { when, .. } = &mut rule {
            *when = When {
                after: Some(DurationText(Duration::from_secs(5))),
                skip: Some(1),
                probability: Some(0.5),
                ..When::default()
            };
        }
        inject(&mut faults, rule).expect("valid");
        let mut fires = || !ask(&mut faults, "GET", "/").fired.is_empty();
        assert!(!fires(), "it has not begun");
        tokio::time::advance(Duration::from_secs(5)).await;
        let fired: Vec<bool> = (0..4).map(|_| fires()).collect();
        assert_eq!(
            fired,
            [false, true, false, false],
            "one is skipped, one drawn, and then it is used up"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let mut faults = Faults::default();
        assert_eq!(
            inject(&mut faults, http(None, "**", status(42), None)),
            Err(FaultError::BadStatus(42))
        );
        assert_eq!(
            inject(&mut faults, Fault::LostReset { remaining: Some(0) }),
            Err(FaultError::NothingRemaining)
        );
    }

    #[test]
    fn faults_read_as_documented() {
        let text = r#"{"type":"Http","method":"POST","path":"**/ComputerSystem.Reset","action":{"type":"Drop","processed":true},"remaining":1}"#;
        let fault: Fault = serde_json::from_str(text).expect("valid");
        assert_eq!(serde_json::to_string(&fault).expect("serialises"), text);
        assert!(serde_json::from_str::<Fault>(r#"{"type":"LostReset","count":1}"#).is_err());
    }
}
