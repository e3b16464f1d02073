//! Which boot configuration a machine may boot now.
//!
//! The machine names itself by its UUID. The index of a watch answers which Server carries that UUID; everything that
//! decides *what* is booted is then read live, because a cache may still show the previous tenancy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crds::{ObjectReference, Server, ServerBootConfiguration, ServerState, SystemUuid, keys};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Shared;
use super::identity::Identity;
use super::validation::{Bootable, Ignition, ValidationError, validate};

/// Names of Servers by their UUID.
#[derive(Default)]
pub(super) struct ServerIndex(Mutex<Names>);

#[derive(Default)]
struct Names {
    by_uuid: BTreeMap<SystemUuid, BTreeSet<String>>,
    by_name: BTreeMap<String, SystemUuid>,
    /// Filled while a list is running, so that readers keep the complete old content until it is done.
    incoming: Option<Vec<(String, SystemUuid)>>,
}

impl ServerIndex {
    fn apply(&self, event: Event<Identity>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = |server: &Identity| (server.name_any(), server.spec.system_uuid.clone());
        match event {
            Event::Apply(server) => {
                let (name, uuid) = identity(&server);
                names.insert(name, uuid);
            }
            Event::Delete(server) => names.remove(&server.name_any()),
            Event::Init => names.incoming = Some(Vec::new()),
            Event::InitApply(server) => names.incoming.get_or_insert_default().push(identity(&server)),
            Event::InitDone => {
                let incoming = names.incoming.take().unwrap_or_default();
                *names = Names::default();
                for (name, uuid) in incoming {
                    names.insert(name, uuid);
                }
            }
        }
    }

    fn find(&self, uuid: &SystemUuid) -> Result<String, Refusal> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match names.by_uuid.get(uuid) {
            Some(found) if found.len() == 1 => Ok(found.iter().next().cloned().unwrap_or_default()),
            Some(found) => Err(Refusal::Ambiguous(found.iter().cloned().collect::<Vec<_>>().join(", "))),
            None => Err(Refusal::UnknownMachine),
        }
    }
}

impl Names {
    fn insert(&mut self, name: String, uuid: SystemUuid) {
        if self.by_name.get(&name) == Some(&uuid) {
            return;
        }
        self.remove(&name);
        // An empty UUID identifies nothing.
        if !uuid.is_empty() {
            self.by_uuid.entry(uuid.clone()).or_default().insert(name.clone());
            self.by_name.insert(name, uuid);
        }
    }

    fn remove(&mut self, name: &str) {
        let Some(uuid) = self.by_name.remove(name) else { return };
        if let Some(names) = self.by_uuid.get_mut(&uuid) {
            names.remove(name);
            if names.is_empty() {
                self.by_uuid.remove(&uuid);
            }
        }
    }
}

/// Keeps the index up to date until `stop`.
pub(super) async fn watch_servers(shared: Arc<Shared>, stop: CancellationToken) {
    let servers = Api::<Identity>::all(shared.client.clone());
    let mut events = std::pin::pin!(watch(servers, watcher::Config::default()).default_backoff());
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = events.next() => match event {
                Some(Ok(event)) => shared.servers.apply(event),
                Some(Err(error)) => warn!(%error, "the watch of Servers failed and is started again"),
                None => return,
            },
        }
    }
}

/// Why a machine gets nothing to boot.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no Server carries this UUID")]
    UnknownMachine,
    #[error("several Servers carry this UUID ({0}); delete the wrong ones")]
    Ambiguous(String),
    #[error("Server {0} names no boot configuration")]
    NoConfiguration(String),
    #[error("boot configuration {configuration} {reason}")]
    StaleConfiguration {
        configuration: String,
        reason: &'static str,
    },
    #[error("boot configuration {configuration} is not bootable: {source}")]
    NotBootable {
        configuration: String,
        #[source]
        source: ValidationError,
    },
    #[error("the Kubernetes API did not answer: {0}")]
    Api(#[from] kube::Error),
}

/// A configuration that was checked against the Server that is to boot it.
pub(super) struct Resolved {
    pub configuration: ServerBootConfiguration,
    pub bootable: Bootable,
}

/// Finds what the machine with this UUID may boot now.
pub(super) async fn resolve(shared: &Shared, uuid: &SystemUuid) -> Result<Resolved, Refusal> {
    let name = shared.servers.find(uuid)?;
    let server = Api::<Server>::all(shared.client.clone()).get_opt(&name).await?;
    let server = server
        .filter(|server| server.spec.system_uuid == *uuid)
        .ok_or(Refusal::UnknownMachine)?;
    let reference = reference(&server).cloned().ok_or(Refusal::NoConfiguration(name))?;
    let label = format!("{}/{}", reference.namespace, reference.name);
    let stale = |reason| Refusal::StaleConfiguration {
        configuration: label.clone(),
        reason,
    };

    let configurations = Api::<ServerBootConfiguration>::namespaced(shared.client.clone(), &reference.namespace);
    let configuration = configurations
        .get_opt(&reference.name)
        .await?
        .ok_or_else(|| stale("does not exist"))?;
    check_fit(&server, &configuration).map_err(stale)?;
    match inspect(shared, &configuration).await? {
        Ok(bootable) => Ok(Resolved {
            configuration,
            bootable,
        }),
        Err(source) => Err(Refusal::NotBootable {
            configuration: label,
            source,
        }),
    }
}

/// That of a maintenance comes first while it lasts (contract section 11.4).
fn reference(server: &Server) -> Option<&ObjectReference> {
    let state = server.status.as_ref().and_then(|status| status.state.as_ref());
    let maintained = server.spec.maintenance_boot_configuration_ref.as_ref();
    let maintained = maintained.filter(|_| state == Some(&ServerState::Maintenance));
    maintained.or(server.spec.boot_configuration_ref.as_ref())
}

/// Whether a configuration really is for this Server in its present tenancy.
fn check_fit(server: &Server, configuration: &ServerBootConfiguration) -> Result<(), &'static str> {
    if configuration.spec.server_ref.name != server.name_any() {
        return Err("is meant for another Server");
    }
    if configuration.metadata.deletion_timestamp.is_some() {
        return Err("is being deleted");
    }
    let epoch = configuration.annotations().get(keys::EPOCH_ANNOTATION);
    if epoch.is_some_and(|epoch| epoch.parse() != Ok(server.tenancy_epoch())) {
        return Err("belongs to another tenancy of the Server");
    }
    Ok(())
}

/// Reads the Secret of a configuration live and validates both.
pub(super) async fn inspect(
    shared: &Shared,
    configuration: &ServerBootConfiguration,
) -> Result<Result<Bootable, ValidationError>, kube::Error> {
    let spec = &configuration.spec;
    let secret = match (&spec.ignition_secret_ref, configuration.namespace()) {
        (Some(reference), Some(namespace)) => {
            let secret = Api::<Secret>::namespaced(shared.client.clone(), &namespace)
                .get_opt(&reference.name)
                .await?;
            Some((reference.name.as_str(), secret))
        }
        _ => None,
    };
    let ignition = match &secret {
        None => Ignition::NotWanted,
        Some((name, None)) => Ignition::Missing(name),
        Some((name, Some(secret))) => Ignition::Found(name, secret),
    };
    Ok(validate(spec, ignition, &shared.settings.allowed_registries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::{LocalObjectReference, ServerBootConfigurationSpec, ServerSpec};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn server(name: &str, uuid: &str) -> Server {
        Server::new(
            name,
            ServerSpec {
                system_uuid: SystemUuid::new(uuid),
                ..ServerSpec::default()
            },
        )
    }

    fn identity(name: &str, uuid: &str) -> Identity {
        let server = serde_json::to_value(server(name, uuid)).expect("plain data");
        serde_json::from_value(server).expect("a server has an identity")
    }

    #[test]
    fn the_index_follows_the_watch() {
        let index = ServerIndex::default();
        let find = |uuid: &str| {
            index
                .find(&SystemUuid::new(uuid))
                .map_err(|refusal| refusal.to_string())
        };
        let unknown = Err("no Server carries this UUID".to_owned());

        assert_eq!(find("a"), unknown);
        index.apply(Event::Apply(identity("s1", "AB")));
        assert_eq!(find("ab"), Ok("s1".to_owned()), "UUIDs have no case");
        index.apply(Event::Apply(identity("s1", "cd")));
        assert_eq!((find("ab"), find("CD")), (unknown.clone(), Ok("s1".to_owned())));
        index.apply(Event::Apply(identity("s2", "cd")));
        assert!(find("cd").expect_err("ambiguous").contains("s1, s2"));
        index.apply(Event::Delete(identity("s1", "cd")));
        assert_eq!(find("cd"), Ok("s2".to_owned()));

        index.apply(Event::Init);
        index.apply(Event::InitApply(identity("s3", "ef")));
        assert_eq!(
            find("cd"),
            Ok("s2".to_owned()),
            "the old content stands until the list is complete"
        );
        index.apply(Event::InitDone);
        assert_eq!((find("cd"), find("ef")), (unknown.clone(), Ok("s3".to_owned())));

        index.apply(Event::Apply(identity("s4", "")));
        assert_eq!(find(""), unknown, "an empty UUID matches nothing");
    }

    #[test]
    fn only_the_configuration_of_this_tenancy_fits() {
        let mut server = server("s1", "ab");
        server.spec.tenancy_epoch = Some(7);
        let configuration = |server: &str, epoch: Option<&str>| {
            let spec = ServerBootConfigurationSpec {
                server_ref: LocalObjectReference::named(server),
                ..Default::default()
            };
            let mut configuration = ServerBootConfiguration::new("c1", spec);
            configuration.metadata.annotations =
                epoch.map(|epoch| [(keys::EPOCH_ANNOTATION.to_owned(), epoch.to_owned())].into());
            configuration
        };
        for (configuration, fits) in [
            (configuration("s1", None), true),
            (configuration("s1", Some("7")), true),
            (configuration("s1", Some("6")), false),
            (configuration("s1", Some("seven")), false),
            (configuration("s2", None), false),
        ] {
            assert_eq!(check_fit(&server, &configuration).is_ok(), fits, "{configuration:?}");
        }
        let mut leaving = configuration("s1", None);
        leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert!(check_fit(&server, &leaving).is_err());
    }
}
