//! The look at the world that a pass decides from: the claim first, then the BMC, so that a power state proves something about the
//! time after the claim was seen to be gone (S3).

use std::time::Duration;

use crds::kinds::server::ClaimReference;
use crds::{Power, Server, ServerClaim, ServerMaintenance, ServerState, ServerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use super::boot;
use super::decision::Decision;
use super::observed::{BootView, CleanupView, Holder, Maintenance, Observed};
use super::state;
use crate::bmc::{BmcClient, BmcError, System};
use crate::conditions::{self, Wish, seconds_up};
use crate::context::Context;
use crate::controllers::Error;
use crate::controllers::bmc::access;
use crate::controllers::server_maintenance;
use crate::identity::{SystemUri, SystemUuid, TaskUri};
use crate::ownership::reservation::Change;
use crate::ownership::{intent, maintenance, origin};
use crate::registry::Term;
use crate::sabotage::{self, Bug};

/// Condition on a Server whose BMC cannot be used.
const BMC_REACHABLE: &str = "BMCReachable";

/// One look.
pub(super) struct Look {
    pub holder: Holder,
    maintenance: Maintenance,
    pub bmc: Option<Bmc>,
    /// The status with what was seen, as long as it is not written: what is decided next is written together with it.
    unwritten: Option<ServerStatus>,
    /// Why the BMC could not be read. The pass goes on with what does not need it, and ends with this error.
    failure: Option<Error>,
}

/// The BMC and the system as read in this pass.
pub(super) struct Bmc {
    pub client: BmcClient,
    pub system: System,
}

/// Looks at claim and BMC.
///
/// # Errors
/// The API server's. That the BMC could not be read is part of the look.
pub(super) async fn look(context: &Context, server: &mut Server) -> Result<Look, Error> {
    let holder = holder(context, server).await?;
    let maintenance = maintenance(context, server).await?;
    let (bmc, failure) = match read(context, server).await {
        Ok(mut bmc) => {
            look_at_staged_order(&mut bmc, server).await;
            (Some(bmc), None)
        }
        Err(error @ (Error::Bmc(_) | Error::Access(_) | Error::SystemMissing { .. })) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    let seen = seen(context, server, bmc.as_ref(), failure.as_ref());
    Ok(Look {
        holder,
        maintenance,
        bmc,
        unwritten: (server.status.as_ref() != Some(&seen)).then_some(seen),
        failure,
    })
}

/// Who the reference names. The cache can show that a claim is there; that it is gone only the API server can.
async fn holder(context: &Context, server: &Server) -> Result<Holder, Error> {
    let Some(reference) = &server.spec.server_claim_ref else {
        return Ok(Holder::None);
    };
    let cached = context.caches.claims.get_in(&reference.namespace, &reference.name);
    if let Some(claim) = cached
        && let Some(power) = holds(&claim, reference)
    {
        return Ok(Holder::Claim { power });
    }
    // Incident 22.
    if sabotage::active(Bug::CachedNotFoundIsGone) {
        return Ok(Holder::Gone);
    }
    live_holder(context, server).await
}

/// As the API server has it now.
///
/// # Errors
/// The API server's: an error is not an absence (S6).
pub(super) async fn live_holder(context: &Context, server: &Server) -> Result<Holder, Error> {
    let Some(reference) = &server.spec.server_claim_ref else {
        return Ok(Holder::None);
    };
    let claims = context.api_in::<ServerClaim>(&reference.namespace);
    // What a backup has brought back has other UIDs, in any order.
    let restored = origin::is_restored(server);
    let Some(claim) = claims.get_opt(&reference.name).await? else {
        return Ok(if restored { Holder::Missing } else { Holder::Gone });
    };
    // One that an older operator has bound is known by its UID first, so that it stays until its server has left it.
    if claim.metadata.deletion_timestamp.is_some() && reference.uid.is_some() {
        return Ok(Holder::Gone);
    }
    Ok(match (&reference.uid, claim.uid()) {
        (None, Some(uid)) => Holder::Adoptable { uid },
        (_, uid) => match (holds(&claim, reference), uid) {
            (Some(power), _) => Holder::Claim { power },
            (None, Some(uid)) if restored && is_of(&claim, server) => Holder::Adoptable { uid },
            (None, _) if restored => Holder::Missing,
            (None, _) => Holder::Gone,
        },
    })
}

/// What the maintenance of the server wants. The cache can show that it is there; that it is gone only the API server can (S6).
async fn maintenance(context: &Context, server: &Server) -> Result<Maintenance, Error> {
    let Some(reference) = &server.spec.server_maintenance_ref else {
        return Ok(Maintenance::None);
    };
    let means = |found: &ServerMaintenance| maintenance::is(reference, found);
    let cached = context
        .caches
        .maintenances
        .get_in(&reference.namespace, &reference.name);
    if let Some(found) = cached.filter(|found| means(found)) {
        return Ok(active(context, server, &found));
    }
    let api = context.api_in::<ServerMaintenance>(&reference.namespace);
    let found = api.get_opt(&reference.name).await?.filter(means);
    Ok(found.map_or(Maintenance::Gone, |found| active(context, server, &found)))
}

fn active(context: &Context, server: &Server, maintenance: &ServerMaintenance) -> Maintenance {
    let template = maintenance.spec.server_boot_configuration_template.as_ref();
    Maintenance::Active {
        power: maintenance.spec.server_power.clone(),
        boot: template.map(|_| server_maintenance::boot_view(context, server, maintenance)),
    }
}

/// Whether the claim says that this is its server.
fn is_of(claim: &ServerClaim, server: &Server) -> bool {
    let named = claim.spec.server_ref.as_ref().map(|reference| &reference.name);
    named.is_some() && named == server.metadata.name.as_ref()
}

fn holds(claim: &ServerClaim, reference: &ClaimReference) -> Option<Power> {
    let alive = claim.meta().deletion_timestamp.is_none();
    // Incident 10.
    let same = sabotage::active(Bug::ClaimMatchedByName) || reference.uid.is_some() && claim.uid() == reference.uid;
    (alive && same).then(|| claim.spec.power.clone())
}

async fn read(context: &Context, server: &mut Server) -> Result<Bmc, Error> {
    let access = access::of_server(context, server)?;
    let client = context.bmcs.client(&access).await?;
    let system = find_system(&client, server).await?;
    if server.spec.system_uri.as_deref() != Some(system.uri.as_str()) {
        let patch = Change::SystemUri(system.uri.as_str().to_owned()).patch(server);
        *server = context.patch_server(server, patch).await?;
    }
    Ok(Bmc { client, system })
}

/// The system that a Server means: the one at its URI if that has its UUID, else the one that has.
///
/// # Errors
/// The BMC's, or that it has no such system.
pub(in crate::controllers) async fn find_system(client: &BmcClient, server: &Server) -> Result<System, Error> {
    let uuid = SystemUuid::new(server.spec.system_uuid.as_str());
    if let Some(uri) = &server.spec.system_uri {
        match client.system(&SystemUri::new(uri.as_str())).await {
            // Incident 12.
            Ok(system) if system.uuid == uuid || sabotage::active(Bug::SystemByUri) => return Ok(system),
            // Another machine answers under this name: numbers moved, or the address did (bugs.md #12, #135).
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let found = client
        .systems()
        .await?
        .into_iter()
        .find(|system| !uuid.is_empty() && system.uuid == uuid);
    found.ok_or_else(|| Error::SystemMissing {
        server: server.name_any(),
        uuid: uuid.to_string(),
    })
}

/// Some BMCs change the boot order with the next start only. Whether the one that is wanted waits is asked where it is not in force.
async fn look_at_staged_order(bmc: &mut Bmc, server: &Server) {
    let wanted = super::wanted_boot_order(server);
    let boot = &mut bmc.system.boot;
    if wanted.is_empty() || boot.boot_order.as_ref().is_none_or(|order| *order == wanted) {
        return;
    }
    let staged = bmc.client.staged_boot_order(&bmc.system.uri).await;
    boot.staged_order = logged(&server.name_any(), "staged boot order", staged).flatten();
}

/// The status with power, LED, the recorded operation's outcome, and whether the BMC answers.
fn seen(context: &Context, server: &Server, bmc: Option<&Bmc>, failure: Option<&Error>) -> ServerStatus {
    let now = context.now();
    let mut status = server.status.clone().unwrap_or_default();
    if let Some(Bmc { system, .. }) = bmc {
        let power = Some(Power::from(system.power_state.as_str()));
        if status.power_state != power
            || status
                .power_state_since
                .as_ref()
                .is_none_or(|since| since.0 > seconds_up(now))
        {
            status.power_state = power;
            status.power_state_since = Some(Time(seconds_up(now)));
        }
        status.indicator_led = system.indicator_led.as_deref().map(Into::into);
        intent::settle(server, system, &mut status, now, context.settings.power.patience);
    }
    let known = conditions::find(&status.conditions, BMC_REACHABLE);
    let wish = match failure {
        Some(error) => Some(Wish::no(BMC_REACHABLE, reason(error), message(error))),
        None => known.map(|_| Wish::yes(BMC_REACHABLE, "Connected", "The BMC answers")),
    };
    // The text of an error may change with every attempt; its reason tells whether there is news.
    let news = wish.filter(|wish| known.is_none_or(|known| known.reason != wish.reason));
    if let Some(wish) = news {
        conditions::set(&mut status.conditions, &wish, now);
    }
    status
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::Bmc(error) => error.class().reason(),
        Error::SystemMissing { .. } => "SystemMissing",
        _ => "NotConfigured",
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::Bmc(error) => error.condition_message(),
        error => error.to_string(),
    }
}

impl Look {
    /// The status of the server with what was seen.
    pub(super) fn status(&self, server: &Server) -> ServerStatus {
        self.unwritten
            .clone()
            .or_else(|| server.status.clone())
            .unwrap_or_default()
    }

    /// Writes what was seen.
    ///
    /// # Errors
    /// The API server's.
    pub(super) async fn record(&mut self, context: &Context, server: &mut Server) -> Result<(), Error> {
        if let Some(status) = self.unwritten.take() {
            *server = context.write_server_status(server, &status).await?;
        }
        Ok(())
    }

    /// What was seen is in the hands of a step, which writes it.
    pub(super) fn hand_over(&mut self, server: &Server) -> ServerStatus {
        self.unwritten
            .take()
            .or_else(|| server.status.clone())
            .unwrap_or_default()
    }

    /// Adds a condition to what was seen.
    pub(super) fn note(&mut self, context: &Context, server: &Server, wish: &Wish) {
        let mut status = self.status(server);
        conditions::set(&mut status.conditions, wish, context.now());
        self.unwritten = Some(status);
    }

    /// Decides for the server as it is now.
    pub(super) async fn decide(&self, context: &Context, server: &Server) -> Decision {
        let seen = self.unwritten.as_ref().map(|status| Server {
            status: Some(status.clone()),
            ..server.clone()
        });
        let server = seen.as_ref().unwrap_or(server);
        let mut observed = Observed {
            server,
            now: context.now(),
            settings: &context.settings,
            system: self.bmc.as_ref().map(|bmc| &bmc.system),
            holder: self.holder.clone(),
            maintenance: self.maintenance.clone(),
            maintenance_queued: false,
            boot: boot_view(context, server),
            own_boot_exists: own_boot_exists(context, server),
            registration: None,
            cleanup: CleanupView::default(),
        };
        let uuid = SystemUuid::new(server.spec.system_uuid.as_str());
        match observed.status().state {
            Some(ServerState::Maintenance) if self.maintenance == Maintenance::None => {
                observed.maintenance_queued = server_maintenance::is_queued(context, server);
            }
            Some(ServerState::Discovery) => {
                observed.registration = context.registry.registration(&uuid, &Term::of(server));
            }
            Some(ServerState::Cleanup) => {
                observed.cleanup.report = context.registry.cleanup_report(&uuid, &Term::of(server));
                let needs = state::cleanup_needs(&observed);
                if let Some(bmc) = &self.bmc {
                    read_for_cleanup(bmc, server, needs, &mut observed.cleanup).await;
                }
            }
            _ => {}
        }
        state::decide(&observed)
    }

    /// The end of the pass: a BMC that could not be read makes it a failed one, which is repeated with growing pauses.
    ///
    /// # Errors
    /// The error of the look.
    pub(super) fn finish(self, pause: Duration) -> Result<Duration, Error> {
        match self.failure {
            None => Ok(pause),
            Some(error) => Err(error),
        }
    }
}

/// What cannot be read stays unread: the decision waits.
async fn read_for_cleanup(bmc: &Bmc, server: &Server, needs: state::CleanupNeeds, view: &mut CleanupView) {
    let uri = &bmc.system.uri;
    let name = server.name_any();
    if needs.drives {
        view.drives = logged(&name, "drives", bmc.client.drives(uri).await);
    }
    if needs.bios {
        view.bios = logged(&name, "bios", bmc.client.bios(uri).await);
    }
    if needs.tasks {
        let drives = server.status.iter().filter_map(|status| status.cleanup.as_ref());
        for task in drives
            .flat_map(|cleanup| &cleanup.drives)
            .filter_map(|drive| drive.task_uri.as_deref())
        {
            let task = TaskUri::new(task);
            let report = bmc.client.task(&task).await;
            view.tasks.push((task, report));
        }
    }
}

fn logged<T>(server: &str, what: &str, result: Result<T, BmcError>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(server, what, %error, "could not be read"))
        .ok()
}

fn own_boot_exists(context: &Context, server: &Server) -> bool {
    let namespace = &context.settings.manager_namespace;
    let found = context.caches.boot_configurations.get_in(namespace, &server.name_any());
    found.is_some_and(|found| boot::is_own(&found) && found.metadata.deletion_timestamp.is_none())
}

/// The boot configuration that the server's holder calls for, as the cache shows it.
fn boot_view(context: &Context, server: &Server) -> BootView {
    let Some(reference) = &server.spec.boot_configuration_ref else {
        return BootView::Missing;
    };
    let found = context
        .caches
        .boot_configurations
        .get_in(&reference.namespace, &reference.name);
    let Some(configuration) = found else {
        return BootView::Missing;
    };
    let of_this_epoch = boot::epoch_of(&configuration) == Some(server.tenancy_epoch());
    let reserved = server.status.as_ref().and_then(|status| status.state.as_ref()) == Some(&ServerState::Reserved);
    let of_the_holder = if reserved {
        let claim = server
            .spec
            .server_claim_ref
            .as_ref()
            .and_then(|claim| claim.uid.as_deref());
        let owner = configuration
            .owner_references()
            .iter()
            .map(|owner| owner.uid.as_str())
            .next();
        claim.is_some() && claim == owner
    } else {
        boot::is_own(&configuration)
    };
    let of_this_server = configuration.spec.server_ref.name == server.name_any();
    // Incident 74.
    if sabotage::active(Bug::BootConfigOfAnyEpoch) {
        return boot::view(&configuration);
    }
    // Being deleted is as good as gone.
    if of_this_epoch && of_the_holder && of_this_server && configuration.metadata.deletion_timestamp.is_none() {
        boot::view(&configuration)
    } else {
        BootView::Missing
    }
}
