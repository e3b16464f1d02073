//! The restart of a BMC before something is done to it (contract section 4.3): asked for on the BMC object, whose controller carries it
//! out. The decision is pure.

use std::time::Duration;

use crds::{BMC, keys};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::json;

use crate::conditions::{self, Wish};
use crate::context::{Context, parameters};
use crate::controllers::Error;

/// Value of the operation annotation.
const GRACEFUL_RESTART: &str = "graceful-restart-bmc";

/// What has to be done about the restart.
#[derive(Clone, Debug, PartialEq)]
pub enum Restart {
    /// It is over.
    Done,
    /// Ask for it, then note the wish.
    Request(Wish),
    /// Note that it is over.
    Over(Wish),
    /// It is under way, or somebody else's request is before ours.
    Wait,
    /// It has been under way for too long.
    TimedOut,
}

/// Looks at the restart that the condition `type_` of an object tells of. Without BMC object there is nobody to ask.
pub fn decide(
    type_: &'static str,
    conditions: &[Condition],
    bmc: Option<&BMC>,
    now: Timestamp,
    patience: Duration,
) -> Restart {
    if conditions::is_true(conditions, type_) {
        return Restart::Done;
    }
    let Some(bmc) = bmc else {
        let message = "The Server states its BMC in place; it is not restarted";
        return Restart::Over(Wish::yes(type_, "ResetIssued", message));
    };
    let request = bmc.annotations().get(keys::OPERATION_ANNOTATION).map(String::as_str);
    let Some(asked) = conditions::find(conditions, type_) else {
        return match request {
            // Asked for before a crash, or by somebody else: one restart will do.
            None | Some(GRACEFUL_RESTART) => Restart::Request(Wish::no(
                type_,
                "ResetIssued",
                format!("BMC {} was asked to restart", bmc.name_any()),
            )),
            Some(_) => Restart::Wait,
        };
    };
    let status = bmc.status.clone().unwrap_or_default();
    let restarting = request == Some(GRACEFUL_RESTART) || conditions::is_true(&status.conditions, "Reset");
    if !restarting && conditions::is_true(&status.conditions, "Ready") {
        return Restart::Over(Wish::yes(
            type_,
            "ResetIssued",
            format!("BMC {} has restarted", bmc.name_any()),
        ));
    }
    let asked_at = asked.last_transition_time.0;
    let waited = Duration::try_from(now.duration_since(asked_at)).unwrap_or_default();
    if waited > patience {
        Restart::TimedOut
    } else {
        Restart::Wait
    }
}

/// Why an object gives up whose BMC is restarting for too long.
pub fn timed_out(type_: &'static str) -> Wish {
    Wish::no(
        type_,
        "ResetTimedOut",
        "The BMC has not come back from its restart in time",
    )
}

/// Asks for the restart, provided that nobody has asked for anything meanwhile.
///
/// # Errors
/// The API server's.
pub async fn request(context: &Context, bmc: &BMC) -> Result<(), Error> {
    let patch = json!({ "metadata": {
        "resourceVersion": bmc.resource_version(),
        "annotations": { keys::OPERATION_ANNOTATION: GRACEFUL_RESTART },
    } });
    let api: Api<BMC> = context.api();
    api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crds::kinds::bmc::{BMCSpec, BMCStatus};
    use crds::shared::Protocol;
    use crds::{LocalObjectReference, ProtocolName};

    use super::*;

    const TYPE: &str = "ResetIssued";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn bmc(request: Option<&str>, wishes: &[&Wish]) -> BMC {
        let mut bmc = BMC::new(
            "node",
            BMCSpec {
                bmc_uuid: None,
                endpoint_ref: None,
                access: None,
                bmc_secret_ref: LocalObjectReference::named("node"),
                protocol: Protocol {
                    name: ProtocolName::Redfish,
                    port: 443,
                    scheme: None,
                },
                console_protocol: None,
                hostname: None,
                bmc_settings_ref: None,
            },
        );
        if let Some(request) = request {
            bmc.annotations_mut()
                .insert(keys::OPERATION_ANNOTATION.into(), request.into());
        }
        let mut status = BMCStatus::default();
        for wish in wishes {
            conditions::set(&mut status.conditions, wish, at(0));
        }
        bmc.status = Some(status);
        bmc
    }

    #[test]
    fn a_bmc_is_restarted_once() {
        let ready = Wish::yes("Ready", "Connected", "");
        let away = Wish::no("Ready", "ConnectionFailed", "");
        let resetting = Wish::yes("Reset", "UserRequested", "");
        let reset = Wish::no("Reset", "ResetComplete", "");
        let asked = Wish::no(TYPE, "ResetIssued", "");
        let over = Wish::yes(TYPE, "ResetIssued", "");
        let ours = Some(GRACEFUL_RESTART);
        for (condition, bmc, second, expected) in [
            (None, bmc(None, &[&ready]), 0, "Request"),
            (None, bmc(ours, &[&ready]), 0, "Request"),
            (None, bmc(Some("rotate"), &[&ready]), 0, "Wait"),
            (Some(&asked), bmc(ours, &[&ready]), 1, "Wait"),
            (Some(&asked), bmc(None, &[&ready, &resetting]), 1, "Wait"),
            (Some(&asked), bmc(None, &[&away, &reset]), 1, "Wait"),
            (Some(&asked), bmc(None, &[&away, &reset]), 61, "TimedOut"),
            (Some(&asked), bmc(ours, &[&ready]), 61, "TimedOut"),
            (Some(&asked), bmc(None, &[&ready, &reset]), 99, "Over"),
            (Some(&over), bmc(ours, &[&resetting]), 99, "Done"),
        ] {
            let mut conditions = Vec::new();
            if let Some(wish) = condition {
                conditions::set(&mut conditions, wish, at(0));
            }
            let decided = decide(TYPE, &conditions, Some(&bmc), at(second), Duration::from_secs(60));
            let name = format!("{decided:?}");
            assert!(name.starts_with(expected), "{name} instead of {expected}");
        }
        assert!(matches!(
            decide(TYPE, &[], None, at(0), Duration::ZERO),
            Restart::Over(_)
        ));
    }
}
