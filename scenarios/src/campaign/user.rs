//! What people do to a cluster and its machines.

use super::arena::Arena;
use super::machines;
use super::servicing::{self, Maintenance};
use crate::engine::cluster::Target;
use crate::engine::registration;
use crate::script::steps::ScenarioDuration;
use crate::testbed::TestbedError;
use base64::Engine as _;
use bmc_emulator::{AdminAction, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::PoisonError;

/// Namespace of all claims.
pub(super) const NAMESPACE: &str = "default";
/// Label of the servers that claims by selector want.
pub(super) const LABEL: &str = "campaign.example/pool";

/// One action. Flags are called `active` in files, because YAML takes a key `on` for a truth value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum UserAction {
    /// BMCSecret and BMC.
    Register {
        machine: String,
    },
    /// Deletes the BMC object.
    Unregister {
        machine: String,
    },
    /// User data and claim.
    Claim {
        name: String,
        #[serde(default)]
        selector: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<String>,
        #[serde(rename = "active")]
        on: bool,
    },
    /// User data and claim; so long after it, a finalizer of somebody else, for a while.
    GuardedClaim {
        name: String,
        after: ScenarioDuration,
    },
    Release {
        name: String,
    },
    /// Deletes the claim and makes it again under the same name, as a GitOps tool does.
    Recreate {
        name: String,
    },
    Power {
        name: String,
        #[serde(rename = "active")]
        on: bool,
    },
    Label {
        machine: String,
        #[serde(rename = "active")]
        on: bool,
    },
    Cordon {
        machine: String,
        #[serde(rename = "active")]
        on: bool,
    },
    Retain {
        machine: String,
        #[serde(rename = "active")]
        on: bool,
    },
    Touch {
        kind: String,
        machine: String,
        value: String,
    },
    Retry {
        machine: String,
    },
    DeleteServer {
        machine: String,
    },
    /// That of the server, if there is one.
    DeleteBootConfiguration {
        machine: String,
    },
    DeleteCredentials {
        machine: String,
    },
    RotatePassword {
        machine: String,
        password: String,
    },
    TenantPowersOff {
        machine: String,
    },
    /// The reverse of the order that discovery found.
    BootOrder {
        machine: String,
        #[serde(rename = "active")]
        on: bool,
    },
    /// Of the machine, while a claim holds it.
    Restart {
        machine: String,
    },
    ResetBmc {
        machine: String,
    },
    /// Deletes a claim and takes its finalizers away.
    ForceDelete {
        name: String,
    },
    /// The same, and makes it again.
    ForceRecreate {
        name: String,
    },
    Maintain {
        maintenance: Maintenance,
        lasts: ScenarioDuration,
    },
    Park {
        machine: String,
        lasts: ScenarioDuration,
    },
}

impl UserAction {
    /// Does it. That an object is not there (any more) is no failure of the campaign: people do such things, too.
    pub(super) async fn perform(&self, arena: &Arena) -> Result<(), TestbedError> {
        let outcome = self.attempt(arena).await;
        if let Err(why) = &outcome {
            // Not the whole action: it may hold a password.
            tracing::info!(
                machine = self.machine(),
                claim = self.claim(),
                why,
                "the user was refused"
            );
        }
        Ok(())
    }

    /// The machine it is about.
    pub(super) fn machine(&self) -> Option<&str> {
        match self {
            Self::Register { machine }
            | Self::Unregister { machine }
            | Self::Label { machine, .. }
            | Self::Cordon { machine, .. }
            | Self::Retain { machine, .. }
            | Self::Touch { machine, .. }
            | Self::Retry { machine }
            | Self::DeleteServer { machine }
            | Self::DeleteBootConfiguration { machine }
            | Self::DeleteCredentials { machine }
            | Self::RotatePassword { machine, .. }
            | Self::BootOrder { machine, .. }
            | Self::Restart { machine }
            | Self::ResetBmc { machine }
            | Self::Park { machine, .. }
            | Self::TenantPowersOff { machine } => Some(machine),
            Self::Maintain { maintenance, .. } => Some(&maintenance.machine),
            Self::Claim { machine, .. } => machine.as_deref(),
            Self::GuardedClaim { .. }
            | Self::Release { .. }
            | Self::Recreate { .. }
            | Self::Power { .. }
            | Self::ForceDelete { .. }
            | Self::ForceRecreate { .. } => None,
        }
    }

    /// The claim it is about.
    pub(super) fn claim(&self) -> Option<&str> {
        match self {
            Self::Claim { name, .. }
            | Self::GuardedClaim { name, .. }
            | Self::Release { name }
            | Self::Recreate { name }
            | Self::Power { name, .. }
            | Self::ForceDelete { name }
            | Self::ForceRecreate { name } => Some(name),
            _ => None,
        }
    }

    async fn attempt(&self, arena: &Arena) -> Result<(), String> {
        let user = &arena.user;
        match self {
            Self::Register { machine } => register(arena, machine).await,
            Self::Unregister { machine } => user.delete(&cluster_scoped("BMC", machine)).await,
            Self::Claim {
                name,
                selector,
                machine,
                on,
            } => {
                user.apply(&user_data(name)).await?;
                user.apply(&claim(name, *selector, machine.as_deref(), *on)).await
            }
            Self::GuardedClaim { name, after } => {
                user.apply(&user_data(name)).await?;
                user.apply(&claim(name, false, None, true)).await?;
                tokio::time::sleep(after.0).await;
                guard(arena, name, true).await?;
                tokio::time::sleep(GUARDED).await;
                guard(arena, name, false).await
            }
            Self::Release { name } => user.delete(&of_claim(name)).await,
            Self::Recreate { name } => {
                let claim = user.get(&of_claim(name)).await?;
                user.delete(&of_claim(name)).await?;
                // Until its finalizer is gone the name is taken; whoever re-applies tries again and again.
                let mut tries = 0;
                while let Err(why) = user.create(&fresh(&claim)).await {
                    tries += 1;
                    if tries > RECREATE_TRIES {
                        return Err(why);
                    }
                    tokio::time::sleep(RECREATE_PAUSE).await;
                }
                Ok(())
            }
            Self::Power { name, on } => {
                let power = json!({ "spec": { "power": on_off(*on) } });
                user.merge(&of_claim(name), &power, false).await
            }
            Self::Label { machine, on } => {
                let value = if *on { json!("yes") } else { Value::Null };
                let labels = json!({ "metadata": { "labels": { LABEL: value } } });
                patch_server(arena, machine, &labels).await
            }
            Self::Cordon { machine, on } => {
                patch_server(arena, machine, &json!({ "spec": { "unclaimable": on } })).await
            }
            Self::Retain { machine, on } => {
                let policy = if *on { "Retain" } else { "Recycle" };
                patch_server(arena, machine, &json!({ "spec": { "reclaimPolicy": policy } })).await
            }
            Self::Touch { kind, machine, value } => {
                let name = match kind.as_str() {
                    "Server" => machines::server(machine),
                    _ => machine.clone(),
                };
                let annotations = json!({ "metadata": { "annotations": { "campaign.example/touched": value } } });
                user.merge(&cluster_scoped(kind, &name), &annotations, false).await
            }
            Self::Retry { machine } => retry(arena, machine).await,
            Self::DeleteServer { machine } => user.delete(&cluster_scoped("Server", &machines::server(machine))).await,
            Self::DeleteBootConfiguration { machine } => {
                let server = user.get(&cluster_scoped("Server", &machines::server(machine))).await?;
                let text = |field: &str| {
                    server
                        .pointer(&format!("/spec/bootConfigurationRef/{field}"))
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                };
                let (Some(name), namespace) = (text("name"), text("namespace")) else {
                    return Err("the server has no boot configuration".to_owned());
                };
                user.delete(&Target {
                    kind: "ServerBootConfiguration",
                    namespace: namespace.as_deref(),
                    name: &name,
                })
                .await
            }
            Self::DeleteCredentials { machine } => {
                user.delete(&cluster_scoped("BMCSecret", &credentials(machine))).await?;
                tokio::time::sleep(CREDENTIALS_MISSING).await;
                register_secret(arena, machine).await
            }
            Self::RotatePassword { machine, password } => rotate(arena, machine, password).await,
            Self::TenantPowersOff { machine } => {
                let runs = arena
                    .world
                    .bmc(machine)
                    .is_ok_and(|bmc| matches!(bmc.inspect().execution, bmc_emulator::Execution::Guest { .. }));
                if !runs {
                    return Err("nothing runs there".to_owned());
                }
                arena
                    .hands(machine, AdminAction::PowerOff)
                    .map_err(|error| error.to_string())
            }
            Self::BootOrder { machine, on } => {
                let server = user.get(&cluster_scoped("Server", &machines::server(machine))).await?;
                let found = server.pointer("/status/bootOrder").and_then(Value::as_array);
                let devices = found.filter(|_| *on).into_iter().flatten().rev().enumerate();
                let order: Vec<Value> = devices
                    .map(|(index, device)| json!({ "name": device, "device": device, "priority": index + 1 }))
                    .collect();
                patch_server(arena, machine, &json!({ "spec": { "bootOrder": order } })).await
            }
            Self::Restart { machine } => {
                let server = user.get(&cluster_scoped("Server", &machines::server(machine))).await?;
                if crate::engine::world::state(&server) != Some("Reserved") {
                    return Err("no tenant runs there".to_owned());
                }
                patch_server(arena, machine, &requesting("hard-restart-server")).await
            }
            Self::ResetBmc { machine } => {
                let request = requesting("graceful-restart-bmc");
                user.merge(&cluster_scoped("BMC", machine), &request, false).await
            }
            Self::Maintain { maintenance, lasts } => servicing::maintain(arena, maintenance, lasts.0).await,
            Self::Park { machine, lasts } => servicing::park(arena, machine, lasts.0).await,
            Self::ForceDelete { name } => force_delete(arena, name).await,
            Self::ForceRecreate { name } => {
                let claim = user.get(&of_claim(name)).await?;
                force_delete(arena, name).await?;
                user.create(&fresh(&claim)).await
            }
        }
    }
}

async fn force_delete(arena: &Arena, name: &str) -> Result<(), String> {
    arena.user.delete(&of_claim(name)).await?;
    let none = json!({ "metadata": { "finalizers": null } });
    arena.user.merge(&of_claim(name), &none, false).await
}

/// An annotation that asks the operator for something.
pub(super) fn requesting(operation: &str) -> Value {
    json!({ "metadata": { "annotations": { crds::keys::OPERATION_ANNOTATION: operation } } })
}

/// The finalizer of somebody else, and how long it stays.
const GUARD: &str = "campaign.example/guard";
const GUARDED: std::time::Duration = std::time::Duration::from_secs(600);

/// Puts the finalizer of somebody else on a claim, or takes it away, and leaves all others: as a controller does that knows how.
pub(super) async fn guard(arena: &Arena, name: &str, on: bool) -> Result<(), String> {
    let mut tries = 0;
    loop {
        let claim = arena.user.get(&of_claim(name)).await?;
        let mut finalizers = claim
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if finalizers.contains(&json!(GUARD)) == on {
            return Ok(());
        }
        if on {
            finalizers.push(json!(GUARD));
        } else {
            finalizers.retain(|finalizer| finalizer != GUARD);
        }
        let version = claim.pointer("/metadata/resourceVersion").cloned();
        let patch = json!({ "metadata": { "resourceVersion": version, "finalizers": finalizers } });
        match arena.user.merge(&of_claim(name), &patch, false).await {
            Err(_) if tries < RECREATE_TRIES => tries += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(RECREATE_PAUSE).await;
    }
}

/// How often and how long whoever re-applies a claim tries.
const RECREATE_TRIES: u32 = 360;
const RECREATE_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);
/// How long deleted credentials are missing.
const CREDENTIALS_MISSING: std::time::Duration = std::time::Duration::from_secs(300);

/// Credentials and BMC of a machine, as they should be.
pub(super) async fn register(arena: &Arena, machine: &str) -> Result<(), String> {
    register_secret(arena, machine).await?;
    let info = arena
        .machine(machine)
        .ok_or_else(|| format!("there is no machine {machine}"))?;
    let mut bmc = registration::bmc(info);
    bmc["spec"]["bmcSecretRef"]["name"] = json!(credentials(machine));
    arena.user.apply(&bmc).await
}

/// Name of the BMCSecret of a machine: not that of its BMC, as where several BMCs share one.
fn credentials(machine: &str) -> String {
    format!("credentials-of-{machine}")
}

async fn register_secret(arena: &Arena, machine: &str) -> Result<(), String> {
    let info = arena
        .machine(machine)
        .ok_or_else(|| format!("there is no machine {machine}"))?;
    let mut secret = registration::bmc_secret(info, &arena.password(info));
    secret["metadata"]["name"] = json!(credentials(machine));
    arena.user.apply(&secret).await
}

/// First the BMC, then the secret: as an administrator with a terminal would.
async fn rotate(arena: &Arena, machine: &str, password: &str) -> Result<(), String> {
    let info = arena
        .machine(machine)
        .ok_or_else(|| format!("there is no machine {machine}"))?;
    let change = AdminAction::ChangePassword {
        username: info.username.clone(),
        password: Secret::new(password.to_owned()),
    };
    arena.hands(machine, change).map_err(|error| error.to_string())?;
    arena
        .passwords
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(machine.to_owned(), password.to_owned());
    let encoded = base64::engine::general_purpose::STANDARD.encode(password);
    let data = json!({ "data": { "password": encoded } });
    arena
        .user
        .merge(&cluster_scoped("BMCSecret", &credentials(machine)), &data, false)
        .await
}

/// What the documentation tells administrators to do about a server in Error.
pub(super) async fn retry(arena: &Arena, machine: &str) -> Result<(), String> {
    patch_server(arena, machine, &requesting(crds::keys::operation::RETRY)).await
}

pub(super) async fn patch_server(arena: &Arena, machine: &str, patch: &Value) -> Result<(), String> {
    let name = machines::server(machine);
    arena.user.merge(&cluster_scoped("Server", &name), patch, false).await
}

/// The Secret with the user data of a claim.
pub(super) fn user_data(claim: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": claim, "namespace": NAMESPACE },
        "stringData": {
            "format": "fcos",
            "ignition": format!(
                "variant: fcos\nversion: 1.3.0\nstorage:\n  files:\n    - path: /etc/tenant\n      contents:\n        inline: canary-data-of-{claim}\n"
            ),
        }
    })
}

fn claim(name: &str, selector: bool, machine: Option<&str>, on: bool) -> Value {
    let mut claim = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerClaim",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "power": on_off(on),
            "image": format!("{}/tenant-os:v1", crate::testbed::IMAGE_REGISTRY),
            "ignitionSecretRef": { "name": name },
        }
    });
    if selector {
        claim["spec"]["serverSelector"] = json!({ "matchLabels": { LABEL: "yes" } });
    }
    if let Some(machine) = machine {
        claim["spec"]["serverRef"] = json!({ "name": machines::server(machine) });
    }
    claim
}

/// The claim as its manifest says it: what the operator filled in is not part of that.
fn fresh(claim: &Value) -> Value {
    let name = claim
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut spec = claim.get("spec").cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        spec.shift_remove("serverRef");
    }
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerClaim",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": spec,
    })
}

fn on_off(on: bool) -> &'static str {
    if on { "On" } else { "Off" }
}

pub(super) fn of_claim(name: &str) -> Target<'_> {
    Target {
        kind: "ServerClaim",
        namespace: Some(NAMESPACE),
        name,
    }
}

pub(super) fn cluster_scoped<'a>(kind: &'a str, name: &'a str) -> Target<'a> {
    Target {
        kind,
        namespace: None,
        name,
    }
}
