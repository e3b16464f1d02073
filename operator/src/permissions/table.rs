//! The table.

use super::Verb::{Create, Delete, Get, List, Patch, Update, Watch};
use super::Within::{Cluster, OwnNamespace};
use super::{Grant, Verb, Within};

const METAL: &str = crds::GROUP;
const CORE: &str = "";

/// Settings and versions of firmware.
const FIRMWARE: &[&str] = &["biossettings", "biosversions", "bmcsettings", "bmcversions"];
const FIRMWARE_STATUS: &[&str] = &[
    "biossettings/status",
    "biosversions/status",
    "bmcsettings/status",
    "bmcversions/status",
];
/// Sets of them.
const FIRMWARE_SETS: &[&str] = &[
    "biossettingssets",
    "biosversionsets",
    "bmcsettingssets",
    "bmcversionsets",
];
const FIRMWARE_SETS_STATUS: &[&str] = &[
    "biossettingssets/status",
    "biosversionsets/status",
    "bmcsettingssets/status",
    "bmcversionsets/status",
];

const fn grant(
    who: &'static str,
    within: Within,
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [Verb],
) -> Grant {
    Grant {
        who,
        group,
        resources,
        verbs,
        within,
    }
}

/// Everything that the operator may do.
pub const GRANTS: &[Grant] = &[
    grant(
        "watches",
        Cluster,
        METAL,
        &[
            "endpoints",
            "bmcs",
            "bmcsecrets",
            "bmcusers",
            "servers",
            "serverclaims",
            "serverbootconfigurations",
            "serverreadinessrules",
            "servermaintenances",
        ],
        &[List, Watch],
    ),
    grant("webhooks", Cluster, METAL, &["endpoints", "servermaintenances"], &[Get]),
    grant("webhooks", Cluster, METAL, FIRMWARE, &[List]),
    grant("endpoint controller", Cluster, METAL, &["endpoints"], &[Patch]),
    grant(
        "endpoint controller",
        Cluster,
        METAL,
        &["bmcs", "bmcsecrets"],
        &[Create],
    ),
    // Off by default: --endpoint-discovery-leases, --endpoint-discovery-ssdp.
    grant("endpoint discovery", Cluster, METAL, &["endpoints"], &[Create]),
    grant("bmc controller", Cluster, METAL, &["bmcs", "bmcs/status"], &[Patch]),
    grant(
        "bmc controller",
        Cluster,
        METAL,
        &["servers"],
        &[Get, Create, Patch, Delete],
    ),
    grant(
        "bmcuser controller",
        Cluster,
        METAL,
        &["bmcusers", "bmcusers/status"],
        &[Patch],
    ),
    // Passwords are stored there; the account may be the operator's own.
    grant(
        "bmcuser controller",
        Cluster,
        METAL,
        &["bmcsecrets"],
        &[Get, Create, Patch],
    ),
    grant("bmcuser controller", Cluster, METAL, &["bmcs"], &[Get, Patch]),
    grant("server controller", Cluster, METAL, &["servers"], &[Get, Patch]),
    grant("server controller", Cluster, METAL, &["servers/status"], &[Patch]),
    grant("server controller", Cluster, METAL, &["serverclaims"], &[Get]),
    grant(
        "server controller",
        Cluster,
        METAL,
        &["serverbootconfigurations"],
        &[Get, Create, Delete],
    ),
    // What discovery and cleanup boot, and the key that registrations are signed with. Never those of tenants: a claim's ignition is
    // read by the boot operator.
    grant(
        "server controller, registry",
        OwnNamespace,
        CORE,
        &["secrets"],
        &[Get, Create, Patch],
    ),
    grant(
        "serverclaim controller",
        Cluster,
        METAL,
        &["serverclaims"],
        &[Get, Patch],
    ),
    grant(
        "serverclaim controller",
        Cluster,
        METAL,
        &["serverclaims/status"],
        &[Patch],
    ),
    grant("serverclaim controller", Cluster, METAL, &["servers"], &[Get, Patch]),
    grant(
        "serverclaim controller",
        Cluster,
        METAL,
        &["serverbootconfigurations"],
        &[Get, Create, Patch, Delete],
    ),
    grant(
        "serverbootconfiguration controller, registry",
        Cluster,
        METAL,
        &["serverbootconfigurations"],
        &[Get],
    ),
    grant(
        "serverbootconfiguration controller, registry",
        Cluster,
        METAL,
        &["serverbootconfigurations/status"],
        &[Patch],
    ),
    grant(
        "serverreadinessrule controller",
        Cluster,
        METAL,
        &["serverreadinessrules"],
        &[Get, List, Patch],
    ),
    grant(
        "serverreadinessrule controller",
        Cluster,
        METAL,
        &["servers"],
        &[List, Patch],
    ),
    grant(
        "firmware controllers",
        Cluster,
        METAL,
        FIRMWARE,
        &[Get, List, Watch, Patch],
    ),
    grant(
        "servermaintenance controller",
        Cluster,
        METAL,
        &["servermaintenances"],
        &[Get, Patch],
    ),
    grant(
        "servermaintenance controller",
        Cluster,
        METAL,
        &["servermaintenances/status"],
        &[Patch],
    ),
    grant(
        "servermaintenance controller",
        Cluster,
        METAL,
        &["servers", "serverclaims"],
        &[Get, Patch],
    ),
    grant(
        "servermaintenance controller",
        Cluster,
        METAL,
        &["serverbootconfigurations"],
        &[Get, Create, Patch],
    ),
    // Variables of BMCSettings. Those of other namespaces are for the administrator to allow.
    grant(
        "firmware controllers",
        OwnNamespace,
        CORE,
        &["configmaps", "secrets"],
        &[Get],
    ),
    grant("firmware controllers", Cluster, METAL, FIRMWARE_STATUS, &[Patch]),
    grant(
        "firmware controllers",
        Cluster,
        METAL,
        &["servermaintenances"],
        &[Get, Create, Patch, Delete],
    ),
    // Which settings a server or BMC has.
    grant("firmware controllers", Cluster, METAL, &["servers"], &[Get, Patch]),
    grant("firmware controllers", Cluster, METAL, &["bmcs"], &[Get, Patch]),
    grant("firmware sets", Cluster, METAL, FIRMWARE_SETS, &[List, Watch, Patch]),
    grant("firmware sets", Cluster, METAL, FIRMWARE_SETS_STATUS, &[Patch]),
    grant("firmware sets", Cluster, METAL, FIRMWARE, &[Create, Patch, Delete]),
    grant("firmware sets", Cluster, METAL, &["servers", "bmcs"], &[Get]),
    // Where the admission plugin OwnerReferencesPermissionEnforcement is on: an owner can be kept from being deleted.
    grant(
        "owner references",
        Cluster,
        METAL,
        &[
            "bmcs/finalizers",
            "bmcusers/finalizers",
            "servers/finalizers",
            "serverclaims/finalizers",
            "serverbootconfigurations/finalizers",
            "servermaintenances/finalizers",
            "biossettings/finalizers",
            "biosversions/finalizers",
            "bmcsettings/finalizers",
            "bmcversions/finalizers",
            "biossettingssets/finalizers",
            "biosversionsets/finalizers",
            "bmcsettingssets/finalizers",
            "bmcversionsets/finalizers",
        ],
        &[Update],
    ),
    // With the same plugin only those may change the owner of an object who may delete it.
    grant("owner references", OwnNamespace, CORE, &["secrets"], &[Delete]),
    grant("events", Cluster, "events.k8s.io", &["events"], &[Create, Patch]),
    grant(
        "leader election",
        OwnNamespace,
        "coordination.k8s.io",
        &["leases"],
        &[Get, Create, Update],
    ),
    grant(
        "metrics",
        Cluster,
        "authentication.k8s.io",
        &["tokenreviews"],
        &[Create],
    ),
    grant(
        "metrics",
        Cluster,
        "authorization.k8s.io",
        &["subjectaccessreviews"],
        &[Create],
    ),
];
