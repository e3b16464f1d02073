//! `metalctl cordon`, `metalctl uncordon`.

use anyhow::Context;
use crds::Server;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

/// Who has written it, in `managedFields`.
const FIELD_MANAGER: &str = "metalctl";

/// Sets or clears `spec.unclaimable`. Returns what to tell.
///
/// # Errors
/// The API server's.
pub async fn cordon(client: kube::Client, name: &str, unclaimable: bool, dry_run: bool) -> anyhow::Result<String> {
    let servers: Api<Server> = Api::all(client);
    let server = servers
        .get(name)
        .await
        .with_context(|| format!("cannot read Server {name}"))?;
    let word = if unclaimable { "cordoned" } else { "uncordoned" };
    if server.spec.unclaimable == unclaimable {
        return Ok(format!("server/{name} already {word}"));
    }
    let parameters = PatchParams {
        dry_run,
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = json!({ "spec": { "unclaimable": unclaimable } });
    let patched = servers.patch(name, &parameters, &Patch::Merge(patch)).await;
    patched.with_context(|| format!("cannot change Server {name}"))?;
    let remark = if dry_run { " (server dry run)" } else { "" };
    let holder = server.spec.server_claim_ref.filter(|_| unclaimable);
    let holder = holder.map_or_else(String::new, |claim| {
        format!("; {}/{} keeps it until it is deleted", claim.namespace, claim.name)
    });
    Ok(format!("server/{name} {word}{remark}{holder}"))
}
