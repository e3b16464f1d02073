//! What people do who work on machines: they ask for a maintenance, or have a server parked, and are done after a while.

use super::arena::Arena;
use super::machines;
use super::user::{NAMESPACE, cluster_scoped, of_claim, patch_server, requesting};
use crate::engine::cluster::Target;
use crate::engine::world::{state, text};
use crds::keys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// A maintenance as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintenance {
    pub name: String,
    pub machine: String,
    /// Whether the owner is asked, and agrees after a while.
    pub consent: Consent,
    /// The power it wants, if any: `On`, `Off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<String>,
    /// Whether it boots a system of its own.
    #[serde(default)]
    pub tools: bool,
    #[serde(default)]
    pub priority: i32,
}

/// What the owner of a server has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    NotAsked,
    Given,
    Withheld,
}

/// Asks for it, gets the consent of whoever holds the server by then, works, and ends it.
pub(super) async fn maintain(arena: &Arena, maintenance: &Maintenance, lasts: Duration) -> Result<(), String> {
    arena.user.apply(&manifest(maintenance)).await?;
    tokio::time::sleep(lasts / 4).await;
    if maintenance.consent == Consent::Given {
        // Nobody may hold it, or not any more.
        let _ = agree(arena, &maintenance.machine).await;
    }
    tokio::time::sleep(lasts / 4 * 3).await;
    arena.user.delete(&of_maintenance(&maintenance.name)).await
}

async fn agree(arena: &Arena, machine: &str) -> Result<(), String> {
    let server = arena
        .user
        .get(&cluster_scoped("Server", &machines::server(machine)))
        .await?;
    let claim = text(&server, "/spec/serverClaimRef/name").ok_or("nobody holds it")?;
    let label = json!({ "metadata": { "labels": { keys::maintenance::APPROVED_LABEL: "yes" } } });
    arena.user.merge(&of_claim(claim), &label, false).await
}

/// Has the server parked, and takes it back.
pub(super) async fn park(arena: &Arena, machine: &str, lasts: Duration) -> Result<(), String> {
    patch_server(arena, machine, &requesting(keys::operation::PARK)).await?;
    tokio::time::sleep(lasts).await;
    patch_server(arena, machine, &requesting(keys::operation::UNPARK)).await
}

/// Ends everything that people may have left behind on this server, in a state in which it can be ended.
pub(super) async fn put_back(arena: &Arena, machine: &str, server: &Value) -> Result<(), String> {
    let waits = text(server, "/metadata/annotations/metal.ironcore.dev~1operation") == Some(keys::operation::PARK);
    if waits || state(server) == Some("Parked") {
        patch_server(arena, machine, &requesting(keys::operation::UNPARK)).await?;
    }
    Ok(())
}

/// Ends this maintenance.
pub(super) async fn end(arena: &Arena, name: &str) -> Result<(), String> {
    arena.user.delete(&of_maintenance(name)).await
}

fn manifest(maintenance: &Maintenance) -> Value {
    let server = json!({ "name": machines::server(&maintenance.machine) });
    let policy = match maintenance.consent {
        Consent::NotAsked => "Enforced",
        Consent::Given | Consent::Withheld => "OwnerApproval",
    };
    let mut object = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerMaintenance",
        "metadata": { "name": maintenance.name, "namespace": NAMESPACE },
        "spec": { "policy": policy, "serverRef": server, "priority": maintenance.priority },
    });
    if let Some(power) = &maintenance.power {
        object["spec"]["serverPower"] = json!(power);
    }
    if maintenance.tools {
        let image = format!(
            "{}/{}:v1",
            crate::testbed::IMAGE_REGISTRY,
            crate::guest::MAINTENANCE_IMAGE
        );
        object["spec"]["serverBootConfigurationTemplate"] =
            json!({ "name": maintenance.name, "spec": { "serverRef": server, "image": image } });
    }
    object
}

fn of_maintenance(name: &str) -> Target<'_> {
    Target {
        kind: "ServerMaintenance",
        namespace: Some(NAMESPACE),
        name,
    }
}
