//! Known incidents, to be put back into the operator on purpose: what finds bugs has to be shown a bug now and then.
//!
//! Each [`Bug`] is one incident of the catalogue (the number in parentheses) as this operator would have it. The place of its decision asks
//! [`active`], which is false, for the compiler too, unless the feature `sabotage` is on. No binary that ships has it on, and even
//! where it is on nothing is active until a test calls `activate`: no flag, no environment variable and no file does.
//!
//! Bugs are active per thread: a simulation has one, with all operator instances in it.

use std::fmt;
use std::str::FromStr;

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// An incident that can be put back.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name, as on a command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

bugs! {
    // Claims and allocation.

    /// (3) The claim writes its own half of a bond first. When the server is lost in between, the claim waits for it for ever,
    /// whatever else is free. L1.
    ClaimReferenceFirst = "claim-reference-first",
    /// (4) A claim whose bond is half written chooses again instead of finding its server by UID. S1.
    ClaimSelectsAgain = "claim-selects-again",
    /// (10) A reference means whatever claim has the name: a claim made anew under it keeps the old tenant's machine running. L3, S1.
    ClaimMatchedByName = "claim-matched-by-name",
    /// (11) A release is written without resourceVersion and epoch: that of an ex-leader erases the next tenant's reservation. S2.
    ReleaseWithoutFence = "release-without-fence",
    /// (12, 135) Whatever answers at the recorded URI is the machine, whatever its UUID. S1, S5.
    SystemByUri = "system-by-uri",
    /// (13) A second Server with the UUID of another one is taken into service like any other. S1, S5.
    DuplicateIdentityAccepted = "duplicate-identity-accepted",
    /// (16) A change of a Server wakes one claim only, and claims have no other reason to look again. L1, L9.
    OnlyFirstClaimWoken = "only-first-claim-woken",

    // Stale caches, lost status, events.

    /// (17) A Server without status is new, held or not: it is turned off and discovered. S7, S5.
    LostStatusRediscovers = "lost-status-rediscovers",
    /// (21, 11) The cache is acted upon as it is: neither own writes nor the resourceVersion of a status write are waited for.
    /// A machine is turned off because it was Available once. S5, S7.
    StaleCacheBelieved = "stale-cache-believed",
    /// (22) A claim that the cache does not show is gone: its server is released. S6, S3.
    CachedNotFoundIsGone = "cached-not-found-is-gone",
    /// (23) A watch takes over the first object of a list only. L1, L9; with `cached-not-found-is-gone` also S6.
    ListTruncated = "list-truncated",
    /// (26) A Server that was created and is not in the cache yet is created again under the next name. S1, S8.
    OwnCreateNotRecognised = "own-create-not-recognised",
    /// (28) A condition gets a new time at every pass, and the write wakes the next pass. L10.
    TimestampsAlwaysNew = "timestamps-always-new",
    /// (30) A Server is looked at when something in the cluster changes, never after the resync interval. L9, L2.
    ResyncNeverRuns = "resync-never-runs",
    /// (31) A changed secret wakes the BMC of the same name, and a BMC that refuses a password waits to be woken. L8, L9.
    SecretMappedByName = "secret-mapped-by-name",
    /// (33) A BMC operation is sent, and a server bound, without a look at what is left of the lease. S5, S8.
    ExLeaderSends = "ex-leader-sends",

    // Deletion and finalizers.

    /// (37) An error while the boot configuration of a deleted Server is cleaned up is ignored. S13.
    CleanupErrorsSwallowed = "cleanup-errors-swallowed",
    /// (38) A BMC goes without waiting for its Servers, and takes the way to their machines with it. S13, L3.
    BmcLeavesFirst = "bmc-leaves-first",
    /// (39) A deleted Server goes at once, held or running. S13, S3.
    ServerFinalizerUnconditional = "server-finalizer-unconditional",
    /// (39) A deleted Server takes the knowledge of what is on its drives with it. S4.
    ResidueForgottenOnDelete = "residue-forgotten-on-delete",
    /// (41) A deletion that asks for another pass counts as done: the machine may still be running. S13.
    FinalizerLostOnRequeue = "finalizer-lost-on-requeue",
    /// (42) The whole list of finalizers is written without precondition: one that somebody else has added since is lost. S13.
    FinalizersOverwritten = "finalizers-overwritten",
    /// (44, 35) A Server whose BMC or secret is gone waits for its machine to be off for ever. L5.
    DeletionWaitsForBmc = "deletion-waits-for-bmc",

    // Power.

    /// (48) Once power-off was asked for, the release goes on, whatever the BMC reports. S3.
    ReleaseOnDesiredPower = "release-on-desired-power",
    /// (49) The plug is never pulled: a guest that ignores the request keeps the machine. L3.
    GracefulPowerOffOnly = "graceful-power-off-only",
    /// (51) Unknown power is Off: a running machine is handed over, or started once more. S3, S6.
    UnknownPowerIsOff = "unknown-power-is-off",
    /// (53) An Off that was read while a start is on its way is believed. S3.
    StaleOffBelieved = "stale-off-believed",
    /// (54) An operation that the BMC refused once is never tried again. L2, L8.
    RefusalIsFinal = "refusal-is-final",
    /// (55) An operation that was accepted without effect is waited for, for ever. L2.
    IgnoredCommandNotRepeated = "ignored-command-not-repeated",
    /// (57) An operation on record is sent again at every look until its outcome shows. S8.
    RecordedCommandRepeated = "recorded-command-repeated",
    /// (59) Once the claim has its machine running, the power that it asks for is ignored. L2.
    BoundPowerIgnored = "bound-power-ignored",

    // Boot and discovery.

    /// (61) A tenant's machine is started although its boot configuration is not Ready. S9.
    PowerOnBeforeBootReady = "power-on-before-boot-ready",
    /// (62) A provisioned machine that is off is booted from the network again. S9.
    ProvisionedMachineImagedAgain = "provisioned-machine-imaged-again",
    /// (63) A boot override that is still armed on a provisioned machine stays armed. S9.
    ArmedOverrideKept = "armed-override-kept",
    /// (65) A declared boot order is written again and again. L10.
    BootOrderRewritten = "boot-order-rewritten",
    /// (68) The override mode is always sent, also to a BMC that refuses it. L4.
    BootModeAlwaysSent = "boot-mode-always-sent",
    /// (69) A system whose override target is null cannot be booted and is left out. L4.
    NullOverrideTargetSkipped = "null-override-target-skipped",
    /// (71) Discovery has no deadline: a probe that never reports is waited for. L4.
    DiscoveryDeadlineNever = "discovery-deadline-never",
    /// (72) A registration with an unexpected shape of LLDP data is refused. L4.
    OddLldpRefused = "odd-lldp-refused",
    /// (74) A boot configuration counts whatever epoch, holder and server it was made for. S9, L4.
    BootConfigOfAnyEpoch = "boot-config-of-any-epoch",
    /// (74, 165) The boot configuration of discovery and its secrets stay while a tenant has the machine. S9, S15.
    DiscoveryConfigKept = "discovery-config-kept",
    /// (81) A boot override that was accepted counts as set: the machine starts before it was read back. S9.
    OverrideNotReadBack = "override-not-read-back",
    /// (82) A machine that tells nothing about itself while it is off is asked again for ever. L4.
    InventoryRequired = "inventory-required",
    /// (83) The deadline of discovery wins over a registration that came just before it. L4, S5.
    DeadlineBeatsRegistration = "deadline-beats-registration",
    /// (84) A discovery that failed is repeated at once, for ever. L4, L10.
    DiscoveryWithoutPause = "discovery-without-pause",

    // Cleanup.

    /// (87) A drive whose SecureErase the BMC refuses counts as erased. S4.
    RefusedEraseIsErased = "refused-erase-is-erased",
    /// (86) A drive that was there at discovery and is missing at cleanup is forgotten. S4.
    MissingDriveForgotten = "missing-drive-forgotten",
    /// (88) A failed drive is forgiven where another one was erased. S4.
    FailingDriveTolerated = "failing-drive-tolerated",
    /// (89) A released server is available at once. S4.
    NoSanitisation = "no-sanitisation",
    /// (90) A server whose cleanup failed goes back to the pool. S4.
    FailedCleanupForgiven = "failed-cleanup-forgiven",
    /// (90) The machine of a failed cleanup is left running. S3, S9.
    FailedCleanupLeftRunning = "failed-cleanup-left-running",
    /// (91) An erasure that was begun, and whose task nobody remembers, counts as done. S4.
    EraseAssumedDone = "erase-assumed-done",
    /// (92) The drives of the last storage controller are all drives. S4.
    LastControllerDecides = "last-controller-decides",
    /// (94) A machine whose BMC does not answer is freed as if it were off and clean. S3, S4, S6.
    FreedWithoutBmc = "freed-without-bmc",
    /// (95) A server whose reference an administrator took away is free, whatever is on its drives. S4.
    ClearedReferenceIsFree = "cleared-reference-is-free",
    /// (96) BIOS, boot order and boot override stay as the tenant left them. S4, S9.
    BootResidueKept = "boot-residue-kept",
    /// (S4, S6; 82) A machine without a known drive is clean. S4.
    NoDriveIsClean = "no-drive-is-clean",

    // Tasks, managers.

    /// (105) An erasure whose task has disappeared has succeeded. S4.
    VanishedTaskIsSuccess = "vanished-task-is-success",
    /// (106) A task that is Completed has succeeded, also with a status of Critical. S4.
    CompletedIsSuccess = "completed-is-success",
    /// (114) A BMC that does not report its own power state as On is not used. L4, L8.
    ManagerPowerRequired = "manager-power-required",

    // Credentials and sessions.

    /// (116) The factory credentials are written over what is in the secret, at every pass over the Endpoint. S12.
    SecretOverwrittenWithDefault = "secret-overwritten-with-default",
    /// (123) A client is kept although the secret has changed. L8, S12.
    SessionOutlivesPassword = "session-outlives-password",
    /// (123) After a login that failed the password goes with every request. S15.
    BasicAfterFailedLogin = "basic-after-failed-login",
    /// (124) Every pass logs in, and none logs out. L8, L10.
    SessionPerPass = "session-per-pass",
    /// (126, 120) Refused credentials are tried again at every pass: the account is locked. S12.
    LoginWithoutBackoff = "login-without-backoff",

    // Unreachable and odd BMCs.

    /// (127) The request for a reset of a BMC is removed before the reset is sent. L8.
    RequestRemovedBeforeReset = "request-removed-before-reset",
    /// (128) A BMC is reset again while it is being reset. S8.
    ManagerResetStorm = "manager-reset-storm",
    /// (129) A BMC that cannot be reached brings the operator down. L8, L10.
    ConnectFailurePanics = "connect-failure-panics",
    /// (132) An operation whose answer was lost is sent once more at once. S8.
    ResetRepeatedBlindly = "reset-repeated-blindly",
    /// (134) Every server is looked at every second. L10.
    BmcPolledHard = "bmc-polled-hard",
    /// (136) A MAC address that the schema does not know keeps a BMC from ever being Ready. L4.
    OddMacRefused = "odd-mac-refused",
    /// (139) An object whose passes failed for too long is left alone. L8.
    RetryBudgetEnds = "retry-budget-ends",

    // The registry.

    /// (142) A registration of an earlier epoch counts. S14, S9.
    StaleRegistrationAccepted = "stale-registration-accepted",
    /// (142, 91) A report of an earlier wipe counts. S4, S14.
    StaleWipeReportAccepted = "stale-wipe-report-accepted",
    /// (143) A registration is fresh or not by the clock of the machine. L4.
    FreshnessByMachineClock = "freshness-by-machine-clock",
    /// (144) A registration without an LLDP neighbour does not count. L4.
    LldpRequired = "lldp-required",

    // Scale.

    /// (149) A worker waits until a machine has had its time to change power. L10.
    WorkerWaitsForPower = "worker-waits-for-power",
    /// (153) Pauses after errors grow and never shrink. L8.
    BackoffNeverResets = "backoff-never-resets",
    /// (154) A status is written at every pass, changed or not. L10.
    NoopWrites = "noop-writes",

    // Security.

    /// (158) The registry takes reports without a token. S14.
    RegistryOpen = "registry-open",
    /// (162) The credentials of a BMC appear in the log. S15.
    CredentialsLogged = "credentials-logged",
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No incident has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown bug `{0}`")]
pub struct UnknownBug(String);

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(text: &str) -> Result<Self, UnknownBug> {
        let named = Self::ALL.iter().find(|bug| bug.as_str() == text);
        named.copied().ok_or_else(|| UnknownBug(text.to_owned()))
    }
}

#[cfg(feature = "sabotage")]
thread_local! {
    static ACTIVE: std::cell::RefCell<std::collections::BTreeSet<Bug>> = const { std::cell::RefCell::new(std::collections::BTreeSet::new()) };
}

/// Puts exactly these bugs into every operator of this thread.
#[cfg(feature = "sabotage")]
pub fn activate(bugs: impl IntoIterator<Item = Bug>) {
    ACTIVE.set(bugs.into_iter().collect());
}

/// Whether the bug is in.
#[cfg(feature = "sabotage")]
pub fn active(bug: Bug) -> bool {
    ACTIVE.with_borrow(|bugs| bugs.contains(&bug))
}

/// Whether the bug is in: never, without the feature.
#[cfg(not(feature = "sabotage"))]
pub const fn active(_: Bug) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for bug in Bug::ALL {
            assert_eq!(bug.to_string().parse(), Ok(*bug));
            let camel: String = format!("{bug:?}")
                .chars()
                .flat_map(|c| {
                    let dash = c.is_ascii_uppercase().then_some('-');
                    dash.into_iter().chain([c.to_ascii_lowercase()])
                })
                .collect();
            assert_eq!(format!("-{bug}"), camel);
        }
        assert!("none-of-them".parse::<Bug>().is_err());
    }

    #[test]
    fn nothing_is_sabotaged_by_itself() {
        assert!(Bug::ALL.iter().all(|bug| !active(*bug)));
    }

    #[cfg(feature = "sabotage")]
    #[test]
    fn what_is_activated_replaces_what_was() {
        activate([Bug::NoopWrites, Bug::RegistryOpen]);
        activate([Bug::RegistryOpen]);
        assert!(active(Bug::RegistryOpen) && !active(Bug::NoopWrites));
        activate([]);
        assert!(!active(Bug::RegistryOpen));
    }
}
