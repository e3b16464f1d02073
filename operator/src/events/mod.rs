//! Events of API group `events.k8s.io/v1`, with names made from what they say: a step that is repeated after a crash does not
//! tell its story twice.

mod series;
pub mod table;

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::series::Series;
pub use self::table::{Severity, Told};
use crate::edges::Clock;

/// Longest `note` that the API takes.
const NOTE_LIMIT: usize = 1024;

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    pub told: &'static Told,
    /// For people; never a secret.
    pub note: String,
    /// Tells occurrences apart that read the same: an epoch, a generation.
    pub occurrence: i64,
}

/// Writes events.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    clock: Clock,
    instance: String,
    series: Arc<Series>,
}

impl Recorder {
    pub fn new(client: Client, clock: Clock, instance: String) -> Self {
        Self {
            client,
            clock,
            instance,
            series: Arc::default(),
        }
    }

    /// Writes an event about `regarding`. Events inform people, nothing depends on them: a failure is logged only.
    pub async fn record<K>(&self, controller: &str, regarding: &K, happening: Happening)
    where
        K: Resource<DynamicType = ()>,
    {
        let event = self.event(controller, regarding, &happening);
        let name = event.metadata.name.clone().unwrap_or_default();
        let count = if happening.told.recurs {
            match self.series.occurred(&name) {
                Some(count) => count,
                None => return,
            }
        } else {
            0
        };
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let written = match api.create(&PostParams::default(), &event).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() && count > 0 => {
                self.again(&api, &name, count).await
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop),
        };
        if let Err(error) = written {
            let reason = happening.told.reason;
            tracing::warn!(%error, reason, object = %regarding.name_any(), "event not written");
        }
    }

    /// Says how often an event has happened that is there already. After a restart counting begins anew; two is the least that the API takes.
    async fn again(&self, api: &Api<Event>, name: &str, count: i32) -> Result<(), kube::Error> {
        let series = json!({
            "count": count.max(2),
            "lastObservedTime": MicroTime((self.clock)()),
        });
        let patch = Patch::Merge(json!({ "series": series }));
        api.patch(name, &PatchParams::default(), &patch).await.map(drop)
    }

    fn event<K>(&self, controller: &str, regarding: &K, happening: &Happening) -> Event
    where
        K: Resource<DynamicType = ()>,
    {
        let name = regarding.name_any();
        let told = happening.told;
        // The words of what recurs may vary.
        let words = if told.recurs { "" } else { &happening.note };
        let digest = Sha256::new()
            .chain_update(regarding.uid().unwrap_or_default())
            .chain_update([0])
            .chain_update(told.reason)
            .chain_update([0])
            .chain_update(words)
            .chain_update(happening.occurrence.to_be_bytes())
            .finalize();
        let mut note = happening.note.clone();
        note.truncate(note.floor_char_boundary(NOTE_LIMIT));
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{}", hex::encode(&digest[..8]))),
                // Events of cluster-scoped objects live in `default`, as client-go has it.
                namespace: Some(regarding.namespace().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            action: Some(told.action.to_owned()),
            event_time: Some(MicroTime((self.clock)())),
            note: Some(note),
            reason: Some(told.reason.to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(K::api_version(&()).into_owned()),
                kind: Some(K::kind(&()).into_owned()),
                name: Some(name),
                namespace: regarding.namespace(),
                uid: regarding.uid(),
                resource_version: None,
                field_path: None,
            }),
            reporting_controller: Some(controller.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(
                match told.severity {
                    Severity::Normal => "Normal",
                    Severity::Warning => "Warning",
                }
                .to_owned(),
            ),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_occurrence_has_the_same_name() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let recorder = Recorder::new(
            Client::new(service, "default"),
            Arc::new(|| jiff::Timestamp::from_second(1_800_000_000).unwrap()),
            "operator-0".into(),
        );
        let mut server = crds::Server::new("node-0", crds::ServerSpec::default());
        server.metadata.uid = Some("u".into());
        let happening = |note: &str, occurrence| Happening {
            told: &table::CLEANUP_FAILED,
            note: note.into(),
            occurrence,
        };
        let name = |happening: &Happening| recorder.event("server-controller", &server, happening).metadata.name;
        assert_eq!(name(&happening("a", 1)), name(&happening("a", 1)));
        assert_ne!(name(&happening("a", 1)), name(&happening("a", 2)));
        assert_ne!(name(&happening("a", 1)), name(&happening("b", 1)));
        let long = recorder.event("server-controller", &server, &happening(&"ü".repeat(2000), 1));
        assert_eq!(long.note.unwrap().len(), NOTE_LIMIT);
        assert_eq!(long.metadata.namespace.as_deref(), Some("default"));
    }
}
