//! Every change of holder, as one patch. Pure: what is written, not how.
//!
//! | change | who holds the machine afterwards |
//! |---|---|
//! | [`Change::Bind`] | the claim |
//! | [`Change::Adopt`] | the claim that an older operator had bound without UID |
//! | [`Change::Readopt`] | the same claim, after both came back from a backup |
//! | [`Change::StartDiscovery`], [`Change::EndDiscovery`] | the discovery run, nobody |
//! | [`Change::Release`] | the cleanup run (or, with `Retain`, nobody, until an administrator decides) |
//! | [`Change::BeginCleanup`] | a new cleanup run |
//! | [`Change::Vacate`] | nobody; the server may be claimed again |
//!
//! Each but the third raises `spec.tenancyEpoch` by one, and each carries the resourceVersion of the Server that was decided upon.

use crds::keys;
use crds::kinds::server::{KnownDrive, MaintenanceReference};
use crds::{ObjectReference, Server};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::last_use;
use super::maintenance;
use super::origin;
use super::provisioning::{self, Provisioning};
use crate::sabotage::{self, Bug};

/// Stands where the UID of a claim would, if an older operator bound it without and it was gone before anybody could look. No claim has it: who
/// is made anew under that name is another tenant.
fn unknown_holder(server: &Server) -> String {
    format!("unknown-{}", server.uid().unwrap_or_default())
}

/// A change of a Server's spec or metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The claim takes the server. What it writes to the drives is residue from now on.
    Bind {
        namespace: String,
        name: String,
        uid: String,
    },
    /// A reference without UID (or without residue) is completed, after a live read of its claim.
    Adopt { uid: String },
    /// A restored Server names its claim again, which has another UID if it was restored, too. The tenancy goes on.
    Readopt { uid: String },
    /// The discovery run takes the unheld server and boots from this configuration.
    StartDiscovery { boot: ObjectReference },
    /// The discovery run gives the server back.
    EndDiscovery,
    /// The claim is gone and the machine is off.
    Release,
    /// A cleanup run takes the server, over residue that nobody holds or after a failed run. Consumes a `retry` request.
    BeginCleanup,
    /// Drives of the last tenancy, of which some were seen only now.
    KnowDrives(Vec<KnownDrive>),
    /// Wipe proven, or not asked for: reference and residue go.
    Vacate { at: Timestamp },
    /// What the server boots from; the holder stays.
    Boot(Option<ObjectReference>),
    /// How far the holder's provisioning is; the holder stays.
    Provisioning(Provisioning),
    /// The deprecated `spec.power`.
    ClearPower,
    /// Resource of the system, found by UUID.
    SystemUri(String),
    /// A request in the operation annotation was consumed.
    ClearRequest,
    /// The machine is off, and others may work on it.
    Park,
    /// Others are done.
    Unpark,
    /// A maintenance gets the server; the holder stays.
    BeginMaintenance(MaintenanceReference),
    /// The maintenance is over, or was never there.
    EndMaintenance,
    /// The machine is about to be started for this maintenance (or what was started for one is gone).
    StartedForMaintenance(Option<String>),
}

impl Change {
    /// The merge patch, with the precondition.
    pub fn patch(&self, server: &Server) -> Value {
        let epoch = server.tenancy_epoch();
        let mut metadata = json!({ "resourceVersion": server.resource_version() });
        let spec = match self {
            Self::Bind { namespace, name, uid } => json!({
                "serverClaimRef": { "namespace": namespace, "name": name, "uid": uid },
                "tenancyEpoch": epoch + 1,
                "residueEpoch": epoch + 1,
                "residueDrives": drives(server),
            }),
            Self::Adopt { uid } => json!({
                "serverClaimRef": { "uid": uid },
                "tenancyEpoch": epoch + 1,
                "residueEpoch": epoch + 1,
                "residueDrives": drives(server),
            }),
            Self::Readopt { uid } => json!({ "serverClaimRef": { "uid": uid } }),
            Self::StartDiscovery { boot } => json!({ "tenancyEpoch": epoch + 1, "bootConfigurationRef": boot }),
            // Without UID the reference would look like one to be adopted, and be released again and again. Nobody has wiped what was there.
            Self::Release if Tenancy::of(server) == Tenancy::Unfenced => json!({
                "serverClaimRef": { "uid": unknown_holder(server) },
                "tenancyEpoch": epoch + 1,
                "residueEpoch": epoch,
                "residueDrives": drives(server),
                "bootConfigurationRef": null,
            }),
            Self::EndDiscovery | Self::Release => json!({ "tenancyEpoch": epoch + 1, "bootConfigurationRef": null }),
            Self::BeginCleanup => {
                if requested(server) == Some(keys::operation::RETRY) {
                    metadata["annotations"] = json!({ keys::OPERATION_ANNOTATION: null });
                }
                json!({ "tenancyEpoch": epoch + 1, "bootConfigurationRef": null })
            }
            Self::KnowDrives(drives) => json!({ "residueDrives": drives }),
            Self::Vacate { .. } => json!({
                "tenancyEpoch": epoch + 1,
                "serverClaimRef": null,
                "residueEpoch": null,
                "residueDrives": null,
                "bootConfigurationRef": null,
            }),
            Self::Boot(reference) => json!({ "bootConfigurationRef": reference }),
            Self::ClearPower => json!({ "power": null }),
            Self::SystemUri(uri) => json!({ "systemURI": uri }),
            Self::Provisioning(provisioning) => {
                metadata["annotations"] = json!({ provisioning::ANNOTATION: provisioning.value(epoch) });
                return json!({ "metadata": metadata });
            }
            Self::BeginMaintenance(reference) => json!({ "serverMaintenanceRef": reference }),
            Self::EndMaintenance => json!({ "serverMaintenanceRef": null, "maintenanceBootConfigurationRef": null }),
            Self::StartedForMaintenance(mark) => {
                metadata["annotations"] = json!({ maintenance::STARTED_ANNOTATION: mark });
                return json!({ "metadata": metadata });
            }
            Self::ClearRequest => {
                metadata["annotations"] = json!({ keys::OPERATION_ANNOTATION: null });
                return json!({ "metadata": metadata });
            }
            Self::Park | Self::Unpark => {
                let parked = matches!(self, Self::Park).then_some("true");
                metadata["annotations"] = json!({ keys::PARKED_ANNOTATION: parked, keys::OPERATION_ANNOTATION: null });
                return json!({ "metadata": metadata });
            }
        };
        if matches!(self, Self::Bind { .. } | Self::Adopt { .. } | Self::Readopt { .. }) {
            metadata["annotations"] = json!({ origin::ANNOTATION: server.metadata.uid });
        }
        // A machine that an older operator had running for the claim was provisioned by it.
        if matches!(self, Self::Adopt { .. }) {
            metadata["annotations"][provisioning::ANNOTATION] = json!(Provisioning::Booted.value(epoch + 1));
        }
        // Incident 11.
        if sabotage::active(Bug::ReleaseWithoutFence) && matches!(self, Self::Release | Self::Vacate { .. }) {
            metadata["resourceVersion"] = Value::Null;
            if matches!(self, Self::Vacate { .. }) {
                return json!({ "metadata": metadata, "spec": {
                    "serverClaimRef": null, "residueEpoch": null, "bootConfigurationRef": null,
                } });
            }
        }
        if let Self::Vacate { at } = self {
            metadata["annotations"] = json!({ last_use::ANNOTATION: last_use::value(*at) });
            if server.annotations().contains_key(provisioning::ANNOTATION) {
                metadata["annotations"][provisioning::ANNOTATION] = Value::Null;
            }
        }
        json!({ "metadata": metadata, "spec": spec })
    }
}

/// The drives that the BMC last listed, except empty bays, and those that the probe saw.
pub fn drives(server: &Server) -> Vec<KnownDrive> {
    let Some(status) = &server.status else {
        return Vec::new();
    };
    let listed = status.storages.iter().flat_map(|storage| &storage.drives);
    let listed = listed
        .filter(|drive| drive.state.as_deref() != Some("Absent"))
        .filter_map(|drive| drive.name.clone())
        .map(|name| KnownDrive {
            name,
            serial_number: None,
        });
    listed.chain(status.drives.iter().cloned()).collect()
}

/// The value of the operation annotation.
pub fn requested(server: &Server) -> Option<&str> {
    server.annotations().get(keys::OPERATION_ANNOTATION).map(String::as_str)
}

/// Who may use the machine according to `spec` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// Nobody, or a discovery run; no tenant data.
    Free,
    /// The claim of `serverClaimRef`.
    Held,
    /// The claim let go (or an administrator took the reference away in mid-tenancy): tenant data is on the drives.
    Residue {
        /// A cleanup run, or a retained server's "nobody", has an epoch of its own already.
        released: bool,
    },
    /// A reference written by an older operator, without UID or without epoch.
    Unfenced,
}

impl Tenancy {
    pub fn of(server: &Server) -> Self {
        let epoch = server.tenancy_epoch();
        match (&server.spec.server_claim_ref, server.spec.residue_epoch) {
            (None, None) => Self::Free,
            // Incident 95.
            (None, Some(_)) if sabotage::active(Bug::ClearedReferenceIsFree) => Self::Free,
            (None, Some(residue)) => Self::Residue {
                released: epoch > residue,
            },
            (Some(claim), Some(residue)) if claim.uid.is_some() && residue == epoch => Self::Held,
            (Some(claim), Some(residue)) if claim.uid.is_some() => Self::Residue {
                released: epoch > residue,
            },
            (Some(_), _) => Self::Unfenced,
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::ClaimReference;

    use super::*;

    fn server(uid: Option<&str>, referenced: bool, epoch: i64, residue: Option<i64>) -> Server {
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.metadata.resource_version = Some("7".into());
        server.spec.tenancy_epoch = Some(epoch);
        server.spec.residue_epoch = residue;
        server.spec.server_claim_ref = referenced.then(|| ClaimReference {
            namespace: "ns".into(),
            name: "claim".into(),
            uid: uid.map(Into::into),
        });
        server
    }

    fn vacate() -> Change {
        Change::Vacate {
            at: Timestamp::from_second(90).unwrap(),
        }
    }

    #[test]
    fn the_end_of_a_tenancy_is_remembered_where_its_beginning_was() {
        let mut held = server(Some("u"), true, 3, Some(3));
        let used = json!({ last_use::ANNOTATION: "1970-01-01T00:01:30Z" });
        assert_eq!(vacate().patch(&held)["metadata"]["annotations"], used);
        let annotations = held.annotations_mut();
        annotations.insert(provisioning::ANNOTATION.into(), "3:Booted".into());
        let both = json!({ last_use::ANNOTATION: "1970-01-01T00:01:30Z", provisioning::ANNOTATION: null });
        assert_eq!(vacate().patch(&held)["metadata"]["annotations"], both);
    }

    #[test]
    fn tenancy_is_read_from_spec_alone() {
        for (server, expected) in [
            (server(None, false, 3, None), Tenancy::Free),
            (server(Some("u"), true, 3, Some(3)), Tenancy::Held),
            (server(Some("u"), true, 4, Some(3)), Tenancy::Residue { released: true }),
            (server(None, false, 4, Some(3)), Tenancy::Residue { released: true }),
            (server(None, false, 3, Some(3)), Tenancy::Residue { released: false }),
            (server(None, true, 3, None), Tenancy::Unfenced),
            (server(Some("u"), true, 3, None), Tenancy::Unfenced),
            (server(None, true, 3, Some(3)), Tenancy::Unfenced),
        ] {
            assert_eq!(Tenancy::of(&server), expected, "{:?}", server.spec);
        }
    }

    #[test]
    fn every_change_of_holder_has_a_precondition_and_a_new_epoch() {
        let boot = ObjectReference {
            namespace: "metal".into(),
            name: "a".into(),
        };
        let held = server(Some("u"), true, 3, Some(3));
        for change in [
            Change::Bind {
                namespace: "ns".into(),
                name: "claim".into(),
                uid: "u".into(),
            },
            Change::Adopt { uid: "u".into() },
            Change::StartDiscovery { boot },
            Change::EndDiscovery,
            Change::Release,
            Change::BeginCleanup,
            vacate(),
        ] {
            let patch = change.patch(&held);
            assert_eq!(patch["metadata"]["resourceVersion"], "7", "{change:?}");
            assert_eq!(patch["spec"]["tenancyEpoch"], 4, "{change:?}");
        }
    }

    #[test]
    fn a_tenant_whom_nobody_knew_is_released_once() {
        let mut unfenced = server(None, true, 0, None);
        unfenced.spec.tenancy_epoch = None;
        for mut held in [unfenced, server(None, true, 3, Some(2)), server(None, true, 3, Some(3))] {
            assert_eq!(Tenancy::of(&held), Tenancy::Unfenced);
            let spec = Change::Release.patch(&held)["spec"].clone();
            held.spec.tenancy_epoch = spec["tenancyEpoch"].as_i64();
            held.spec.residue_epoch = spec["residueEpoch"].as_i64();
            held.spec.server_claim_ref.as_mut().unwrap().uid = spec["serverClaimRef"]["uid"].as_str().map(Into::into);
            assert_eq!(Tenancy::of(&held), Tenancy::Residue { released: true }, "{spec}");
        }
    }

    #[test]
    fn after_a_restore_the_tenancy_goes_on() {
        let mut held = server(Some("u"), true, 3, Some(3));
        held.metadata.uid = Some("new-server".into());
        let patch = Change::Readopt {
            uid: "new-claim".into(),
        }
        .patch(&held);
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(
            patch["metadata"]["annotations"],
            json!({ origin::ANNOTATION: "new-server" })
        );
        assert_eq!(patch["spec"], json!({ "serverClaimRef": { "uid": "new-claim" } }));
    }

    #[test]
    fn a_tenancy_begins_with_the_drives_that_are_there() {
        use crds::kinds::server_status::{Storage, StorageDrive};
        let mut free = server(None, false, 3, None);
        let drive = |name: &str, state: &str| StorageDrive {
            name: Some(name.into()),
            state: Some(state.into()),
            ..StorageDrive::default()
        };
        free.status = Some(crds::ServerStatus {
            storages: vec![Storage {
                drives: vec![drive("sda", "Enabled"), drive("sdb", "Absent")],
                ..Storage::default()
            }],
            drives: vec![KnownDrive {
                name: "/dev/sdc".into(),
                serial_number: Some("C".into()),
            }],
            ..crds::ServerStatus::default()
        });
        let bind = Change::Bind {
            namespace: "ns".into(),
            name: "claim".into(),
            uid: "u".into(),
        };
        assert_eq!(
            bind.patch(&free)["spec"]["residueDrives"],
            json!([
                { "name": "sda" },
                { "name": "/dev/sdc", "serialNumber": "C" },
            ])
        );
        assert_eq!(vacate().patch(&free)["spec"]["residueDrives"], Value::Null);
    }

    #[test]
    fn retry_is_consumed_by_the_patch_that_honours_it() {
        let mut failed = server(Some("u"), true, 4, Some(3));
        failed
            .annotations_mut()
            .insert(keys::OPERATION_ANNOTATION.into(), keys::operation::RETRY.into());
        let patch = Change::BeginCleanup.patch(&failed);
        assert_eq!(
            patch["metadata"]["annotations"][keys::OPERATION_ANNOTATION],
            Value::Null
        );
        assert!(patch["metadata"]["annotations"].is_object());
    }
}
