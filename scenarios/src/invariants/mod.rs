//! What must be true at every moment of every scenario (bugs.md, "Global safety invariants"). One file per invariant; each sees
//! every event as it happens and says at once what is wrong.
//!
//! | module | invariant |
//! |---|---|
//! | [`exclusive_holder`] | S1, S2: one claim per server, one server per claim, one Server per machine; no holder is replaced |
//! | [`no_residue`] | S4: no server is offered or claimed with data of a tenant on a drive |
//! | [`proven_cleanup`] | S4: a claim marks the server as used, and only a proven cleanup takes the mark away |
//! | [`epoch_grows`] | S5: the tenancy epoch never decreases, and grows with every new holder |
//! | [`power_off_between_tenancies`] | S3: the machine was Off after the tenancy, before anybody else got it |
//! | [`fenced_operations`] | S5, S8: a reset reaches a machine only for a recorded intent of the current epoch, once per attempt |
//! | [`right_image`] | S9: what runs on a machine is what its holder asked for, delivered once; agents run for nobody |
//! | [`prepared_boot`] | S9: a machine is first started for a tenant when what it boots is ready |
//! | [`undisturbed_tenant`] | S5, S7: a provisioned machine is not switched off while its holder wants it on |
//! | [`maintenance_consent`] | S2, S10: a maintenance has a server alone, and with its owner's consent |
//! | [`quiet_loops`] | L10: no object is written again and again, no BMC asked |
//! | [`foreign_finalizers`] | S13: finalizers of others stay as they are |
//! | [`registered_probe`] | S14: a server was discovered by a probe that ran on its machine, in this epoch |
//! | [`confidentiality`] | S15: no secret value in a log line, an Event, a status or any object that is not a Secret |
//! | [`least_privilege`] | the operator asks the API server for nothing that its roles do not allow |
//! | [`login_only`] | S15: passwords are sent to log in only |
//! | [`sessions_closed`] | every BMC session is closed at the end |

pub mod confidentiality;
pub mod epoch_grows;
pub mod exclusive_holder;
pub mod fenced_operations;
pub mod foreign_finalizers;
pub mod least_privilege;
pub mod login_only;
pub mod maintenance_consent;
pub mod no_residue;
pub mod power_off_between_tenancies;
pub mod prepared_boot;
pub mod proven_cleanup;
pub mod quiet_loops;
pub mod registered_probe;
pub mod right_image;
pub mod sessions_closed;
pub mod undisturbed_tenant;

use crate::engine::Secrets;
use crate::engine::world::{ObjectKey, World, holder, text};
use crate::testbed::OperatorAction;
use bmc_emulator::{MachineEvent, MachineTruth, PowerState};
use jiff::Timestamp;
use kube_emulator::Commit;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the operator says about the provisioning of an epoch.
const PROVISIONING: &str = "/metadata/annotations/metal.ironcore.dev~1provisioning";

/// What an invariant may look at besides the event.
pub struct Scene<'a> {
    /// By the clock of the world.
    pub now: Timestamp,
    /// The cluster, the event included.
    pub world: &'a World,
    /// All secret values known so far.
    pub secrets: &'a Secrets,
    /// The truth about the machine of a Server that is being offered or claimed by this commit, where it can be known.
    pub truth: Option<&'a MachineTruth>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub message: String,
    /// Names of the objects concerned.
    pub objects: Vec<String>,
}

impl Breach {
    pub(crate) fn new(message: impl Into<String>, objects: impl IntoIterator<Item = String>) -> Self {
        Self {
            message: message.into(),
            objects: objects.into_iter().collect(),
        }
    }
}

/// Something that is always true. Called synchronously, in the order of events.
pub trait Invariant: Send {
    /// As the report names it.
    fn name(&self) -> &'static str;
    /// An object was created, changed or removed.
    fn commit(&mut self, _commit: &Commit, _scene: &Scene<'_>) -> Vec<Breach> {
        Vec::new()
    }
    /// The real power of a machine: once before anything happens, and at every change.
    fn power(&mut self, _machine: &str, _power: PowerState) {}
    /// Something happened to a machine.
    fn machine(&mut self, _event: &MachineEvent, _scene: &Scene<'_>) -> Vec<Breach> {
        Vec::new()
    }
    /// Something was done to the operator process.
    fn operator(&mut self, _action: OperatorAction) {}
    /// The operator was refused something by the API server, because no role allows it.
    fn forbidden(&mut self, _request: &str) -> Vec<Breach> {
        Vec::new()
    }
    /// A line was logged.
    fn line(&mut self, _line: &str, _scene: &Scene<'_>) -> Vec<Breach> {
        Vec::new()
    }
    /// The scenario is over and the operator has stopped in an orderly way.
    fn at_end(
        &mut self,
        _scene: &Scene<'_>,
        _machines: &BTreeMap<String, MachineTruth>,
        _lines: &[&str],
    ) -> Vec<Breach> {
        Vec::new()
    }
}

/// The claim that holds a Server: the one with the UID, not one that has only its name.
fn claim_of<'a>(server: &Value, world: &'a World) -> Option<&'a Value> {
    let key = ObjectKey {
        kind: "ServerClaim".to_owned(),
        namespace: text(server, "/spec/serverClaimRef/namespace").map(str::to_owned),
        name: text(server, "/spec/serverClaimRef/name")?.to_owned(),
    };
    let claim = world.get(&key)?;
    (text(claim, "/metadata/uid") == holder(server)).then_some(claim)
}

/// Whether a Server that came back from a backup takes its claim again, which has another UID by now: the tenancy goes on.
fn is_taken_again(previous: &Value, server: &Value) -> bool {
    const BOUND_AS: &str = "/metadata/annotations/metal.ironcore.dev~1bound-as";
    let claim = |server| {
        let part = |name| text(server, name);
        (
            part("/spec/serverClaimRef/namespace"),
            part("/spec/serverClaimRef/name"),
        )
    };
    let own = text(server, "/metadata/uid");
    claim(previous) == claim(server) && text(previous, BOUND_AS) != own && text(server, BOUND_AS) == own
}

/// Every invariant, fresh.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(exclusive_holder::ExclusiveHolder::default()),
        Box::new(no_residue::NoResidue),
        Box::new(proven_cleanup::ProvenCleanup),
        Box::new(epoch_grows::EpochGrows),
        Box::new(power_off_between_tenancies::PowerOffBetweenTenancies::default()),
        Box::new(fenced_operations::FencedOperations::default()),
        Box::new(right_image::RightImage::default()),
        Box::new(prepared_boot::PreparedBoot::default()),
        Box::new(undisturbed_tenant::UndisturbedTenant::default()),
        Box::new(maintenance_consent::MaintenanceConsent::default()),
        Box::new(quiet_loops::QuietLoops::default()),
        Box::new(foreign_finalizers::ForeignFinalizers),
        Box::new(registered_probe::RegisteredProbe::default()),
        Box::new(confidentiality::Confidentiality),
        Box::new(least_privilege::LeastPrivilege),
        Box::new(login_only::LoginOnly),
        Box::new(sessions_closed::SessionsClosed::default()),
    ]
}

#[cfg(test)]
pub(crate) mod testing {
    //! Commits and scenes for tests of invariants.

    use super::*;
    use crate::testbed::{MachineInfo, Password};
    use kube_emulator::CommitEvent;
    use serde_json::json;
    use std::sync::Arc;

    /// A world with machine `node-1`, SMBIOS UUID `uuid-1`, that applies commits and shows them to an invariant.
    pub(crate) struct Stage {
        pub world: World,
        pub secrets: Secrets,
        revision: u64,
    }

    impl Default for Stage {
        fn default() -> Self {
            let machine = |index: u32| MachineInfo {
                name: format!("node-{index}"),
                behind: None,
                system_uuid: format!("uuid-{index}"),
                address: "127.8.0.1".into(),
                port: 8443,
                mac: "02:00:00:00:00:01".into(),
                scheme: "https".into(),
                username: "admin".into(),
                password: Password("bmc-pw-42".into()),
            };
            Self {
                world: World::new(&[machine(1), machine(2)]),
                secrets: Secrets::default(),
                revision: 0,
            }
        }
    }

    impl Stage {
        pub(crate) fn put(&mut self, invariant: &mut dyn Invariant, kind: &str, object: Value) -> Vec<Breach> {
            self.put_by(invariant, "somebody", kind, object)
        }

        pub(crate) fn put_by(
            &mut self,
            invariant: &mut dyn Invariant,
            manager: &str,
            kind: &str,
            mut object: Value,
        ) -> Vec<Breach> {
            object["kind"] = json!(kind);
            let mut commit = self.stage(kind, object);
            commit.field_manager = Some(manager.to_owned());
            invariant.commit(
                &commit,
                &Scene {
                    now: Timestamp::UNIX_EPOCH,
                    world: &self.world,
                    secrets: &self.secrets,
                    truth: None,
                },
            )
        }

        fn stage(&mut self, kind: &str, object: Value) -> Commit {
            self.revision += 1;
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
            let key = crate::engine::world::ObjectKey {
                kind: kind.to_owned(),
                namespace: namespace.clone(),
                name: name.clone(),
            };
            let previous = self.world.get(&key).cloned();
            let commit = Commit {
                revision: self.revision,
                event: if previous.is_some() {
                    CommitEvent::Modified
                } else {
                    CommitEvent::Added
                },
                group: crds::GROUP.to_owned(),
                version: crds::VERSION.to_owned(),
                resource: format!("{}s", kind.to_lowercase()),
                kind: kind.to_owned(),
                namespace,
                name,
                object: Arc::new(object),
                previous,
                user_agent: None,
                field_manager: None,
                subresource: None,
            };
            self.world.apply(&commit);
            commit
        }
    }

    pub(crate) fn server(name: &str, uuid: &str, spec: Value, status: Value) -> Value {
        let mut server = json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"systemUUID": uuid}, "status": status});
        for (key, value) in spec.as_object().expect("an object") {
            server["spec"][key] = value.clone();
        }
        server
    }

    pub(crate) fn held_by(uid: &str) -> Value {
        json!({"namespace": "default", "name": "tenant", "uid": uid})
    }
}
