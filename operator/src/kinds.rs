//! The kinds that the operator watches: one watch, one cache and one work queue each. What a change of one of them sets going is said in
//! [`crate::wakeups`]; who works on the queues, in [`crate::operator`].

use crds::{
    BIOSSettings, BIOSSettingsSet, BIOSVersion, BIOSVersionSet, BMC, BMCSecret, BMCSettings, BMCSettingsSet, BMCUser,
    BMCVersion, BMCVersionSet, Endpoint, Server, ServerBootConfiguration, ServerClaim, ServerMaintenance,
    ServerReadinessRule,
};
use kube::Api;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::runtime::{Cache, Queue, Watch, Work};

macro_rules! kinds {
    ($($field:ident: $kind:ty),* $(,)?) => {
        /// The objects that controllers look at.
        #[derive(Clone)]
        pub struct Caches {
            $(pub $field: Cache<$kind>,)*
        }

        impl Caches {
            /// Waits for the first complete list of every kind: nothing is decided from a cache that has not seen it (S6). False when a
            /// watch ended before.
            pub async fn synced(&self) -> bool {
                $(if !self.$field.ready().await {
                    return false;
                })*
                true
            }
        }

        /// The receiving ends of all work queues. Nobody fills that of a kind without controller.
        pub struct Queues {
            $(pub $field: Work<$kind>,)*
        }

        /// The sending ends.
        #[derive(Clone)]
        pub struct Wakers {
            $(pub $field: Queue<$kind>,)*
        }

        impl Queues {
            pub fn new() -> (Self, Wakers) {
                $(let $field = Queue::new();)*
                (Self { $($field: $field.1,)* }, Wakers { $($field: $field.0,)* })
            }
        }

        /// The watches, before they run.
        pub struct Watches {
            $(pub $field: Watch<$kind>,)*
        }

        impl Watches {
            pub fn new(client: &kube::Client) -> Self {
                Self { $($field: Watch::new(Api::all(client.clone())),)* }
            }

            pub fn caches(&self) -> Caches {
                Caches { $($field: self.$field.cache(),)* }
            }

            /// Starts watching.
            pub fn spawn(self, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
                $(tasks.spawn(self.$field.run(stop.clone()));)*
            }
        }
    };
}

kinds! {
    endpoints: Endpoint,
    bmcs: BMC,
    secrets: BMCSecret,
    servers: Server,
    claims: ServerClaim,
    boot_configurations: ServerBootConfiguration,
    readiness_rules: ServerReadinessRule,
    bmc_users: BMCUser,
    maintenances: ServerMaintenance,
    bios_settings: BIOSSettings,
    bios_versions: BIOSVersion,
    bmc_settings: BMCSettings,
    bmc_versions: BMCVersion,
    bios_settings_sets: BIOSSettingsSet,
    bios_version_sets: BIOSVersionSet,
    bmc_settings_sets: BMCSettingsSet,
    bmc_version_sets: BMCVersionSet,
}
