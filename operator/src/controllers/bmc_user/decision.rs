//! What an account on a BMC needs next. Pure.
//!
//! A new password is stored before it is set: `spec.bmcSecretRef` names what the password is to be, `status.effectiveBMCSecretRef` what it
//! is known to be. Between the two lies one idempotent request to the BMC, which a crash at any point only repeats.

use std::time::Duration;

use crds::{BMCUser, keys};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::options::GoDuration;

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Store a new password, and let the spec name it.
    Store,
    /// Create the account, or set its password, as the spec says.
    Set,
    /// Nothing before this time is over.
    Rest(Option<Duration>),
}

/// The user and what is known of its account.
pub(super) struct Observed<'a> {
    pub user: &'a BMCUser,
    /// Whether the BMC has the account.
    pub exists: bool,
    /// When the BMC says its password expires.
    pub expiration: Option<Timestamp>,
    pub now: Timestamp,
}

pub(super) fn decide(observed: &Observed<'_>) -> Step {
    let user = observed.user;
    let Some(wanted) = &user.spec.bmc_secret_ref else {
        return Step::Store;
    };
    let status = user.status.as_ref();
    let effective = status.and_then(|status| status.effective_bmc_secret_ref.as_ref());
    // First: a change that is under way is completed, whatever else is asked for.
    if !observed.exists || effective != Some(wanted) {
        return Step::Set;
    }
    if is_requested(user) {
        return Step::Store;
    }
    let rotated = status
        .and_then(|status| status.last_rotation.as_ref())
        .map(|time| time.0);
    // A BMC that goes on saying that the old password has expired says nothing about the new one (W44).
    let expires = observed
        .expiration
        .filter(|expires| rotated.is_none_or(|rotated| rotated < *expires));
    let period = period(user);
    let due = [expires, period.and_then(|period| rotated?.checked_add(period).ok())];
    match due.into_iter().flatten().min() {
        Some(due) if due <= observed.now => Step::Store,
        // What is left, not the whole period (W17).
        Some(due) => Step::Rest(Duration::try_from(due.duration_since(observed.now)).ok()),
        None => Step::Rest(None),
    }
}

/// Whether somebody asked for a rotation.
pub(super) fn is_requested(user: &BMCUser) -> bool {
    let request = user.annotations().get(keys::OPERATION_ANNOTATION);
    request.is_some_and(|request| request == keys::operation::ROTATE_CREDENTIALS)
}

/// How long a password lasts; `None` for ever, or if nobody understands what was written.
fn period(user: &BMCUser) -> Option<Duration> {
    let period: GoDuration = user.spec.rotation_period.as_deref()?.parse().ok()?;
    Some(period.get()).filter(|period| !period.is_zero())
}

/// The name of the next secret: one after the one that is in use, so that a crash does not leave several.
pub(super) fn next_secret(user: &BMCUser) -> String {
    let name = user.name_any();
    let current = user.spec.bmc_secret_ref.as_ref();
    let number = current
        .and_then(|current| current.name.strip_prefix(&format!("{name}-"))?.parse::<u64>().ok())
        .unwrap_or(0);
    format!("{name}-{}", number + 1)
}

#[cfg(test)]
mod tests {
    use crds::LocalObjectReference;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn user(wanted: Option<&str>, effective: Option<&str>) -> BMCUser {
        let spec = serde_json::json!({ "userName": "audit", "roleID": "ReadOnly", "rotationPeriod": "1h0m0s" });
        let mut user = BMCUser::new("audit", serde_json::from_value(spec).unwrap());
        user.spec.bmc_secret_ref = wanted.map(LocalObjectReference::named);
        let status = user.status.get_or_insert_default();
        status.effective_bmc_secret_ref = effective.map(LocalObjectReference::named);
        status.last_rotation = Some(Time(at(1000)));
        user
    }

    fn decided(user: &BMCUser, exists: bool, expiration: Option<i64>, now: i64) -> Step {
        decide(&Observed {
            user,
            exists,
            expiration: expiration.map(at),
            now: at(now),
        })
    }

    #[test]
    fn stored_then_set_then_left_alone() {
        let rest = |seconds| Step::Rest(Some(Duration::from_secs(seconds)));
        assert_eq!(decided(&user(None, None), false, None, 1000), Step::Store);
        assert_eq!(decided(&user(Some("audit-1"), None), false, None, 1000), Step::Set);
        // Set, and the status was not written any more.
        assert_eq!(decided(&user(Some("audit-1"), None), true, None, 1000), Step::Set);
        let settled = user(Some("audit-1"), Some("audit-1"));
        assert_eq!(decided(&settled, true, None, 1000), rest(3600));
        assert_eq!(decided(&settled, true, None, 4000), rest(600), "what is left (W17)");
        assert_eq!(decided(&settled, true, None, 4600), Step::Store);
        assert_eq!(
            decided(&settled, false, None, 1000),
            Step::Set,
            "somebody deleted the account"
        );
        // A rotation under way is completed, not begun again.
        assert_eq!(
            decided(&user(Some("audit-2"), Some("audit-1")), true, None, 9999),
            Step::Set
        );
    }

    #[test]
    fn requests_and_expiries() {
        let mut asked = user(Some("audit-1"), Some("audit-1"));
        let annotations = asked.annotations_mut();
        annotations.insert(keys::OPERATION_ANNOTATION.into(), "rotate-credentials".into());
        assert_eq!(decided(&asked, true, None, 1000), Step::Store);
        let settled = user(Some("audit-1"), Some("audit-1"));
        assert_eq!(decided(&settled, true, Some(1200), 1200), Step::Store);
        assert_eq!(
            decided(&settled, true, Some(1200), 1100),
            Step::Rest(Some(Duration::from_secs(100)))
        );
        // Rotated since (W44).
        assert_eq!(
            decided(&settled, true, Some(900), 1000),
            Step::Rest(Some(Duration::from_secs(3600)))
        );
        let mut lasting = settled;
        lasting.spec.rotation_period = None;
        assert_eq!(decided(&lasting, true, None, 99_999), Step::Rest(None));
    }

    #[test]
    fn secrets_are_counted() {
        for (current, expected) in [
            (None, "audit-1"),
            (Some("audit-1"), "audit-2"),
            (Some("audit-41"), "audit-42"),
            (Some("mine"), "audit-1"),
            (Some("audit-x7k2p"), "audit-1"),
        ] {
            assert_eq!(next_secret(&user(current, None)), expected);
        }
    }
}
