//! The Kubernetes kinds that steps may name: those of the operator's API, and those it works with.

/// A kind, as the API server serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKind {
    pub kind: &'static str,
    /// `""` for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
}

const METAL: &str = crds::GROUP;

/// All kinds that a step may name.
pub const ALL: [KnownKind; 22] = [
    metal("Endpoint", "endpoints", false),
    metal("BMC", "bmcs", false),
    metal("BMCSecret", "bmcsecrets", false),
    metal("BMCUser", "bmcusers", false),
    metal("Server", "servers", false),
    metal("ServerClaim", "serverclaims", true),
    metal("ServerBootConfiguration", "serverbootconfigurations", true),
    metal("ServerReadinessRule", "serverreadinessrules", false),
    metal("ServerMaintenance", "servermaintenances", true),
    metal("BIOSSettings", "biossettings", false),
    metal("BIOSVersion", "biosversions", false),
    metal("BMCSettings", "bmcsettings", false),
    metal("BMCVersion", "bmcversions", false),
    metal("BIOSSettingsSet", "biossettingssets", false),
    metal("BIOSVersionSet", "biosversionsets", false),
    metal("BMCSettingsSet", "bmcsettingssets", false),
    metal("BMCVersionSet", "bmcversionsets", false),
    known("Secret", "", "v1", "secrets", true),
    known("ConfigMap", "", "v1", "configmaps", true),
    known("Namespace", "", "v1", "namespaces", false),
    known("Event", "", "v1", "events", true),
    known("Lease", "coordination.k8s.io", "v1", "leases", true),
];

const fn metal(kind: &'static str, plural: &'static str, namespaced: bool) -> KnownKind {
    known(kind, METAL, crds::VERSION, plural, namespaced)
}

const fn known(
    kind: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> KnownKind {
    KnownKind {
        kind,
        group,
        version,
        plural,
        namespaced,
    }
}

/// The kind of this name.
pub fn find(kind: &str) -> Option<KnownKind> {
    ALL.into_iter().find(|known| known.kind == kind)
}

impl KnownKind {
    /// As manifests write it: `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// For untyped clients.
    pub fn api_resource(&self) -> kube::core::ApiResource {
        kube::core::ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}
