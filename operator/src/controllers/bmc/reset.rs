//! Resets of the BMC itself, asked for by a user or after long failure (contract section 3.3, W8): by Redfish, else by SSH.

use std::time::Duration;

use crds::kinds::bmc::{BMCState, BMCStatus};
use crds::{BMC, keys};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::json;

use super::{READY, access, ssh_reset, write};
use crate::bmc::{BmcClient, BmcError, Manager, ResetType};
use crate::conditions::{self, Wish};
use crate::context::{Context, parameters};
use crate::controllers::Error;
use crate::events::{Happening, table};
use crate::identity::ManagerUri;
use crate::sabotage::{self, Bug};

/// Condition on a BMC that is being reset.
const RESET: &str = "Reset";

/// Reason of that condition while the BMC has said no.
const REFUSED: &str = "ResetRefused";

/// Reason of a reset after which the BMC has not come back.
const WITHOUT_EFFECT: &str = "ResetWithoutEffect";

/// What a user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Graceful,
    /// By SSH at once.
    Force,
}

impl Request {
    fn of(bmc: &BMC) -> Option<Self> {
        match bmc.annotations().get(keys::OPERATION_ANNOTATION)?.as_str() {
            keys::operation::GRACEFUL_RESTART_BMC => Some(Self::Graceful),
            keys::operation::FORCE_SSH_RESET_BMC => Some(Self::Force),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Graceful => keys::operation::GRACEFUL_RESTART_BMC,
            Self::Force => keys::operation::FORCE_SSH_RESET_BMC,
        }
    }
}

/// Why a BMC is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    User,
    Failure,
}

/// How long to leave a BMC alone that was just reset; `None` when it may be asked.
pub(super) fn waiting(context: &Context, bmc: &BMC) -> Option<Duration> {
    // Incident 128.
    if sabotage::active(Bug::ManagerResetStorm) {
        return None;
    }
    let status = bmc.status.as_ref()?;
    let condition = conditions::find(&status.conditions, RESET).filter(|condition| condition.status == "True")?;
    let options = &context.options.controllers;
    let left = options
        .bmc_reset_waiting_interval
        .get()
        .checked_sub(since(condition.last_transition_time.0, context.now()))?;
    (!left.is_zero()).then(|| left.min(options.bmc_reset_resync_interval.get()))
}

fn since(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time)).unwrap_or_default()
}

/// How long to wait, from flags.
#[derive(Clone, Copy)]
struct Pace {
    /// What a BMC has to be failing for before it is reset unasked; zero means never.
    failure: Duration,
    /// Between a refusal and the next attempt. Each attempt is two writes to the status, which wake this controller again.
    refusal: Duration,
    /// What a BMC that was reset has to come back.
    absence: Duration,
}

/// Whether and why to reset now. Pure.
fn decide(requested: bool, status: &BMCStatus, reachable: bool, pace: Pace, now: Timestamp) -> Option<Reason> {
    // Incident 128.
    if conditions::is_true(&status.conditions, RESET) && !sabotage::active(Bug::ManagerResetStorm) {
        return None;
    }
    let last = conditions::find(&status.conditions, RESET);
    let age = last.map(|last| since(last.last_transition_time.0, now));
    let failed = last.filter(|last| last.reason != "ResetComplete" && last.reason != "ResetLost");
    if failed.is_some() && age.is_some_and(|age| age < pace.refusal) {
        return None;
    }
    if requested {
        return Some(Reason::User);
    }
    let ready = conditions::find(&status.conditions, READY)?;
    let failing =
        ready.status == "False" && ["InternalServerError", "ConnectionFailed"].contains(&ready.reason.as_str());
    // Since it failed, nothing has changed that could make another attempt end otherwise.
    let hopeless = failed.is_some_and(|last| {
        ssh_reset::is_hopeless(&last.reason) && last.last_transition_time.0 >= ready.last_transition_time.0
    });
    let in_vain = failed.is_some_and(|last| last.reason == WITHOUT_EFFECT) && age.is_some_and(|age| age < pace.failure);
    let long = since(ready.last_transition_time.0, now) >= pace.failure;
    let due = !pace.failure.is_zero() && !reachable && failing && long && !hopeless && !in_vain;
    due.then_some(Reason::Failure)
}

/// Whether a reset on record has had all the time it needs, and the BMC has not come back (W8). Pure.
fn is_without_effect(requested: bool, status: &BMCStatus, reachable: bool, pace: Pace, now: Timestamp) -> bool {
    let resetting = conditions::find(&status.conditions, RESET).filter(|condition| condition.status == "True");
    let wanted = requested || !pace.failure.is_zero();
    wanted
        && !reachable
        && resetting.is_some_and(|since_then| since(since_then.last_transition_time.0, now) >= pace.absence)
}

/// Resets the BMC if it is time to. The reset is on record before it is sent, so that a crash does not send it twice; a request stays
/// until it was sent.
///
/// # Errors
/// The API server's, or the BMC's refusal.
pub(super) async fn handle(
    context: &Context,
    bmc: &mut BMC,
    connected: Result<&(BmcClient, Manager), &Error>,
) -> Result<Option<Duration>, Error> {
    let options = &context.options.controllers;
    let request = Request::of(bmc);
    let requested = request.is_some();
    let mut old = bmc.status.clone().unwrap_or_default();
    let pace = Pace {
        failure: options.bmc_failure_reset_delay.get(),
        refusal: options.bmc_reset_resync_interval.get(),
        absence: options.bmc_reset_waiting_interval.get() + options.bmc_reset_resync_interval.get(),
    };
    // Incident 128.
    if is_without_effect(requested, &old, connected.is_ok(), pace, context.now())
        && !sabotage::active(Bug::ManagerResetStorm)
    {
        let mut new = old.clone();
        let message = "The BMC has not come back since it was reset";
        let wish = Wish::no(RESET, WITHOUT_EFFECT, message);
        conditions::set(&mut new.conditions, &wish, context.now());
        write(context, bmc, &old, &new).await?;
        old = new;
    }
    if requested
        && conditions::is_true(&old.conditions, RESET)
        && let Ok((_, manager)) = connected
        // Incident 128.
        && !sabotage::active(Bug::ManagerResetStorm)
    {
        if has_happened(&old, manager.last_reset_time) {
            // Also one that was asked for while it was under way: that one will do (bugs.md #128).
            clear_request(context, bmc).await?;
            return Ok(None);
        }
        // On record, and never sent, or refused without a record of it.
        let mut new = old.clone();
        let message = "The BMC has not restarted since it was asked to; it is asked again";
        conditions::set(
            &mut new.conditions,
            &Wish::no(RESET, "ResetLost", message),
            context.now(),
        );
        write(context, bmc, &old, &new).await?;
        old = new;
    }
    let Some(reason) = decide(requested, &old, connected.is_ok(), pace, context.now()) else {
        return Ok(None);
    };
    // Incident 127.
    if requested && sabotage::active(Bug::RequestRemovedBeforeReset) {
        clear_request(context, bmc).await?;
    }
    let way = match request {
        Some(Request::Force) => Way::Shell,
        _ => match by_redfish(context, bmc, connected).await {
            Ok((client, manager)) => Way::Redfish(client, manager),
            Err(error) if is_beyond_redfish(&error) && ssh_reset::is_possible(context, bmc) => Way::Shell,
            Err(error) => return Err(error),
        },
    };
    let wish = match reason {
        Reason::User => Wish::yes(
            RESET,
            "UserRequested",
            "BMC reset initiated by user. Waiting for it to come back online.",
        ),
        Reason::Failure => Wish::yes(
            RESET,
            "AutoResetting",
            "BMC reset initiated automatically after repeated connection failures. Waiting for it to come back online.",
        ),
    };
    let mut new = old.clone();
    conditions::set(&mut new.conditions, &wish, context.now());
    new.state = Some(BMCState::Pending);
    write(context, bmc, &old, &new).await?;
    let Way::Redfish(client, manager) = way else {
        return by_shell(context, bmc, request).await;
    };
    if let Err(error) = client.reset_manager(&manager, ResetType::GracefulRestart).await {
        let old = bmc.status.clone().unwrap_or_default();
        let new = not_reset(&old, &error, context.now());
        let refused = !conditions::is_true(&new.conditions, RESET);
        let error = Error::from(error);
        if refused && is_beyond_redfish(&error) && ssh_reset::is_possible(context, bmc) {
            return by_shell(context, bmc, request).await;
        }
        write(context, bmc, &old, &new).await?;
        return match (error, request) {
            // It will never be otherwise.
            (Error::Bmc(BmcError::Unsupported { what }), Some(request)) => {
                let request = request.as_str();
                let note = format!("Operation {request} was removed: this BMC does not offer {what}");
                give_up(context, bmc, note).await?;
                Ok(None)
            }
            (error, _) => Err(error),
        };
    }
    if requested {
        clear_request(context, bmc).await?;
    }
    Ok(Some(options.bmc_reset_resync_interval.get()))
}

/// How a BMC is reset.
enum Way {
    Redfish(BmcClient, ManagerUri),
    Shell,
}

async fn by_redfish(
    context: &Context,
    bmc: &BMC,
    connected: Result<&(BmcClient, Manager), &Error>,
) -> Result<(BmcClient, ManagerUri), Error> {
    if let Ok((client, manager)) = connected {
        return Ok((client.clone(), manager.uri.clone()));
    }
    let client = context.bmcs.client(&access::of_bmc(context, bmc)?).await?;
    let manager = super::choose(bmc, client.managers().await?)?;
    Ok((client, manager.uri))
}

/// Whether the web server of the BMC is what is broken.
fn is_beyond_redfish(error: &Error) -> bool {
    match error {
        Error::Bmc(BmcError::Http { status, .. }) => *status >= 500,
        Error::Bmc(error) => matches!(
            error,
            BmcError::ServiceUnavailable { .. } | BmcError::Unreachable { .. } | BmcError::Timeout { .. }
        ),
        _ => false,
    }
}

/// By SSH; the reset is on record.
async fn by_shell(context: &Context, bmc: &mut BMC, request: Option<Request>) -> Result<Option<Duration>, Error> {
    let pause = context.options.controllers.bmc_reset_resync_interval.get();
    let result = ssh_reset::reset(context, bmc).await?;
    let old = bmc.status.clone().unwrap_or_default();
    let mut new = old.clone();
    let Err(failure) = result else {
        new.last_reset_time = Some(Time(conditions::seconds(context.now())));
        write(context, bmc, &old, &new).await?;
        if request.is_some() {
            clear_request(context, bmc).await?;
        }
        return Ok(Some(pause));
    };
    let wish = Wish::no(RESET, failure.reason(), failure.to_string());
    conditions::set(&mut new.conditions, &wish, context.now());
    write(context, bmc, &old, &new).await?;
    if let Some(request) = request.filter(|_| failure.is_final()) {
        let note = format!("Operation {} was removed: {failure}", request.as_str());
        give_up(context, bmc, note).await?;
    }
    Ok(None)
}

/// Whether the reset on record has happened. Compared for a difference only, because the clocks of BMCs are often wrong. A BMC that does
/// not tell when it was last reset is believed to have been.
fn has_happened(status: &BMCStatus, last_reset: Option<Timestamp>) -> bool {
    let before = status.last_reset_time.as_ref().map(|time| time.0);
    match (before, last_reset) {
        (Some(before), Some(last)) => before.as_second() != last.as_second(),
        _ => true,
    }
}

/// A BMC that said no is not waited for, and its request stands (bugs.md #127): also one that said 503 or 500, because it would rather be
/// reset twice than never. One that said nothing counts as being reset.
fn not_reset(status: &BMCStatus, error: &BmcError, now: Timestamp) -> BMCStatus {
    let mut status = status.clone();
    let answered = matches!(
        error,
        BmcError::ServiceUnavailable { .. } | BmcError::Http { .. } | BmcError::Protocol { .. }
    );
    if answered || !error.may_have_been_executed() {
        let wish = Wish::no(RESET, REFUSED, error.condition_message());
        conditions::set(&mut status.conditions, &wish, now);
    }
    status
}

/// Removes the request, and tells why.
async fn give_up(context: &Context, bmc: &mut BMC, note: String) -> Result<(), Error> {
    let happening = Happening {
        told: &table::BMC_UNSUPPORTED_OPERATION,
        note,
        occurrence: bmc.metadata.generation.unwrap_or_default(),
    };
    // First: a crash in between may repeat it, which changes nothing, and must not swallow it.
    context.events.record(super::CONTROLLER, bmc, happening).await;
    clear_request(context, bmc).await
}

async fn clear_request(context: &Context, bmc: &mut BMC) -> Result<(), Error> {
    let patch = json!({ "metadata": {
        "resourceVersion": bmc.resource_version(),
        "annotations": { keys::OPERATION_ANNOTATION: null },
    } });
    let api: Api<BMC> = context.api();
    *bmc = api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// The BMC answers again.
pub(super) fn complete(status: &mut BMCStatus, now: Timestamp) {
    if conditions::is_true(&status.conditions, RESET) {
        conditions::set(
            &mut status.conditions,
            &Wish::no(RESET, "ResetComplete", "BMC reset is complete"),
            now,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn status(wishes: &[Wish]) -> BMCStatus {
        let mut status = BMCStatus::default();
        for wish in wishes {
            conditions::set(&mut status.conditions, wish, at(0));
        }
        status
    }

    #[test]
    fn when_a_bmc_is_reset() {
        let failing = Wish::no(READY, "ConnectionFailed", "");
        let denied = Wish::no(READY, "AuthenticationFailed", "");
        let resetting = Wish::yes(RESET, "UserRequested", "");
        let refused = Wish::no(RESET, REFUSED, "");
        let minute = Duration::from_secs(60);
        for (requested, wishes, reachable, failure, now, expected) in [
            (true, vec![], true, Duration::ZERO, 0, Some(Reason::User)),
            (true, vec![resetting.clone()], true, Duration::ZERO, 0, None),
            (false, vec![failing.clone()], false, minute, 59, None),
            (false, vec![failing.clone()], false, minute, 60, Some(Reason::Failure)),
            (false, vec![failing.clone()], true, minute, 60, None),
            (false, vec![failing.clone()], false, Duration::ZERO, 60, None),
            (false, vec![denied], false, minute, 60, None),
            (false, vec![failing.clone(), resetting], false, minute, 60, None),
            (true, vec![refused.clone()], true, Duration::ZERO, 119, None),
            (
                true,
                vec![refused.clone()],
                true,
                Duration::ZERO,
                120,
                Some(Reason::User),
            ),
            (false, vec![failing.clone(), refused.clone()], false, minute, 119, None),
            (false, vec![failing, refused], false, minute, 120, Some(Reason::Failure)),
        ] {
            let pace = Pace {
                failure,
                refusal: 2 * minute,
                absence: 4 * minute,
            };
            let decided = decide(requested, &status(&wishes), reachable, pace, at(now));
            assert_eq!(decided, expected, "{wishes:?} at {now}");
        }
    }

    #[test]
    fn a_reset_that_brings_nothing_is_not_the_last_one() {
        let minute = Duration::from_secs(60);
        let failing = Wish::no(READY, "ConnectionFailed", "");
        let resetting = status(&[failing.clone(), Wish::yes(RESET, "AutoResetting", "")]);
        for (requested, failure, reachable, now, expected) in [
            (false, 10 * minute, false, 239, false),
            (false, 10 * minute, false, 240, true),
            (false, 10 * minute, true, 240, false),
            (false, Duration::ZERO, false, 240, false),
            (true, Duration::ZERO, false, 240, true),
        ] {
            let pace = Pace {
                failure,
                refusal: 2 * minute,
                absence: 4 * minute,
            };
            let over = is_without_effect(requested, &resetting, reachable, pace, at(now));
            assert_eq!(over, expected, "{requested} {failure:?} {reachable} {now}");
        }
        let pace = Pace {
            failure: 10 * minute,
            refusal: 2 * minute,
            absence: 4 * minute,
        };
        for (reason, now, expected) in [
            (WITHOUT_EFFECT, 599, None),
            (WITHOUT_EFFECT, 600, Some(Reason::Failure)),
            ("ConnectionFailed", 600, Some(Reason::Failure)),
            ("AuthenticationFailed", 6000, None),
            ("HostKeyMismatch", 6000, None),
        ] {
            let status = status(&[failing.clone(), Wish::no(RESET, reason, "")]);
            assert_eq!(decide(false, &status, false, pace, at(now)), expected, "{reason} {now}");
        }
    }

    #[test]
    fn a_reset_shows_in_its_time() {
        let mut status = BMCStatus::default();
        assert!(has_happened(&status, Some(at(7))), "there is nothing to compare with");
        status.last_reset_time = Some(Time(at(7)));
        assert!(!has_happened(&status, Some(at(7))));
        assert!(has_happened(&status, Some(at(3))), "its clock was set back");
        assert!(has_happened(&status, None));
    }

    #[test]
    fn only_a_reset_that_may_have_happened_is_waited_for() {
        let resetting = status(&[Wish::yes(RESET, "UserRequested", "")]);
        let broken = |sent| BmcError::Unreachable {
            reason: "reset by peer".into(),
            sent,
        };
        let unavailable = BmcError::ServiceUnavailable {
            message: "busy".into(),
            retry_after: None,
            sent: true,
        };
        for (error, waited_for) in [(broken(false), false), (broken(true), true), (unavailable, false)] {
            let status = not_reset(&resetting, &error, at(1));
            assert_eq!(conditions::is_true(&status.conditions, RESET), waited_for);
            let pace = Pace {
                failure: Duration::ZERO,
                refusal: Duration::from_secs(120),
                absence: Duration::from_secs(240),
            };
            let again = decide(true, &status, true, pace, at(121));
            assert_eq!(again, (!waited_for).then_some(Reason::User));
        }
    }
}
