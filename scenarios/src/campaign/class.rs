//! What can go wrong, by name: the keys of profiles, and what coverage counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! classes {
    ($(#[$outer:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $text:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[doc = $doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As profiles and plans write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

classes! {
    /// A class of faults.
    FaultClass {
        /// Messages to and from some party take seconds.
        SlowLink = "slow-link",
        /// Nobody listens at a BMC or service.
        Refused = "refused",
        /// Connections break before the request arrives.
        BrokenBefore = "broken-before",
        /// Connections break after the request has taken effect.
        BrokenAfter = "broken-after",
        /// Requests vanish.
        LostRequest = "lost-request",
        /// Requests take effect, their answers vanish.
        LostAnswer = "lost-answer",
        /// Two parties cannot reach each other at all.
        Partition = "partition",
        /// What machines tell the operator arrives twice, once much later.
        DoubledCallback = "doubled-callback",
        /// Somebody tells the operator things in the name of a machine.
        ForgedCallback = "forged-callback",
        /// The API server says 409.
        ApiConflict = "api-conflict",
        /// The API server says 429.
        ApiThrottled = "api-throttled",
        /// The API server says 500.
        ApiError = "api-error",
        /// The API server says 503.
        ApiUnavailable = "api-unavailable",
        /// A write is committed, and the answer is lost.
        CommitUnknown = "commit-unknown",
        /// The watch cache of an API front end falls behind: events and lists from the cache are old.
        WatchLag = "watch-lag",
        /// Events of one kind arrive later than those of others.
        WatchReordered = "watch-reordered",
        /// Watches end.
        WatchCut = "watch-cut",
        /// The history of the API server is gone: 410 for every watch.
        WatchExpired = "watch-expired",
        /// Watches deliver nothing, and expire: what there is can be learned from lists only.
        WatchSilent = "watch-silent",
        /// An API front end restarts: nobody listens for a while, watches end, history is gone.
        ApiRestart = "api-restart",
        /// Status disappears, as when a cluster is restored from a backup without it.
        StatusLost = "status-lost",
        /// Everything is lost and comes back from a backup, kind after kind, without status and with other UIDs.
        ClusterRestored = "cluster-restored",
        /// The clock of the API server is wrong.
        ApiClock = "api-clock",
        /// A BMC restarts.
        BmcReboot = "bmc-reboot",
        /// A BMC cannot be reached.
        BmcUnreachable = "bmc-unreachable",
        /// A BMC says 503.
        BmcUnavailable = "bmc-unavailable",
        /// A BMC accepts connections and never answers.
        BmcHang = "bmc-hang",
        /// A BMC shows a power state that is not so.
        WrongPower = "wrong-power",
        /// A BMC does not know the power state.
        UnknownPower = "unknown-power",
        /// A BMC shows the power state of some time ago.
        StalePower = "stale-power",
        /// A BMC refuses a few commands.
        RefusedCommand = "refused-command",
        /// A BMC accepts a command and does nothing.
        LostCommand = "lost-command",
        /// An operating system ignores the power button.
        IgnoredShutdown = "ignored-shutdown",
        /// A BMC has no free session.
        SessionTableFull = "session-table-full",
        /// The clock of a BMC is in 1970.
        BmcClock = "bmc-clock",
        /// The clock of a machine is in 1970.
        MachineClock = "machine-clock",
        /// A drive cannot be erased.
        DriveFails = "drive-fails",
        /// A drive says that it was erased and was not. In band only: nobody could notice it out of band.
        DriveLies = "drive-lies",
        /// A task of a BMC never ends.
        TaskNeverEnds = "task-never-ends",
        /// A machine hangs in its power-on self test.
        PostFails = "post-fails",
        /// What runs on a machine dies.
        GuestDies = "guest-dies",
        /// Agents hear no LLDP.
        NoLldp = "no-lldp",
        /// The firmware boots from a NIC that leads nowhere.
        WrongNic = "wrong-nic",
        /// A drive is pulled out and put back.
        DrivePulled = "drive-pulled",
        /// The power of a machine fails.
        PowerCut = "power-cut",
        /// Somebody presses the power button of a machine that is off.
        PowerButton = "power-button",
        /// The operator crashes, and is started again.
        OperatorCrash = "operator-crash",
        /// The operator is stopped, and started again.
        OperatorRestart = "operator-restart",
        /// A second operator starts, and the first is stopped later.
        RollingUpgrade = "rolling-upgrade",
        /// The operator loses the API server for longer than its lease lives, but not its BMCs.
        LeaseLoss = "lease-loss",
        /// The operator is suspended while a second one starts, and wakes up later.
        OperatorPause = "operator-pause",
    }
}

classes! {
    /// A class of user actions.
    UserClass {
        /// A machine is registered.
        Register = "register",
        /// The BMC of a machine is deleted.
        Unregister = "unregister",
        /// A claim is made for any server.
        Claim = "claim",
        /// A claim is made for servers with a label.
        ClaimBySelector = "claim-by-selector",
        /// A claim is made for one server by name.
        ClaimByName = "claim-by-name",
        /// A claim is made for any server, and somebody else puts a finalizer on it.
        GuardedClaim = "guarded-claim",
        /// A claim is deleted.
        Release = "release",
        /// A claim is deleted and made again under the same name at once.
        Recreate = "recreate",
        /// The power a claim asks for is changed.
        Power = "power",
        /// A server gets a label.
        Label = "label",
        /// A server is not to be claimed, and may be again.
        Cordon = "cordon",
        /// A server is kept after its release, or not any more.
        Retain = "retain",
        /// An annotation that means nothing.
        Touch = "touch",
        /// The administrator asks a failed server to try again.
        Retry = "retry",
        /// A Server object is deleted.
        DeleteServer = "delete-server",
        /// A ServerBootConfiguration is deleted.
        DeleteBootConfiguration = "delete-boot-configuration",
        /// The credentials of a BMC are deleted, and come back later.
        DeleteCredentials = "delete-credentials",
        /// The password of a BMC is changed, there and in its secret.
        RotatePassword = "rotate-password",
        /// The order in which a machine tries its boot devices is declared, or not any more.
        BootOrder = "boot-order",
        /// A restart of a machine is asked for by annotation.
        Restart = "restart",
        /// A restart of a BMC is asked for by annotation.
        ResetBmc = "reset-bmc",
        /// Somebody asks for a maintenance, gets consent or not, works, and is done.
        Maintain = "maintain",
        /// A server is parked for a while.
        Park = "park",
        /// The tenant's own operating system switches its machine off.
        TenantPowersOff = "tenant-powers-off",
        /// A claim is removed by force, finalizers and all.
        ForceDelete = "force-delete",
        /// A claim is removed by force, and made again under the same name at once.
        ForceRecreate = "force-recreate",
    }
}
