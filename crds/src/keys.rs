//! Fixed strings of the API: annotations, labels, finalizers, field managers (contract section 1.10).

/// Annotation with a request to the operator, one value at a time; removed when consumed. Values: [`operation`].
pub const OPERATION_ANNOTATION: &str = "metal.ironcore.dev/operation";
/// Annotation on a ServerBootConfiguration made by the operator itself (discovery, cleanup); value [`TYPE_INTERNAL`].
pub const TYPE_ANNOTATION: &str = "metal.ironcore.dev/type";
/// Value of [`TYPE_ANNOTATION`].
pub const TYPE_INTERNAL: &str = "Internal";
/// Annotation on a ServerBootConfiguration that uses the probe OS image; value `"true"`.
pub const DEFAULT_OS_IMAGE_ANNOTATION: &str = "metal.ironcore.dev/is-default-os-image";
/// Annotation on objects of one tenancy: the epoch they were made for (our addition; ignored by other clients).
pub const EPOCH_ANNOTATION: &str = "metal.ironcore.dev/tenancy-epoch";

/// Annotation on a Server that is parked: others work on the machine, and the operator leaves it alone; value `"true"`.
pub const PARKED_ANNOTATION: &str = "metal.ironcore.dev/parked";

/// Annotation on a Server that has been ready once for a readiness rule with mode BootstrapOnly, followed by the rule's name; value `"true"`.
pub const BOOTSTRAP_COMPLETED_ANNOTATION_PREFIX: &str = "readiness.metal.ironcore.dev/bootstrap-completed-";
/// Annotation on a Server that a readiness rule has tainted, followed by the rule's name (our addition; ignored by other clients). The value
/// tells rule and taint.
pub const TAINTED_BY_ANNOTATION_PREFIX: &str = "readiness.metal.ironcore.dev/tainted-by-";

/// Annotation on a BMC: the SSH key by which its shell is known, in OpenSSH's format (our addition).
pub const SSH_HOST_KEY_ANNOTATION: &str = "metal.ironcore.dev/ssh-host-key";

/// Values of [`OPERATION_ANNOTATION`].
pub mod operation {
    /// The reconciler leaves the object alone (deletion still runs). Stays until a user removes it.
    pub const IGNORE: &str = "ignore";
    /// On a Server in state `Error`, or on settings or versions in state `Failed`: try again what failed.
    pub const RETRY: &str = "retry";
    /// As [`RETRY`], written by the set that made the object.
    pub const RETRY_PROPAGATED: &str = "retry-propagated";
    /// On settings or versions: they may be changed while they work on a machine.
    pub const ALLOW_IN_PROGRESS_UPDATE: &str = "allow-in-progress-update";
    /// As [`IGNORE`], written by the set that made the object.
    pub const IGNORE_PROPAGATED: &str = "ignore-propagated";
    /// On a set: it and what it has made are left alone.
    pub const IGNORE_CHILD_AND_SELF: &str = "ignore-child-and-self";
    /// On a set: what it has made is left alone.
    pub const IGNORE_CHILD: &str = "ignore-child";
    /// On a set: what it has made and has failed is tried again, and so is the set.
    pub const RETRY_CHILD_AND_SELF: &str = "retry-child-and-self";
    /// On a set: what it has made and has failed is tried again.
    pub const RETRY_CHILD: &str = "retry-child";
    /// On a BMC: restart it.
    pub const GRACEFUL_RESTART_BMC: &str = "graceful-restart-bmc";
    /// On a BMC: restart it by SSH.
    pub const FORCE_SSH_RESET_BMC: &str = "force-ssh-reset-bmc";
    /// On a BMCUser: a new password, now.
    pub const ROTATE_CREDENTIALS: &str = "rotate-credentials";
    /// On a Server: switch it off and leave it to others.
    pub const PARK: &str = "park";
    /// On a parked Server: take it back.
    pub const UNPARK: &str = "unpark";
    /// Delete something although it is under maintenance.
    pub const ALLOW_IN_PROGRESS_DELETE: &str = "allow-in-progress-delete";
}

/// Labels of maintenances (contract section 1.10).
pub mod maintenance {
    /// On a ServerClaim: a maintenance wants its server; value `"true"`.
    pub const NEEDED_LABEL: &str = "metal.ironcore.dev/maintenance-needed";
    /// On a ServerClaim: its owner lets the maintenance begin; any value.
    pub const APPROVED_LABEL: &str = "metal.ironcore.dev/maintenance-approved";
    /// Annotation on a ServerMaintenance: why, for people.
    pub const REASON_ANNOTATION: &str = "metal.ironcore.dev/maintenance-reason";
}

/// Finalizers.
pub mod finalizer {
    pub const ENDPOINT: &str = "metal.ironcore.dev/endpoint";
    pub const BMC: &str = "metal.ironcore.dev/bmc";
    pub const SERVER: &str = "metal.ironcore.dev/server";
    pub const BIOS_SETTINGS: &str = "metal.ironcore.dev/biossettings";
    pub const BIOS_SETTINGS_SET: &str = "metal.ironcore.dev/biossettingsset";
    pub const BIOS_VERSION: &str = "metal.ironcore.dev/biosversion";
    pub const BIOS_VERSION_SET: &str = "metal.ironcore.dev/biosversionset";
    pub const BMC_SETTINGS: &str = "metal.ironcore.dev/bmcsettings";
    pub const BMC_SETTINGS_SET: &str = "metal.ironcore.dev/bmcsettingsset";
    pub const BMC_VERSION: &str = "metal.ironcore.dev/bmcversion";
    pub const BMC_VERSION_SET: &str = "metal.ironcore.dev/bmcversionset";
    pub const BMC_USER: &str = "metal.ironcore.dev/bmcuser";
    pub const SERVER_READINESS_RULE: &str = "readiness.metal.ironcore.dev/cleanup-taints";
    pub const SERVER_CLAIM: &str = "metal.ironcore.dev/serverclaim";
    pub const SERVER_MAINTENANCE: &str = "metal.ironcore.dev/servermaintenance";
}

/// Field manager of server-side applies.
pub const FIELD_MANAGER: &str = "metal.ironcore.dev/controller-manager";
/// Name of the leader election Lease.
pub const LEADER_ELECTION_LEASE: &str = "f26702e4.ironcore.dev";
/// Type a core Secret must have to be used as `ServerClaim.spec.userDataRef`.
pub const USER_DATA_SECRET_TYPE: &str = "metal.ironcore.dev/user-data";
