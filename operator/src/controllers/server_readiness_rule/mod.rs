//! ServerReadinessRule: keeps Servers from claims with a taint until conditions hold (contract section 3.7).
//!
//! | module | subject |
//! |---|---|
//! | [`evaluation`] | what rules ask of one Server. Pure |
//!
//! The taints are written by the Server's own controller, in the first step of its pass ([`apply`]): there is one writer, every write has
//! its precondition, and a Server is not offered to claims while a taint is yet to be written ([`evaluation::pending`], W45). The
//! rule's own controller wakes Servers, and takes the taints away when the rule goes.

pub mod evaluation;

use std::sync::Arc;

use crds::{Server, ServerReadinessRule, keys};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::controller::Action;

use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::context::{Context, is_conflict, is_not_found};

/// One pass over one rule.
///
/// # Errors
/// The API server's.
pub async fn reconcile(context: Arc<Context>, rule: Arc<ServerReadinessRule>) -> Result<Action, Error> {
    let result = if rule.metadata.deletion_timestamp.is_some() {
        withdraw(&context, &rule).await
    } else if is_ignored(&*rule) {
        Ok(())
    } else {
        let api = context.api();
        let ensured = ensure_finalizer(&api, &*rule, keys::finalizer::SERVER_READINESS_RULE).await;
        ensured.map(drop).map_err(Error::from)
    };
    match result {
        Ok(()) => Ok(Action::await_change()),
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        Err(error) => Err(error),
    }
}

/// Takes the taint away from every Server, then lets the rule go. A taint that is on its way to a Server meanwhile carries a note,
/// and goes in the next pass over that Server.
async fn withdraw(context: &Context, rule: &ServerReadinessRule) -> Result<(), Error> {
    let finalizer = keys::finalizer::SERVER_READINESS_RULE;
    if !rule.finalizers().iter().any(|present| present == finalizer) {
        return Ok(());
    }
    let (servers, rules): (Api<Server>, Api<ServerReadinessRule>) = (context.api(), context.api());
    // Live: a cache may be behind, and nobody looks again.
    let others = rules.list(&ListParams::default()).await?;
    for server in servers.list(&ListParams::default()).await? {
        if !evaluation::concerns(rule, &server) {
            continue;
        }
        let mut server = server;
        adopt_unnoted(rule, &mut server);
        if let Some(patch) = evaluation::patch(&server, others.items.iter()) {
            match context.patch_server(&server, patch).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    match remove_finalizer(&rules, rule, finalizer).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The identical taint goes with the rule also where an operator has written it that leaves no notes.
fn adopt_unnoted(rule: &ServerReadinessRule, server: &mut Server) {
    let taint = evaluation::taint_of(rule);
    if server.spec.taints.contains(&taint) {
        evaluation::note(server, &rule.name_any(), taint);
    }
}

/// Brings taints and notes of a Server up to date with the rules.
///
/// # Errors
/// The API server's.
pub async fn apply(context: &Context, server: &mut Server) -> Result<(), Error> {
    let mut rules = context.caches.readiness_rules.all();
    for note in evaluation::noted(server) {
        if rules.iter().all(|rule| rule.name_any() != note.rule)
            // That it is gone only the API server can say.
            && let Some(rule) = context.api::<ServerReadinessRule>().get_opt(&note.rule).await?
        {
            rules.push(Arc::new(rule));
        }
    }
    let rules = rules.iter().map(AsRef::as_ref);
    if let Some(patch) = evaluation::patch(server, rules) {
        *server = context.patch_server(server, patch).await?;
        let taints: Vec<String> = server.spec.taints.iter().map(ToString::to_string).collect();
        tracing::info!(server = %server.name_any(), ?taints, "readiness rules applied");
    }
    Ok(())
}
