//! The four kinds of sets, and what each makes.

use std::collections::{BTreeMap, BTreeSet};

use crds::firmware::{SettingsState, VersionState};
use crds::{
    BIOSSettings, BIOSSettingsSet, BIOSSettingsSetStatus, BIOSVersion, BIOSVersionSet, BIOSVersionSetStatus,
    BMCSettings, BMCSettingsSet, BMCSettingsSetStatus, BMCVersion, BMCVersionSet, BMCVersionSetStatus, VersionStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Value, json};

use super::plan::{Counts, Progress};
use crate::context::Context;
use crate::controllers::firmware::object::Maintained;
use crate::runtime::Cache;

/// What a set chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    Servers,
    Bmcs,
}

/// A set.
pub(super) trait Set:
    kube::Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
    + Clone
    + serde::de::DeserializeOwned
    + std::fmt::Debug
    + Send
    + Sync
{
    type Child: Maintained + Serialize + 'static;
    type Status: Serialize + PartialEq + Default;
    const FINALIZER: &'static str;
    const TARGETS: Targets;
    /// All fields of the template.
    const FIELDS: &'static [&'static str];
    /// How the `spec` of what is made names its target.
    const REFERENCE: &'static str;

    fn selector(&self) -> &LabelSelector;
    /// The template as JSON; null where there is none.
    fn template(&self) -> Value;
    fn status(&self) -> Self::Status;
    fn counted(counts: Counts) -> Self::Status;
    fn children(context: &Context) -> &Cache<Self::Child>;
    fn progress(child: &Self::Child) -> Progress;
    fn conditions(child: &Self::Child) -> Vec<Condition>;
    /// Targets that take their settings from what somebody else has made.
    fn taken(&self, _context: &Context) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

fn of_settings(state: Option<&SettingsState>) -> Progress {
    match state {
        Some(SettingsState::InProgress) => Progress::InProgress,
        Some(SettingsState::Applied) => Progress::Done,
        Some(SettingsState::Failed) => Progress::Failed,
        _ => Progress::Pending,
    }
}

fn of_version(status: Option<&VersionStatus>) -> Progress {
    match status.and_then(|status| status.state.as_ref()) {
        Some(VersionState::InProgress) => Progress::InProgress,
        Some(VersionState::Completed) => Progress::Done,
        Some(VersionState::Failed) => Progress::Failed,
        _ => Progress::Pending,
    }
}

const VERSION_FIELDS: &[&str] = &[
    "version",
    "updatePolicy",
    "image",
    "retryPolicy",
    "serverMaintenancePolicy",
];

/// Bound targets by the name of what they are bound to, without those that this set has made.
fn others<K: Maintained + 'static>(
    cache: &Cache<K>,
    owner: Option<&str>,
    bound: BTreeMap<String, String>,
) -> BTreeSet<String> {
    let is_others = |name: &str| {
        cache.get(name).is_some_and(|object| {
            !object
                .owner_references()
                .iter()
                .any(|known| Some(known.uid.as_str()) == owner)
        })
    };
    bound
        .into_iter()
        .filter(|(_, name)| is_others(name))
        .map(|(target, _)| target)
        .collect()
}

macro_rules! set {
    ($set:ty, $child:ty, $status:ident, $finalizer:ident, $targets:ident, $selector:ident,
        $reference:literal, $fields:expr, $cache:ident, $template:expr, $progress:expr, $taken:expr) => {
        impl Set for $set {
            type Child = $child;
            type Status = $status;
            const FINALIZER: &'static str = crds::keys::finalizer::$finalizer;
            const TARGETS: Targets = Targets::$targets;
            const FIELDS: &'static [&'static str] = $fields;
            const REFERENCE: &'static str = $reference;

            fn selector(&self) -> &LabelSelector {
                &self.spec.$selector
            }

            fn template(&self) -> Value {
                let template: fn(&Self) -> Value = $template;
                template(self)
            }

            fn status(&self) -> Self::Status {
                self.status.clone().unwrap_or_default()
            }

            fn counted(counts: Counts) -> Self::Status {
                $status {
                    targets: Some(counts.targets),
                    available: Some(counts.available),
                    pending: Some(counts.pending),
                    in_progress: Some(counts.in_progress),
                    completed: Some(counts.completed),
                    failed: Some(counts.failed),
                }
            }

            fn children(context: &Context) -> &Cache<Self::Child> {
                &context.caches.$cache
            }

            fn progress(child: &Self::Child) -> Progress {
                let progress: fn(&Self::Child) -> Progress = $progress;
                progress(child)
            }

            fn conditions(child: &Self::Child) -> Vec<Condition> {
                let status = child.status.as_ref();
                status.map(|status| status.conditions.clone()).unwrap_or_default()
            }

            fn taken(&self, context: &Context) -> BTreeSet<String> {
                let taken: fn(&Self, &Context) -> BTreeSet<String> = $taken;
                taken(self, context)
            }
        }
    };
}

set!(
    BIOSSettingsSet,
    BIOSSettings,
    BIOSSettingsSetStatus,
    BIOS_SETTINGS_SET,
    Servers,
    server_selector,
    "serverRef",
    &["version", "settingsFlow", "retryPolicy", "serverMaintenancePolicy"],
    bios_settings,
    |set| json!(set.spec.bios_settings_template),
    |child| of_settings(child.status.as_ref().and_then(|status| status.state.as_ref())),
    |set, context| {
        let bound = context.caches.servers.all().into_iter().filter_map(|server| {
            let name = server.spec.bios_settings_ref.as_ref()?.name.clone();
            Some((server.name_any(), name))
        });
        others(&context.caches.bios_settings, set.uid().as_deref(), bound.collect())
    }
);
set!(
    BIOSVersionSet,
    BIOSVersion,
    BIOSVersionSetStatus,
    BIOS_VERSION_SET,
    Servers,
    server_selector,
    "serverRef",
    VERSION_FIELDS,
    bios_versions,
    |set| json!(set.spec.bios_version_template),
    |child| of_version(child.status.as_ref()),
    |_, _| BTreeSet::new()
);
set!(
    BMCSettingsSet,
    BMCSettings,
    BMCSettingsSetStatus,
    BMC_SETTINGS_SET,
    Bmcs,
    bmc_selector,
    "BMCRef",
    &[
        "version",
        "settings",
        "variables",
        "retryPolicy",
        "serverMaintenancePolicy"
    ],
    bmc_settings,
    |set| json!(set.spec.bmc_settings_template),
    |child| of_settings(child.status.as_ref().and_then(|status| status.state.as_ref())),
    |set, context| {
        let bound = context.caches.bmcs.all().into_iter().filter_map(|bmc| {
            let name = bmc.spec.bmc_settings_ref.as_ref()?.name.clone();
            Some((bmc.name_any(), name))
        });
        others(&context.caches.bmc_settings, set.uid().as_deref(), bound.collect())
    }
);
set!(
    BMCVersionSet,
    BMCVersion,
    BMCVersionSetStatus,
    BMC_VERSION_SET,
    Bmcs,
    bmc_selector,
    "bmcRef",
    VERSION_FIELDS,
    bmc_versions,
    |set| json!(set.spec.bmc_version_template),
    |child| of_version(child.status.as_ref()),
    |_, _| BTreeSet::new()
);
