//! The `metal.ironcore.dev/v1alpha1` API: every kind as a Rust type, and the CustomResourceDefinitions made from it.
//!
//! | module | subject |
//! |---|---|
//! | [`kinds`] | one file per kind, fields and validation exactly as the wire contract states them |
//! | [`shared`] | types used by several kinds (references, protocol, taints, system UUID) |
//! | [`firmware`] | types of the kinds that change firmware and its settings |
//! | [`keys`] | labels, annotations, finalizers and other fixed strings |
//! | [`schema`] | JSON schemas of Kubernetes types (Condition, LabelSelector, Quantity, Time) |
//! | [`manifest`] | the CRDs as objects and as the YAML files of `crds/manifests/` |
//!
//! No behaviour lives here beyond pure helpers of a type.

pub mod firmware;
pub mod keys;
pub mod kinds;
pub mod manifest;
mod open_enum;
pub mod schema;
pub mod shared;

pub use kinds::{
    bios_settings::{BIOSSettings, BIOSSettingsSpec, BIOSSettingsStatus, BIOSSettingsTemplate},
    bios_settings_set::{BIOSSettingsSet, BIOSSettingsSetSpec, BIOSSettingsSetStatus},
    bios_version::{BIOSVersion, BIOSVersionSpec, VersionStatus, VersionTemplate},
    bios_version_set::{BIOSVersionSet, BIOSVersionSetSpec, BIOSVersionSetStatus},
    bmc::{BMC, BMCSpec, BMCStatus},
    bmc_secret::BMCSecret,
    bmc_settings::{BMCSettings, BMCSettingsSpec, BMCSettingsStatus, BMCSettingsTemplate},
    bmc_settings_set::{BMCSettingsSet, BMCSettingsSetSpec, BMCSettingsSetStatus},
    bmc_user::{BMCUser, BMCUserSpec, BMCUserStatus},
    bmc_version::{BMCVersion, BMCVersionSpec},
    bmc_version_set::{BMCVersionSet, BMCVersionSetSpec, BMCVersionSetStatus},
    endpoint::{Endpoint, EndpointSpec, EndpointStatus},
    server::{Server, ServerSpec},
    server_boot_configuration::{
        BootConfigurationState, ServerBootConfiguration, ServerBootConfigurationSpec, ServerBootConfigurationStatus,
    },
    server_claim::{ClaimPhase, ServerClaim, ServerClaimSpec, ServerClaimStatus},
    server_maintenance::{
        MaintenancePolicy, MaintenanceState, ServerMaintenance, ServerMaintenanceSpec, ServerMaintenanceStatus,
    },
    server_readiness_rule::{ServerReadinessRule, ServerReadinessRuleSpec},
    server_status::{ServerState, ServerStatus},
};
pub use shared::{LocalObjectReference, ObjectReference, Power, Protocol, ProtocolName, SystemUuid, Taint, Toleration};

/// API group of every kind.
pub const GROUP: &str = "metal.ironcore.dev";
/// The only served and stored version.
pub const VERSION: &str = "v1alpha1";
