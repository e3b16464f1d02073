//! Who looks again when what changes. A function per kind that changes.

use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use kube::{Resource, ResourceExt};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::controllers::bmc::References;
use crate::controllers::firmware::targets::{Labels, Targets};
use crate::controllers::server_readiness_rule::evaluation;
use crate::kinds::{Wakers, Watches};
use crate::redfish_events::{Concern, News};
use crate::runtime::{Cache, Change, Queue};
use crate::sabotage::{self, Bug};

/// Adds the handlers to the watches, which do not run yet.
pub fn connect(watches: &mut Watches, context: &Arc<Context>, wakers: &Wakers) {
    let wakeups = Wakeups::new(context.clone(), wakers.clone());
    wakeups.endpoints(watches);
    wakeups.secrets(watches);
    wakeups.bmcs(watches);
    wakeups.servers(watches);
    wakeups.claims(watches);
    wakeups.boot_configurations(watches);
    wakeups.readiness_rules(watches);
    wakeups.maintenances(watches);
    wakeups.bmc_users(watches);
    wakeups.firmware(watches);
    wakeups.firmware_sets(watches);
}

/// Has those look whom the events of BMCs concern, until stopped.
pub async fn follow_events(
    context: Arc<Context>,
    wakers: Wakers,
    mut news: UnboundedReceiver<News>,
    stop: CancellationToken,
) {
    let wakeups = Wakeups::new(context, wakers);
    loop {
        let news = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            news = news.next() => news,
        };
        let Some(News { bmc, concern }) = news else { return };
        match concern {
            Concern::Nobody => {}
            Concern::Bmc => wakeups.wakers.bmcs.wake(&bmc),
            Concern::System(uri) => wakeups.look_at_servers(&bmc, Some(&uri)),
            Concern::Systems => wakeups.look_at_servers(&bmc, None),
        }
    }
}

/// What the handlers know.
#[derive(Clone)]
struct Wakeups {
    context: Arc<Context>,
    wakers: Wakers,
    /// Of BMCs to Endpoints and secrets, of Servers to secrets.
    references: Arc<References>,
    firmware: Arc<FirmwareTargets>,
}

/// What settings and versions work on.
#[derive(Default)]
struct FirmwareTargets {
    /// Servers.
    bios_settings: Targets,
    bios_versions: Targets,
    /// BMCs.
    bmc_settings: Targets,
    bmc_versions: Targets,
    /// What sets choose from.
    servers: Labels,
    bmcs: Labels,
}

impl Wakeups {
    fn new(context: Arc<Context>, wakers: Wakers) -> Self {
        Self {
            context,
            wakers,
            references: Arc::default(),
            firmware: Arc::default(),
        }
    }

    fn endpoints(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.endpoints.on_change(move |change| {
            let name = change.object().name_any();
            own.wakers.endpoints.wake(&name);
            let bmcs = own.references.of_endpoint(&name);
            bmcs.iter().for_each(|bmc| own.wakers.bmcs.wake(bmc));
        });
    }

    fn secrets(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.secrets.on_change(move |change| {
            let name = change.object().name_any();
            own.wakers.endpoints.wake(&name);
            // Incident 31.
            let missed = |bmc: &&String| sabotage::active(Bug::SecretMappedByName) && **bmc != name;
            let bmcs = own.references.of_secret(&name);
            let bmcs = bmcs.iter().filter(|bmc| !missed(bmc));
            bmcs.for_each(|bmc| own.wakers.bmcs.wake(bmc));
            let servers = own.references.servers_of_secret(&name);
            servers.iter().for_each(|server| own.look_at_server(server));
        });
    }

    fn bmcs(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.bmcs.on_change(move |change| {
            own.references.bmc_changed(change);
            let name = change.object().name_any();
            if matches!(change, Change::Gone(_)) {
                own.context.listings.forget(&name);
            }
            own.wakers.endpoints.wake(&name);
            own.wakers.bmcs.wake(&name);
            let servers = own.context.board.servers_of(&name);
            servers.iter().for_each(|server| own.look_at_server(server));
        });
    }

    fn servers(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.servers.on_change(move |change| {
            let server = change.object();
            if matches!(change, Change::Gone(_)) {
                own.context.turns.forget(&server.name_any());
            }
            own.references.server_changed(change);
            // First the board: a pass must not run before it knows that the UUID is taken.
            let claims = own.context.board.server_changed(change);
            own.wakers.servers.wake_object(server);
            own.look_at_claims(claims);
            own.look_at_maintenances(&server.name_any());
            if let Change::Gone(server) = change
                && let Some(bmc) = &server.spec.bmc_ref
            {
                own.context.listings.stir(&bmc.name);
                own.wakers.bmcs.wake(&bmc.name);
            }
        });
    }

    fn claims(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.claims.on_change(move |change| {
            let claim = change.object();
            own.wakers.claims.wake_object(claim);
            let uid = claim.uid().unwrap_or_default();
            let referenced = claim.spec.server_ref.as_ref().map(|server| server.name.clone());
            if let Some(server) = referenced.or_else(|| own.context.board.server_of(&uid)) {
                own.look_at_server(&server);
                own.look_at_maintenances(&server);
            }
            own.look_at_claims(own.context.board.claim_changed(change));
        });
    }

    fn boot_configurations(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.boot_configurations.on_change(move |change| {
            let configuration = change.object();
            own.wakers.boot_configurations.wake_object(configuration);
            own.look_at_server(&configuration.spec.server_ref.name);
            // A claim's configuration is named as the claim.
            let namespace = configuration.namespace().unwrap_or_default();
            own.wakers.claims.wake_in(&namespace, &configuration.name_any());
            // And a maintenance's as the maintenance.
            own.wakers.maintenances.wake_in(&namespace, &configuration.name_any());
        });
    }

    fn maintenances(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.maintenances.on_change(move |change| {
            own.wakers.maintenances.wake_object(change.object());
            for name in own.context.maintenances.changed(change) {
                let wanted = !own.context.maintenances.of(&name).is_empty();
                let server = own.context.caches.servers.get(&name);
                own.look_at_claims(own.context.board.maintenance_wanted(&name, wanted, server));
                own.look_at_server(&name);
                // Who comes next may do so now.
                own.look_at_maintenances(&name);
            }
        });
    }

    fn readiness_rules(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.readiness_rules.on_change(move |change| {
            let rule = change.object();
            // First the board: nothing more may be bound that the rule selects.
            own.look_at_claims(own.context.board.rule_changed(change));
            own.wakers.readiness_rules.wake_object(rule);
            let servers = own.context.caches.servers.all();
            let concerned = servers.iter().filter(|server| evaluation::concerns(rule, server));
            concerned.for_each(|server| own.look_at_server(&server.name_any()));
        });
    }

    /// Settings and versions look again when they change, or what they work on, or their maintenances.
    fn firmware(&self, watches: &mut Watches) {
        let own = self.clone();
        watches.bios_settings.on_change(move |change| {
            let target = change.object().spec.server_ref.as_ref();
            own.firmware
                .bios_settings
                .changed(change, target.map(|server| server.name.as_str()));
            own.wakers.bios_settings.wake_object(change.object());
            wake_owners(&own.wakers.bios_settings_sets, change);
        });
        let own = self.clone();
        watches.bios_versions.on_change(move |change| {
            let target = change.object().spec.server_ref.as_ref();
            own.firmware
                .bios_versions
                .changed(change, target.map(|server| server.name.as_str()));
            own.wakers.bios_versions.wake_object(change.object());
            wake_owners(&own.wakers.bios_version_sets, change);
        });
        let own = self.clone();
        watches.bmc_settings.on_change(move |change| {
            let target = &change.object().spec.bmc_ref.name;
            own.firmware.bmc_settings.changed(change, Some(target));
            own.wakers.bmc_settings.wake_object(change.object());
            wake_owners(&own.wakers.bmc_settings_sets, change);
        });
        let own = self.clone();
        watches.bmc_versions.on_change(move |change| {
            let target = change.object().spec.bmc_ref.as_ref();
            own.firmware
                .bmc_versions
                .changed(change, target.map(|bmc| bmc.name.as_str()));
            own.wakers.bmc_versions.wake_object(change.object());
            wake_owners(&own.wakers.bmc_version_sets, change);
        });
        let own = self.clone();
        watches.maintenances.on_change(move |change| {
            own.look_at_firmware_of(&change.object().spec.server_ref.name);
        });
        let own = self.clone();
        watches
            .servers
            .on_change(move |change| own.look_at_firmware_of(&change.object().name_any()));
        let own = self.clone();
        watches.bmcs.on_change(move |change| {
            let name = change.object().name_any();
            let servers = own.context.board.servers_of(&name);
            servers.iter().for_each(|server| own.look_at_firmware_of(server));
            own.look_at_firmware_of_bmc(&name);
        });
    }

    /// Sets look again when they change, or the labels of what they choose from.
    fn firmware_sets(&self, watches: &mut Watches) {
        let own = self.clone();
        watches
            .bios_settings_sets
            .on_change(move |change| own.wakers.bios_settings_sets.wake_object(change.object()));
        let own = self.clone();
        watches
            .bios_version_sets
            .on_change(move |change| own.wakers.bios_version_sets.wake_object(change.object()));
        let own = self.clone();
        watches
            .bmc_settings_sets
            .on_change(move |change| own.wakers.bmc_settings_sets.wake_object(change.object()));
        let own = self.clone();
        watches
            .bmc_version_sets
            .on_change(move |change| own.wakers.bmc_version_sets.wake_object(change.object()));
        let own = self.clone();
        watches.servers.on_change(move |change| {
            if own.firmware.servers.changed(change) {
                let caches = &own.context.caches;
                wake_all(&own.wakers.bios_settings_sets, &caches.bios_settings_sets);
                wake_all(&own.wakers.bios_version_sets, &caches.bios_version_sets);
            }
        });
        let own = self.clone();
        watches.bmcs.on_change(move |change| {
            if own.firmware.bmcs.changed(change) {
                let caches = &own.context.caches;
                wake_all(&own.wakers.bmc_settings_sets, &caches.bmc_settings_sets);
                wake_all(&own.wakers.bmc_version_sets, &caches.bmc_version_sets);
            }
        });
    }

    /// At whatever works on this server.
    fn look_at_firmware_of(&self, server: &str) {
        let settings = self.firmware.bios_settings.of(server);
        settings.iter().for_each(|name| self.wakers.bios_settings.wake(name));
        let versions = self.firmware.bios_versions.of(server);
        versions.iter().for_each(|name| self.wakers.bios_versions.wake(name));
        let server = self.context.caches.servers.get(server);
        if let Some(bmc) = server.and_then(|server| server.spec.bmc_ref.clone()) {
            self.look_at_firmware_of_bmc(&bmc.name);
        }
    }

    fn look_at_firmware_of_bmc(&self, bmc: &str) {
        let settings = self.firmware.bmc_settings.of(bmc);
        settings.iter().for_each(|name| self.wakers.bmc_settings.wake(name));
        let versions = self.firmware.bmc_versions.of(bmc);
        versions.iter().for_each(|name| self.wakers.bmc_versions.wake(name));
    }

    fn bmc_users(&self, watches: &mut Watches) {
        let own = self.clone();
        watches
            .bmc_users
            .on_change(move |change| own.wakers.bmc_users.wake_object(change.object()));
    }

    /// At once: what its last pass settled for does not count any more.
    fn look_at_server(&self, name: &str) {
        self.context.turns.stir(name);
        self.wakers.servers.wake(name);
    }

    /// At those behind a BMC; at all of them where none is known to have this URI.
    fn look_at_servers(&self, bmc: &str, uri: Option<&str>) {
        let servers = self.context.board.servers_of(bmc);
        let is_it = |server: &&String| {
            let known = self.context.caches.servers.get(server);
            known.is_some_and(|server| server.spec.system_uri.as_deref() == uri)
        };
        match servers.iter().find(is_it).filter(|_| uri.is_some()) {
            Some(server) => self.look_at_server(server),
            None => servers.iter().for_each(|server| self.look_at_server(server)),
        }
    }

    fn look_at_maintenances(&self, server: &str) {
        for (namespace, name) in self.context.maintenances.of(server) {
            self.wakers.maintenances.wake_in(&namespace, &name);
        }
    }

    fn look_at_claims(&self, claims: Vec<(String, String)>) {
        for (namespace, name) in claims {
            self.wakers.claims.wake_in(&namespace, &name);
        }
    }
}

/// Wakes the sets that have made an object.
fn wake_owners<S, C>(sets: &Queue<S>, change: &Change<C>)
where
    S: Resource<DynamicType = ()> + Clone + 'static,
    C: ResourceExt,
{
    let owners = change.object().owner_references().iter();
    let sets_of = owners.filter(|owner| owner.kind == S::kind(&()));
    sets_of.for_each(|owner| sets.wake(&owner.name));
}

/// Wakes all objects of a kind.
fn wake_all<S: Resource<DynamicType = ()> + Clone + 'static>(queue: &Queue<S>, cache: &Cache<S>) {
    cache.all().iter().for_each(|object| queue.wake(&object.name_any()));
}
