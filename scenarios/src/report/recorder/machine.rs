//! What happened to one machine.

use super::Redact;
use super::lane::{Markers, Spans};
use crate::report::model::{GuestSpan, MarkerKind, Millis, PowerSpan, Statistics};
use bmc_emulator::{MachineEventKind, PowerState};

#[derive(Clone, Debug, Default)]
pub(super) struct MachineLane {
    pub(super) markers: Markers,
    power: Spans<PowerState>,
    guests: Spans<Guest>,
}

#[derive(Clone, Debug)]
struct Guest {
    name: String,
    ended: Option<String>,
}

impl MachineLane {
    pub(super) fn power(&mut self, at: Millis, state: PowerState) {
        if self.power.current().is_none_or(|now| *now != state) {
            self.power.begin(at, state);
        }
    }

    pub(super) fn happened(&mut self, at: Millis, event: &MachineEventKind, redact: Redact<'_>) {
        use MachineEventKind as Kind;
        let (kind, text) = match event {
            Kind::Power { state } => return self.power(at, *state),
            Kind::GuestStarted { source } => {
                return self.guests.begin(
                    at,
                    Guest {
                        name: redact(source),
                        ended: None,
                    },
                );
            }
            Kind::GuestIdentified { source, kind, label } => {
                if let Some(guest) = self.guests.current() {
                    guest.name = redact(&format!("{source}: {kind} {label}"));
                }
                return;
            }
            Kind::GuestStopped { reason } => {
                if let Some(guest) = self.guests.current() {
                    guest.ended = Some(redact(reason));
                }
                return self.guests.end(at);
            }
            Kind::ResetRequested { reset_type } => (MarkerKind::Operation, format!("reset {reset_type}")),
            Kind::PowerButtonPressed => (MarkerKind::Fault, "power button pressed".to_owned()),
            Kind::BmcReset => (MarkerKind::Operation, "BMC reset".to_owned()),
            Kind::BootStarted { devices, from_override } => {
                let how = if *from_override { "boot override" } else { "boot order" };
                (MarkerKind::Boot, format!("boots by {how}: {}", devices.join(", ")))
            }
            Kind::SetupEntered => (MarkerKind::Boot, "firmware setup, nothing boots".to_owned()),
            Kind::BootFailed { reason } => (MarkerKind::Boot, format!("boot failed: {reason}")),
            Kind::DriveWritten { drive, records } => (
                MarkerKind::Write,
                format!("{drive}: {} records on it now", records.len()),
            ),
            Kind::DriveErased { drive, in_band } => (MarkerKind::Erase, format!("{drive} erased {}", band(*in_band))),
            Kind::DriveEraseLied { drive, in_band } => (
                MarkerKind::Erase,
                format!(
                    "{drive} reported as erased {}, and its data is still there",
                    band(*in_band)
                ),
            ),
            Kind::DriveEraseFailed {
                drive,
                in_band,
                message,
            } => (
                MarkerKind::Erase,
                format!("{drive} not erased {}: {message}", band(*in_band)),
            ),
            Kind::VolumeCreated { volume, .. } => (MarkerKind::Write, format!("volume {volume} created")),
            Kind::VolumeDeleted { volume, .. } => (MarkerKind::Erase, format!("volume {volume} deleted")),
            Kind::VolumeInitialized { volume, .. } => (MarkerKind::Erase, format!("volume {volume} initialized")),
            Kind::FaultFired { method, path, .. } => (MarkerKind::Fault, format!("fault at {method} {path}")),
            Kind::BasicAuthenticated { user } => (MarkerKind::Fault, format!("password of {user} sent")),
            Kind::LoginFailed { user } => (MarkerKind::Fault, format!("login of {user} refused")),
            Kind::DriveEraseStarted { .. }
            | Kind::SessionOpened { .. }
            | Kind::SessionClosed { .. }
            | Kind::RequestServed { .. }
            | Kind::BmcReady
            | Kind::TaskFinished { .. } => return,
        };
        self.markers.add(at, kind, redact(&text));
    }

    pub(super) fn powers(&self, end: Millis) -> Vec<PowerSpan> {
        self.power
            .until(end)
            .map(|(state, from, to)| PowerSpan {
                state: format!("{state:?}"),
                from,
                to,
            })
            .collect()
    }

    pub(super) fn guests(&self, end: Millis) -> Vec<GuestSpan> {
        self.guests
            .until(end)
            .map(|(guest, from, to)| GuestSpan {
                guest: guest.name.clone(),
                from,
                to,
                ended: guest.ended.clone(),
            })
            .collect()
    }
}

fn band(in_band: bool) -> &'static str {
    if in_band { "in band" } else { "out of band" }
}

pub(super) fn count(event: &MachineEventKind, statistics: &mut Statistics) {
    use MachineEventKind as Kind;
    let counter = match event {
        Kind::RequestServed { status, .. } => statistics
            .bmc_requests
            .entry(format!("{}xx", status / 100))
            .or_default(),
        Kind::ResetRequested { .. } => &mut statistics.resets,
        Kind::BmcReset => &mut statistics.bmc_resets,
        Kind::BootStarted { .. } => &mut statistics.boots,
        Kind::BootFailed { .. } => &mut statistics.failed_boots,
        Kind::DriveErased { .. } => &mut statistics.drives_erased,
        Kind::DriveEraseFailed { .. } => &mut statistics.failed_erasures,
        Kind::SessionOpened { .. } => &mut statistics.sessions,
        Kind::LoginFailed { .. } => &mut statistics.failed_logins,
        Kind::FaultFired { .. } => &mut statistics.faults_fired,
        Kind::SetupEntered
        | Kind::Power { .. }
        | Kind::GuestStarted { .. }
        | Kind::GuestIdentified { .. }
        | Kind::GuestStopped { .. }
        | Kind::DriveWritten { .. }
        | Kind::DriveEraseStarted { .. }
        | Kind::DriveEraseLied { .. }
        | Kind::VolumeCreated { .. }
        | Kind::VolumeDeleted { .. }
        | Kind::VolumeInitialized { .. }
        | Kind::PowerButtonPressed
        | Kind::SessionClosed { .. }
        | Kind::BasicAuthenticated { .. }
        | Kind::BmcReady
        | Kind::TaskFinished { .. } => return,
    };
    *counter += 1;
}
