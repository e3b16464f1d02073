//! Whether an operator is at work in a cluster: it holds the Lease by which this operator and the Go one elect their leader.

use anyhow::Context;
use crds::keys;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

/// Who leads, if somebody does.
///
/// # Errors
/// The API server's: without an answer nobody can say that none is at work.
pub(super) async fn at_work(client: &Client, now: Timestamp) -> anyhow::Result<Option<String>> {
    let leases: Api<Lease> = Api::all(client.clone());
    let filter = ListParams::default().fields(&format!("metadata.name={}", keys::LEADER_ELECTION_LEASE));
    let list = leases.list(&filter).await;
    let list = list.context("cannot find out whether an operator is at work: Leases cannot be listed")?;
    Ok(list.items.iter().find_map(|lease| holder(lease, now)))
}

fn holder(lease: &Lease, now: Timestamp) -> Option<String> {
    let spec = lease.spec.as_ref()?;
    let holder = spec.holder_identity.as_ref().filter(|holder| !holder.is_empty())?;
    let lasts = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or_default()));
    let until = spec.renew_time.as_ref()?.0 + lasts;
    (until > now).then(|| {
        format!(
            "The operator {holder} (namespace {})",
            lease.namespace().unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_that_is_released_or_over_is_nobodys() {
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
        for (holder_identity, renewed, at_work) in [
            ("me", "2026-01-01T00:00:00.000000Z", true),
            ("me", "2025-12-31T23:59:50.000000Z", false),
            ("", "2026-01-01T00:00:00.000000Z", false),
        ] {
            let lease: Lease = serde_json::from_value(json!({
                "metadata": { "name": keys::LEADER_ELECTION_LEASE, "namespace": "metal" },
                "spec": { "holderIdentity": holder_identity, "leaseDurationSeconds": 15, "renewTime": renewed },
            }))
            .unwrap();
            assert_eq!(holder(&lease, now).is_some(), at_work, "{holder_identity} {renewed}");
        }
    }
}
