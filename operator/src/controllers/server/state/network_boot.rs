//! Booting a machine that the operator itself holds (discovery, cleanup) from the network: off, override read back, on.

use crds::kinds::server_status::{OperationIntent, OperationState};

use crate::bmc::ReportedPower;
use crate::conditions::Wish;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, Observed};
use crate::controllers::server::power::{self, Force};
use crate::ownership::operation::starts_a_machine;
use crate::registry::Purpose;

/// The step towards the boot. Once it was sent, waits; the caller sees whether what was booted reported.
pub(super) fn towards(observed: &Observed<'_>, purpose: Purpose, condition: &'static str) -> Decision {
    match &observed.boot {
        BootView::Missing => return Step::PrepareBoot(purpose).into(),
        BootView::Pending => {
            return Decision::from(Step::Wait(observed.settings.resync)).because(Wish::no(
                condition,
                "WaitingForBootConfiguration",
                "The boot server has not accepted the boot configuration yet",
            ));
        }
        BootView::Refused { message } => {
            return Decision::from(Step::Wait(observed.settings.resync)).because(Wish::no(
                condition,
                "BootConfigurationError",
                message.clone(),
            ));
        }
        BootView::Ready => {}
    }
    let ours = start(observed).is_some_and(|record| record.state != OperationState::Failed);
    match observed.power() {
        // Booted by us in this epoch: now it has to report.
        ReportedPower::On if ours => Decision::from(Step::Wait(observed.settings.resync)).because(Wish::no(
            condition,
            "WaitingForReport",
            "The machine was booted from the network and has not reported yet",
        )),
        ReportedPower::On => power::off(observed, Force::AfterAsking).unwrap_or_else(|| Step::Rest.into()),
        // The start is on its way, perhaps with its override consumed already: not the time to arm another.
        ReportedPower::Off if started_just_now(observed) => Step::Wait(observed.settings.power.interval).into(),
        ReportedPower::Off => power::network_boot_armed(observed)
            .or_else(|| power::on(observed))
            .unwrap_or_else(|| Step::Rest.into()),
        _ => Step::Wait(observed.settings.power.interval).into(),
    }
}

/// The last operation, if it was a start in this epoch.
pub(super) fn start<'a>(observed: &'a Observed<'_>) -> Option<&'a OperationIntent> {
    let record = observed.status().operation.as_ref();
    record.filter(|record| record.epoch == observed.epoch() && starts_a_machine(&record.operation))
}

fn started_just_now(observed: &Observed<'_>) -> bool {
    crate::ownership::pacing::start_in_flight(
        observed.status().operation.as_ref(),
        observed.now,
        observed.settings.power.patience,
    )
}
