//! The faults of one BMC, in the order in which they were injected.

use std::collections::BTreeMap;
use std::time::Duration;

use super::glob;
use super::{Fault, FaultError, FaultId, HttpAction};
use crate::machine::drive::DriveName;
use crate::machine::power::PowerState;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    last: u64,
    rules: BTreeMap<FaultId, Fault>,
}

/// What the fault table makes of one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct HttpOutcome {
    pub fired: Vec<FaultId>,
    /// Sum of all latencies, not yet scaled.
    pub latency: Duration,
    /// The first rule that changes the answer.
    pub answer: Option<HttpAction>,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> Result<FaultId, FaultError> {
        if remaining(&fault) == Some(0) {
            return Err(FaultError::NothingRemaining);
        }
        if let Fault::Http {
            action: HttpAction::Status { status, .. },
            ..
        } = &fault
            && !(200..=599).contains(status)
        {
            return Err(FaultError::BadStatus(*status));
        }
        self.last += 1;
        let id = FaultId(self.last);
        self.rules.insert(id, fault);
        Ok(id)
    }

    /// Whether there was such a fault.
    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        self.rules.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = (FaultId, &Fault)> {
        self.rules.iter().map(|(id, fault)| (*id, fault))
    }

    /// Consumes what fires for this request.
    pub(crate) fn on_request(&mut self, request_method: &str, request_path: &str) -> HttpOutcome {
        let mut outcome = HttpOutcome::default();
        for (id, fault) in &self.rules {
            let Fault::Http {
                method, path, action, ..
            } = fault
            else {
                continue;
            };
            let method_matches = method
                .as_deref()
                .is_none_or(|method| method.eq_ignore_ascii_case(request_method));
            if !method_matches || !glob::matches(path, request_path) {
                continue;
            }
            match action {
                HttpAction::Latency { duration } => outcome.latency += duration.0,
                _ if outcome.answer.is_some() => continue,
                answer => outcome.answer = Some(answer.clone()),
            }
            outcome.fired.push(*id);
        }
        for id in outcome.fired.clone() {
            self.consume(id);
        }
        outcome
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
                self.rules.remove(&id);
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
        | Fault::StaleReads { .. } => None,
    }
}

fn remaining(fault: &Fault) -> Option<u32> {
    remaining_mut(&mut fault.clone()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::duration::DurationText;

    fn http(method: Option<&str>, path: &str, action: HttpAction, remaining: Option<u32>) -> Fault {
        Fault::Http {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            action,
            remaining,
        }
    }

    fn status(status: u16) -> HttpAction {
        HttpAction::Status { status, body: None }
    }

    #[test]
    fn a_rule_fires_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults
            .inject(http(Some("GET"), "/redfish/v1/Systems/*", status(503), Some(2)))
            .expect("valid");
        assert_eq!(faults.on_request("POST", "/redfish/v1/Systems/1").answer, None);
        for _ in 0..2 {
            assert_eq!(
                faults.on_request("GET", "/redfish/v1/Systems/1").answer,
                Some(status(503))
            );
        }
        assert_eq!(
            faults.on_request("GET", "/redfish/v1/Systems/1"),
            HttpOutcome::default()
        );
    }

    #[test]
    fn latencies_add_up_and_the_first_answer_wins() {
        let mut faults = Faults::default();
        let latency = HttpAction::Latency {
            duration: DurationText(Duration::from_secs(2)),
        };
        faults.inject(http(None, "**", latency.clone(), None)).expect("valid");
        faults.inject(http(None, "**", status(500), None)).expect("valid");
        faults.inject(http(None, "**", HttpAction::Hang, None)).expect("valid");
        faults.inject(http(None, "**", latency, None)).expect("valid");
        let outcome = faults.on_request("GET", "/");
        assert_eq!(
            (outcome.latency.as_secs(), outcome.answer, outcome.fired.len()),
            (4, Some(status(500)), 3)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let mut faults = Faults::default();
        assert_eq!(
            faults.inject(http(None, "**", status(42), None)),
            Err(FaultError::BadStatus(42))
        );
        assert_eq!(
            faults.inject(Fault::LostReset { remaining: Some(0) }),
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
