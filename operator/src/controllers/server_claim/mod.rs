//! The ServerClaim controller: contract section 3.5, with reservations that carry UID and epoch.
//!
//! | module | subject |
//! |---|---|
//! | [`selection`] | which claim gets which server |
//! | [`rank`] | in which order servers are lent out |
//! | [`board`] | who waits, what is free, kept by the watches |
//! | `obstacles` | what keeps servers from all claims, counted |
//! | [`decision`] | what a claim needs next |
//! | `configure` | the claim's boot configuration |

pub mod board;
mod configure;
pub mod decision;
mod obstacles;
pub mod rank;
pub mod selection;

use std::sync::Arc;
use std::time::Duration;

use crds::{ClaimPhase, LocalObjectReference, Server, ServerClaim, ServerClaimStatus, keys};
use kube::ResourceExt;
use kube::api::{Api, Patch};
use kube::runtime::controller::Action;
use serde_json::json;

pub use board::Board;

use self::decision::{Mine, Step};
use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::conditions::{self, Wish};
use crate::context::{Context, claim_key, is_conflict, is_refusal, parameters};
use crate::events::{Happening, table};
use crate::freshness::View;
use crate::ownership::reservation::Change;
use crate::sabotage::{self, Bug};

/// Condition on a ServerClaim: why it waits, or that it has its server.
pub const BOUND: &str = "Bound";

/// Condition on a ServerClaim whose server has a taint that asks it to leave.
pub const EVICTION_REQUESTED: &str = "EvictionRequested";

const CONTROLLER: &str = "serverclaim-controller";

/// One pass over one ServerClaim.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, claim: Arc<ServerClaim>) -> Result<Action, Error> {
    let soon = context.settings.resource.interval;
    let namespace = claim.namespace().unwrap_or_default();
    let key = claim_key(&namespace, &claim.name_any());
    let claim = match context.own_writes.view(&key, claim.resource_version().as_deref(), soon) {
        View::Current => claim,
        View::Lagging => return Ok(Action::requeue(soon)),
        View::Lost => match context
            .api_in::<ServerClaim>(&namespace)
            .get_opt(&claim.name_any())
            .await?
        {
            Some(claim) => {
                context.own_writes.wrote(&key, claim.resource_version().as_deref());
                Arc::new(claim)
            }
            None => return Ok(Action::await_change()),
        },
    };
    let version = claim.resource_version();
    let mut pass = Pass {
        api: context.api_in(&namespace),
        context: &context,
        claim: ServerClaim::clone(&claim),
        key: key.clone(),
    };
    match pass.run().await {
        // Incident 16.
        Ok(_) if sabotage::active(Bug::OnlyFirstClaimWoken) => Ok(Action::await_change()),
        Ok(pause) => Ok(Action::requeue(pause.min(context.settings.resync))),
        Err(Error::Kube(error)) if is_conflict(&error) => {
            if pass.claim.resource_version() == version {
                context.own_writes.was_stale(&key, version.as_deref());
            }
            Ok(Action::requeue(soon))
        }
        Err(error) => Err(error),
    }
}

struct Pass<'a> {
    context: &'a Context,
    api: Api<ServerClaim>,
    claim: ServerClaim,
    key: String,
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<Duration, Error> {
        let soon = self.context.settings.resource.interval;
        let resync = self.context.settings.resync;
        let deleting = self.claim.metadata.deletion_timestamp.is_some();
        let ours = self
            .claim
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == keys::finalizer::SERVER_CLAIM);
        if deleting && !ours || !deleting && is_ignored(&self.claim) {
            return Ok(resync);
        }
        if !deleting {
            let status = self.claim.status.clone().unwrap_or_default();
            if status.phase.is_none() {
                self.write_status(ServerClaimStatus {
                    phase: Some(ClaimPhase::Unbound),
                    ..status
                })
                .await?;
            }
            if let Some(claim) = ensure_finalizer(&self.api, &self.claim, keys::finalizer::SERVER_CLAIM).await? {
                self.take(claim);
            }
        }
        let mut mine = self.cached();
        let mut step = decision::decide(&self.claim, &mine, self.configured(&mine));
        // What would give something up, or take something new, is decided by what the API server says now.
        if matches!(step, Step::Select | Step::Lost { .. } | Step::Finish) {
            mine = self.live().await?;
            step = decision::decide(&self.claim, &mine, self.configured(&mine));
        }
        match step {
            Step::Select => self.select().await,
            Step::Reference => {
                let Mine::Held(server) = &mine else { return Ok(soon) };
                self.reference(server).await?;
                Ok(resync)
            }
            Step::AwaitReserved | Step::AwaitRelease => Ok(resync),
            Step::Configure => {
                let Mine::Held(server) = &mine else { return Ok(soon) };
                match configure::configure(self.context, &self.claim, server).await? {
                    configure::Outcome::Done => Ok(resync),
                    configure::Outcome::Again => Ok(soon),
                    configure::Outcome::Conflict(message) => {
                        self.unbound("BootConfigurationConflict", message).await?;
                        Ok(resync)
                    }
                }
            }
            Step::Bound => self.bound(&mine).await,
            Step::Lost { reason, message } => {
                self.unbound(reason, message).await?;
                Ok(resync)
            }
            Step::Finish => {
                self.context.board.failed(&self.uid());
                if let Some(claim) = remove_finalizer(&self.api, &self.claim, keys::finalizer::SERVER_CLAIM).await? {
                    self.take(claim);
                }
                Ok(resync)
            }
        }
    }

    fn uid(&self) -> String {
        self.claim.uid().unwrap_or_default()
    }

    /// Later writes of this pass build on what an earlier one returned.
    fn take(&mut self, claim: ServerClaim) {
        self.context
            .own_writes
            .wrote(&self.key, claim.resource_version().as_deref());
        self.claim = claim;
    }

    async fn write_status(&mut self, status: ServerClaimStatus) -> Result<(), Error> {
        let old = self.claim.status.clone().unwrap_or_default();
        let written = self.context.write_status(&self.api, &self.claim, &old, &status).await?;
        if let Some(claim) = written {
            self.take(claim);
        }
        Ok(())
    }

    fn server_name(&self) -> Option<String> {
        let referenced = self
            .claim
            .spec
            .server_ref
            .as_ref()
            .map(|reference| reference.name.clone());
        referenced.or_else(|| self.context.board.server_of(&self.uid()))
    }

    fn cached(&self) -> Mine {
        let Some(name) = self.server_name() else {
            return Mine::None;
        };
        let server = self.context.caches.servers.get(&name);
        self.mine(name, server.as_deref())
    }

    async fn live(&self) -> Result<Mine, Error> {
        let Some(name) = self.server_name() else {
            return Ok(Mine::None);
        };
        let server = self.context.api::<Server>().get_opt(&name).await?;
        Ok(self.mine(name, server.as_ref()))
    }

    fn mine(&self, name: String, server: Option<&Server>) -> Mine {
        let Some(server) = server else {
            return Mine::Missing { name };
        };
        match &server.spec.server_claim_ref {
            None => Mine::Unheld { name },
            Some(holder) if holder.uid.is_some() && holder.uid == self.claim.uid() => {
                Mine::Held(Box::new(server.clone()))
            }
            // The Server controller is about to complete the reference of an older operator.
            Some(holder)
                if holder.uid.is_none()
                    && Some(&holder.namespace) == self.claim.metadata.namespace.as_ref()
                    && holder.name == self.claim.name_any() =>
            {
                Mine::Held(Box::new(server.clone()))
            }
            Some(_) => Mine::Foreign { name },
        }
    }

    fn configured(&self, mine: &Mine) -> bool {
        let Mine::Held(server) = mine else { return false };
        let namespace = self.claim.namespace().unwrap_or_default();
        let configurations = &self.context.caches.boot_configurations;
        configurations
            .get_in(&namespace, &self.claim.name_any())
            .is_some_and(|configuration| decision::is_configured(&self.claim, server, &configuration))
    }

    /// Takes a server, if one is free for this claim.
    async fn select(&mut self) -> Result<Duration, Error> {
        let context = self.context;
        let uid = self.uid();
        // A live read has shown that an earlier try did not succeed.
        context.board.failed(&uid);
        let Some(chosen) = context.board.choose(&uid) else {
            let message = match selection::takes_any(&self.claim) {
                true => context.board.explain(&self.claim),
                false => {
                    let servers = context.caches.servers.all();
                    let seen: Vec<_> = servers
                        .iter()
                        .map(|server| context.board.as_claims_see(server))
                        .collect();
                    selection::explain(&self.claim, &seen)
                }
            };
            self.unbound("NoServerAvailable", message).await?;
            return Ok(context.settings.resync);
        };
        let name = chosen.name_any();
        let soon = context.settings.resource.interval;
        let servers: Api<Server> = context.api();
        let (server, claim) = (
            servers.get_opt(&name).await?,
            self.api.get_opt(&self.claim.name_any()).await?,
        );
        let (Some(server), Some(claim)) = (server, claim) else {
            return Ok(soon);
        };
        let same = claim.uid() == self.claim.uid() && claim.metadata.deletion_timestamp.is_none();
        let server = Arc::new(server);
        if !same || selection::fits(&claim, &context.board.as_claims_see(&server)).is_err() {
            return Ok(soon);
        }
        let timeout = context.options.bmc.bmc_request_timeout.get();
        // Incident 33.
        if !context.leadership.valid_for(timeout) && !sabotage::active(Bug::ExLeaderSends) {
            return Ok(soon);
        }
        // Incident 3.
        if sabotage::active(Bug::ClaimReferenceFirst) {
            self.reference(&server).await?;
        }
        let change = Change::Bind {
            namespace: claim.namespace().unwrap_or_default(),
            name: claim.name_any(),
            uid: uid.clone(),
        };
        context.board.tried(&uid, &name);
        let bound = match context.patch_server(&server, change.patch(&server)).await {
            Ok(bound) => bound,
            Err(error) => {
                // Any other error may hide a success, which the next pass reads live.
                if is_refusal(&error) {
                    context.board.failed(&uid);
                }
                return Err(error.into());
            }
        };
        tracing::info!(claim = %self.claim.name_any(), server = name, epoch = bound.tenancy_epoch(), "server bound");
        self.take(claim);
        self.reference(&bound).await?;
        Ok(context.settings.resync)
    }

    async fn reference(&mut self, server: &Server) -> Result<(), Error> {
        let wanted = LocalObjectReference::named(server.name_any());
        if self.claim.spec.server_ref.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "resourceVersion": self.claim.resource_version() },
            "spec": { "serverRef": wanted },
        });
        let name = self.claim.name_any();
        let claim = self.api.patch(&name, &parameters(), &Patch::Merge(patch)).await?;
        self.take(claim);
        Ok(())
    }

    async fn bound(&mut self, mine: &Mine) -> Result<Duration, Error> {
        let resync = self.context.settings.resync;
        let Mine::Held(server) = mine else { return Ok(resync) };
        let name = server.name_any();
        let mut status = self.claim.status.clone().unwrap_or_default();
        let news = status.phase != Some(ClaimPhase::Bound);
        status.phase = Some(ClaimPhase::Bound);
        let wish = Wish::yes(BOUND, "ServerBound", format!("Server {name} belongs to this claim"));
        conditions::set(&mut status.conditions, &wish, self.context.now());
        if let Some(wish) = self.eviction(server, &status) {
            conditions::set(&mut status.conditions, &wish, self.context.now());
        }
        self.write_status(status).await?;
        if news {
            let created = self.claim.metadata.creation_timestamp.as_ref().map(|time| time.0);
            let waited = created.map(|created| self.context.now().duration_since(created));
            let waited = waited.and_then(|waited| Duration::try_from(waited).ok());
            self.context.metrics.claim_bound(waited.unwrap_or_default());
            let happening = Happening {
                told: &table::BOUND,
                note: format!("Server {name} was bound"),
                occurrence: server.tenancy_epoch(),
            };
            self.context.events.record(CONTROLLER, &self.claim, happening).await;
        }
        Ok(resync)
    }

    /// Whether the claim is asked to leave. It is never made to: what is on its machine would be gone.
    fn eviction(&self, server: &Server, status: &ServerClaimStatus) -> Option<Wish> {
        let taints = selection::asked_to_leave(&self.claim, server);
        if taints.is_empty() {
            let known = conditions::find(&status.conditions, EVICTION_REQUESTED);
            return known.map(|_| Wish::no(EVICTION_REQUESTED, "NotTainted", "No taint asks this claim to leave"));
        }
        let taints: Vec<String> = taints.iter().map(ToString::to_string).collect();
        let message = format!(
            "Server {} has taints that this claim does not tolerate: {}. Delete the claim to let the server go; nothing is taken away from it",
            server.name_any(),
            taints.join(", ")
        );
        Some(Wish::yes(EVICTION_REQUESTED, "Tainted", message))
    }

    async fn unbound(&mut self, reason: &str, message: String) -> Result<(), Error> {
        let mut status = self.claim.status.clone().unwrap_or_default();
        status.phase = Some(ClaimPhase::Unbound);
        conditions::set(
            &mut status.conditions,
            &Wish::no(BOUND, reason, message),
            self.context.now(),
        );
        self.write_status(status).await
    }
}
