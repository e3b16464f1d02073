//! Server: one physical machine (contract section 1.6) with our fencing fields (design section 4).

use crate::kinds::server_status::ServerStatus;
use crate::open_enum::open_enum;
use crate::shared::{LocalObjectReference, ObjectReference, Power, Protocol, SystemUuid, Taint};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "One physical machine.",
    kind = "Server",
    plural = "servers",
    singular = "server",
    shortname = "srv",
    status = "ServerStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"SystemUUID","type":"string","jsonPath":".spec.systemUUID"}"#,
    printcolumn = r#"{"name":"Manufacturer","type":"string","jsonPath":".status.manufacturer"}"#,
    printcolumn = r#"{"name":"Model","type":"string","jsonPath":".status.model"}"#,
    printcolumn = r#"{"name":"Memory","type":"string","jsonPath":".status.totalSystemMemory"}"#,
    printcolumn = r#"{"name":"SKU","type":"string","jsonPath":".status.sku","priority":100}"#,
    printcolumn = r#"{"name":"SerialNumber","type":"string","jsonPath":".status.serialNumber","priority":100}"#,
    printcolumn = r#"{"name":"PowerState","type":"string","jsonPath":".status.powerState"}"#,
    printcolumn = r#"{"name":"IndicatorLED","type":"string","jsonPath":".status.indicatorLED","priority":100}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Unclaimable","type":"boolean","jsonPath":".spec.unclaimable","priority":100}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = json!([
    {
        "rule": "!has(oldSelf.tenancyEpoch) || (has(self.tenancyEpoch) && self.tenancyEpoch >= oldSelf.tenancyEpoch)",
        "message": "tenancyEpoch never decreases"
    },
    {
        "rule": "!has(oldSelf.serverClaimRef) || !has(self.serverClaimRef) || !has(oldSelf.serverClaimRef.uid) || (has(self.serverClaimRef.uid) && (self.serverClaimRef.uid == oldSelf.serverClaimRef.uid || (self.serverClaimRef.__namespace__ == oldSelf.serverClaimRef.__namespace__ && self.serverClaimRef.name == oldSelf.serverClaimRef.name && has(self.tenancyEpoch) && has(oldSelf.tenancyEpoch) && self.tenancyEpoch == oldSelf.tenancyEpoch)))",
        "message": "one holder is never replaced by another; release the server first (a claim of the same name, restored from a backup, may continue its tenancyEpoch)"
    },
    {
        "rule": "has(oldSelf.serverClaimRef) || !has(self.serverClaimRef) || !has(self.serverClaimRef.uid) || (has(self.tenancyEpoch) && (!has(oldSelf.tenancyEpoch) || self.tenancyEpoch > oldSelf.tenancyEpoch))",
        "message": "a new holder starts a new tenancyEpoch"
    },
    {
        "rule": "!has(oldSelf.serverMaintenanceRef) || !has(self.serverMaintenanceRef) || (self.serverMaintenanceRef.__namespace__ == oldSelf.serverMaintenanceRef.__namespace__ && self.serverMaintenanceRef.name == oldSelf.serverMaintenanceRef.name && (!has(oldSelf.serverMaintenanceRef.uid) || (has(self.serverMaintenanceRef.uid) && self.serverMaintenanceRef.uid == oldSelf.serverMaintenanceRef.uid)))",
        "message": "one maintenance is never replaced by another; it ends first"
    },
    {
        "rule": "!has(self.serverMaintenanceRef) || !has(self.serverClaimRef) || has(oldSelf.serverClaimRef) || !has(oldSelf.serverMaintenanceRef)",
        "message": "a server in maintenance is not claimed"
    }
])))]
pub struct ServerSpec {
    #[serde(rename = "systemUUID")]
    pub system_uuid: SystemUuid,
    /// Redfish `@odata.id` of the system.
    #[serde(rename = "systemURI", default, skip_serializing_if = "Option::is_none")]
    pub system_uri: Option<String>,
    /// Deprecated; the operator clears it on sight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<Power>,
    #[serde(rename = "indicatorLED", default, skip_serializing_if = "Option::is_none")]
    pub indicator_led: Option<IndicatorLed>,
    #[serde(default)]
    #[schemars(extend("default" = "Recycle"))]
    pub reclaim_policy: ReclaimPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_claim_ref: Option<ClaimReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_ref: Option<LocalObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc: Option<InlineBmc>,
    /// The BIOSSettings of this machine; written by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios_settings_ref: Option<LocalObjectReference>,
    /// The maintenance that has the server. Set and cleared by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_maintenance_ref: Option<MaintenanceReference>,
    /// What the server boots during that maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_boot_configuration_ref: Option<ObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_configuration_ref: Option<ObjectReference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_order: Vec<BootOrderEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub unclaimable: bool,
    /// Grows by one whenever the holder of the machine changes: to a claim, to discovery, to cleanup, back to none. It
    /// lives in `spec` because `status` may be lost, and a lost status must never cause a boot, power change or wipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy_epoch: Option<i64>,
    /// Epoch of the last tenancy whose data may still be on the drives. Set together with `serverClaimRef`, cleared only by a
    /// proven cleanup. While it is set, the server is not claimable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residue_epoch: Option<i64>,
    /// The drives that the machine had when that tenancy began. Each has to be proven erased; one that is missing may come back with data
    /// on it. Here and not in the status, which does not survive a restore from a backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residue_drives: Vec<KnownDrive>,
    /// What happens to a released server; the operator's `--cleanup-policy` where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup_policy: Option<CleanupPolicy>,
}

open_enum! {
    /// Redfish `IndicatorLED`.
    IndicatorLed { Unknown = "Unknown", Lit = "Lit", Blinking = "Blinking", Off = "Off" }
}

/// What happens to a server when its claim is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// Offered again.
    #[default]
    Recycle,
    /// Kept in `Released` until an administrator clears `serverClaimRef`.
    Retain,
}

/// Whether a released server is wiped before it is offered again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CleanupPolicy {
    /// Every drive is erased, with evidence, before anybody can claim the server.
    #[default]
    Secure,
    /// No cleanup, as the Go operator does: the next tenant can read what is on the drives.
    Skip,
}

/// The claim that holds a server. Who holds it is decided by `uid`; a claim re-created under the same name is another
/// tenant. A reference without `uid` was written by an older operator and is adopted once, after a live read of the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimReference {
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf"}])))]
    pub namespace: String,
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf"}])))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub uid: Option<String>,
}

/// The maintenance that has a server. One that is made again under the same name is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MaintenanceReference {
    #[schemars(length(max = 63))]
    pub namespace: String,
    #[schemars(length(max = 253))]
    pub name: String,
    /// Not there in references that an older operator has written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub uid: Option<String>,
}

/// Access to a BMC stated on the server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineBmc {
    pub protocol: Protocol,
    pub address: String,
    pub bmc_secret_ref: LocalObjectReference,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootOrderEntry {
    pub name: String,
    #[schemars(extend("format" = null))]
    pub priority: i32,
    /// Redfish boot option reference, for example `Boot0001`.
    pub device: String,
}

/// A drive as it was seen before.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownDrive {
    /// Redfish `Name`, or the device path.
    pub name: String,
    /// Of a drive that the probe has seen; the BMC lists others by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

impl Server {
    /// The epoch of the current holder; zero before the first.
    pub fn tenancy_epoch(&self) -> i64 {
        self.spec.tenancy_epoch.unwrap_or_default()
    }
}
