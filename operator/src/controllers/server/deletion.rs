//! A Server that is being deleted. It disappears only when no claim holds it any more (S13): what the claim runs keeps running
//! until the claim is gone. Then the machine is cleaned as after every release, because `spec.residueEpoch` goes with the object: the next
//! Server for this machine would offer what the tenant left. Who wants to get rid of it unclean says `cleanupPolicy: Skip`. In the end
//! the machine is turned off, as far as its BMC can be reached in time, and the object goes.

use std::time::Duration;

use crds::kinds::server::CleanupPolicy;
use crds::{Server, keys};
use jiff::Timestamp;
use kube::ResourceExt;

use super::observed::Holder;
use super::power::off_unconfirmed;
use super::{boot, duplicate, observe, perform};
use crate::bmc::{ReportedPower, ResetType};
use crate::conditions::{self, Wish};
use crate::context::Context;
use crate::controllers::bmc::access;
use crate::controllers::{Error, remove_finalizer};
use crate::ownership::intent;
use crate::ownership::operation::Operation;
use crate::ownership::pacing::{self, Pace, Verdict};
use crate::sabotage::{self, Bug};

/// Nobody holds the machine: nothing of value runs there.
const PULL: Operation = Operation::Reset(ResetType::ForceOff);

/// Condition on a Server that goes as soon as its machine is off.
const POWERING_OFF: &str = "PoweringOff";

/// How often the time that a machine has to change power passes until its Server goes all the same: while the BMC is silent, and while it
/// answers.
const PATIENCE: u32 = 2;
const PATIENCE_WITH_ANSWERS: u32 = 30;

/// Condition on a Server whose deletion waits.
pub(super) const DELETION_BLOCKED: &str = "DeletionBlocked";

/// What is to be done about a Server that is being deleted.
pub(super) enum Course {
    /// The pass is over; look again after this time at the latest.
    Wait(Duration),
    /// It may not go yet, because a claim holds it or its machine is not clean: go on as if it was not being deleted.
    GoOn(Box<Server>),
}

/// Whether the Server waits for the operator before it goes.
pub(super) fn is_ours(server: &Server) -> bool {
    server
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == keys::finalizer::SERVER)
}

pub(super) async fn reconcile(context: &Context, mut server: Server) -> Result<Course, Error> {
    let resync = context.settings.resync;
    if !is_ours(&server) {
        return Ok(Course::Wait(resync));
    }
    // Incident 39.
    if sabotage::active(Bug::ServerFinalizerUnconditional) {
        boot::discard(context, &server).await?;
        remove_finalizer(&context.api(), &server, keys::finalizer::SERVER).await?;
        return Ok(Course::Wait(resync));
    }
    let holder = observe::live_holder(context, &server).await?;
    let held = matches!(
        holder,
        Holder::Claim { .. } | Holder::Adoptable { .. } | Holder::Missing
    );
    if let Some(claim) = server.spec.server_claim_ref.as_ref().filter(|_| held) {
        let wish = Wish::yes(
            DELETION_BLOCKED,
            "ClaimHoldsServer",
            format!(
                "Delete ServerClaim {}/{} first; the Server goes when its claim is gone",
                claim.namespace, claim.name
            ),
        );
        perform::note(context, &mut server, &wish).await?;
        return Ok(Course::GoOn(Box::new(server)));
    }
    // Only as long as something can be done for it (bugs.md #35).
    let maintained = server.spec.server_maintenance_ref.as_ref();
    if let Some(maintenance) = maintained.filter(|_| access::of_server(context, &server).is_ok()) {
        let message = format!(
            "ServerMaintenance {}/{} has the machine; the Server goes when it is over",
            maintenance.namespace, maintenance.name
        );
        let wish = Wish::yes(DELETION_BLOCKED, "InMaintenance", message);
        perform::note(context, &mut server, &wish).await?;
        return Ok(Course::GoOn(Box::new(server)));
    }
    if must_be_clean(context, &server) {
        let wish = Wish::yes(
            DELETION_BLOCKED,
            "ResidueOnDrives",
            "A tenant has left data; the Server goes when its machine is clean. Set spec.cleanupPolicy to Skip to let it go as it is",
        );
        perform::note(context, &mut server, &wish).await?;
        return Ok(Course::GoOn(Box::new(server)));
    }
    // The machine of a duplicate is somebody else's.
    if duplicate::elder(context, &server).is_none()
        && let Off::NotYet { pause, answers } = turn_off(context, &mut server).await?
        && !out_of_time(context, &mut server, answers).await?
        // Incident 41.
        && !sabotage::active(Bug::FinalizerLostOnRequeue)
    {
        return Ok(Course::Wait(pause));
    }
    let discarded = boot::discard(context, &server).await;
    // Incident 37.
    if !sabotage::active(Bug::CleanupErrorsSwallowed) {
        discarded?;
    }
    hang_up(context, &server).await;
    remove_finalizer(&context.api(), &server, keys::finalizer::SERVER).await?;
    Ok(Course::Wait(resync))
}

/// Closes the session of a BMC that has no object of its own, with the last Server behind it.
async fn hang_up(context: &Context, server: &Server) {
    let Some(own) = server.spec.bmc.as_ref().filter(|_| server.spec.bmc_ref.is_none()) else {
        return;
    };
    let servers = context.caches.servers.all();
    let shared = servers.iter().any(|other| {
        other.metadata.uid != server.metadata.uid
            && other
                .spec
                .bmc
                .as_ref()
                .is_some_and(|bmc| bmc.address == own.address && bmc.protocol.port == own.protocol.port)
    });
    if let Ok(access) = access::of_server(context, server)
        && !shared
    {
        context.bmcs.forget(&access).await;
    }
}

/// The next Server for this machine would know nothing of what is on its drives, and offer them (S4).
fn must_be_clean(context: &Context, server: &Server) -> bool {
    // Incident 39 on a machine that nobody holds any more.
    if sabotage::active(Bug::ResidueForgottenOnDelete) {
        return false;
    }
    let policy = server.spec.cleanup_policy.unwrap_or(context.settings.cleanup_policy);
    server.spec.residue_epoch.is_some() && policy != CleanupPolicy::Skip && duplicate::elder(context, server).is_none()
}

/// A BMC that is gone for good must not keep the object for ever (L5), nor must one that never does what it is told; but as long as it
/// answers there is hope, and without the object nobody would account for a machine that runs (S13).
///
/// The time is taken by our own clock: that of the API server, which dates the deletion, may be hours off (bugs.md, `clk.skew`).
async fn out_of_time(context: &Context, server: &mut Server, answers: bool) -> Result<bool, Error> {
    let wish = Wish::yes(
        POWERING_OFF,
        "ServerDeleted",
        "The machine is switched off before its Server goes",
    );
    perform::note(context, server, &wish).await?;
    let status = server.status.as_ref();
    let since = status.and_then(|status| conditions::find(&status.conditions, POWERING_OFF));
    let waited = since.map(|since| context.now().duration_since(since.last_transition_time.0));
    let waited = waited
        .and_then(|waited| Duration::try_from(waited).ok())
        .unwrap_or_default();
    let patience = if answers { PATIENCE_WITH_ANSWERS } else { PATIENCE };
    // Incident 44.
    Ok(waited >= context.settings.power.patience.saturating_mul(patience)
        && !sabotage::active(Bug::DeletionWaitsForBmc))
}

/// The machine on its way to Off.
enum Off {
    Proven,
    /// Look again after `pause`. Whether the BMC answers.
    NotYet {
        pause: Duration,
        answers: bool,
    },
}

async fn turn_off(context: &Context, server: &mut Server) -> Result<Off, Error> {
    let mut look = observe::look(context, server).await?;
    look.record(context, server).await?;
    let pace = context.settings.power;
    let Some(bmc) = look.bmc else {
        return Ok(Off::NotYet {
            pause: pace.interval,
            answers: false,
        });
    };
    let Some(verdict) = towards_off(
        server,
        bmc.system.power_state,
        context.now(),
        &pace,
        context.settings.off_confirmation,
    ) else {
        return Ok(Off::Proven);
    };
    let pause = match verdict {
        Verdict::Send { attempt } => {
            let uri = &bmc.system.uri;
            let status = server.status.clone().unwrap_or_default();
            *server = intent::issue(context, &bmc.client, uri, server, status, &PULL, attempt).await?;
            pace.interval
        }
        Verdict::Wait(pause) => pause,
    };
    Ok(Off::NotYet {
        pause: pause.min(pace.interval),
        answers: true,
    })
}

/// What to do about the power; `None` when the machine is proven off.
fn towards_off(
    server: &Server,
    power: ReportedPower,
    now: Timestamp,
    pace: &Pace,
    confirmation: Duration,
) -> Option<Verdict> {
    let status = server.status.as_ref();
    let record = status.and_then(|status| status.operation.as_ref());
    if power == ReportedPower::Off {
        // A start on its way would find nobody to account for the machine (bugs.md #41).
        if pacing::start_in_flight(record, now, pace.patience) {
            return Some(Verdict::Wait(pace.interval));
        }
        let since = status.and_then(|status| status.power_state_since.as_ref());
        return off_unconfirmed(since, now, confirmation).map(Verdict::Wait);
    }
    Some(pacing::next(
        &PULL.to_string(),
        record,
        server.tenancy_epoch(),
        now,
        pace,
    ))
}

#[cfg(test)]
mod tests {
    use crds::kinds::server_status::{OperationIntent, OperationState};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn the_object_goes_only_when_the_machine_stays_off() {
        let pace = Pace {
            interval: Duration::from_secs(5),
            patience: Duration::from_secs(120),
            longest_pause: Duration::from_secs(600),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.status.get_or_insert_default().power_state_since = Some(Time(at(-60)));
        let confirmation = Duration::from_secs(15);
        let look = |server: &Server, power, second| towards_off(server, power, at(second), &pace, confirmation);
        assert_eq!(look(&server, ReportedPower::Off, 0), None);
        assert_eq!(look(&server, ReportedPower::On, 0), Some(Verdict::Send { attempt: 1 }));
        server.status.get_or_insert_default().operation = Some(OperationIntent {
            id: "1".into(),
            operation: "On".into(),
            epoch: 0,
            state: OperationState::Issued,
            issued_at: Time(at(0)),
            attempts: 1,
            message: None,
        });
        assert_eq!(
            look(&server, ReportedPower::Off, 60),
            Some(Verdict::Wait(pace.interval))
        );
        assert_eq!(look(&server, ReportedPower::On, 60), Some(Verdict::Send { attempt: 1 }));
        assert_eq!(look(&server, ReportedPower::Off, 120), None);
        server.status.get_or_insert_default().power_state_since = Some(Time(at(110)));
        assert_eq!(
            look(&server, ReportedPower::Off, 120),
            Some(Verdict::Wait(Duration::from_secs(5)))
        );
        assert_eq!(look(&server, ReportedPower::Off, 125), None);
    }
}
