//! The boot server against a real API server in memory, under virtual time: what becomes Ready, and who is served what.

use std::sync::Arc;
use std::time::Duration;

use crds::{
    BootConfigurationState, LocalObjectReference, ObjectReference, Server, ServerBootConfiguration,
    ServerBootConfigurationSpec, ServerSpec, SystemUuid, keys,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use kube_emulator::KubeEmulator;
use scenarios::boot_server::{BootServer, Settings};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const UUID: &str = "4C4C4544-0051-3510-8052-B6C04F4A4D32";
const IMAGE: &str = "ghcr.io/ironcore-dev/os:1.0";
/// Longer than every retry of the boot server.
const SETTLED: Duration = Duration::from_secs(5);

/// A cluster with a boot server and one Server.
struct World {
    client: Client,
    boot_server: BootServer,
}

impl World {
    /// Runs a test against a world that is alive meanwhile.
    async fn run<Fut: Future<Output = ()>>(test: impl FnOnce(Self) -> Fut) {
        let start = Instant::now();
        let clock: scenarios::boot_server::Clock = Arc::new(move || {
            let elapsed = jiff::SignedDuration::try_from(start.elapsed()).expect("a short test");
            "2030-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a timestamp") + elapsed
        });
        let cluster = KubeEmulator::new(kube_emulator::Settings {
            clock: clock.clone(),
            seed: 1,
            admin_token: "admin".to_owned(),
            watch_history: 1_000,
        });
        let service = tower::ServiceBuilder::new()
            .map_request(|mut request: Request<kube::client::Body>| {
                let token = http::HeaderValue::from_static("Bearer admin");
                request.headers_mut().insert(http::header::AUTHORIZATION, token);
                request
            })
            .service(cluster.router());
        let client = Client::new(service, "default");
        for definition in crds::manifest::all() {
            let api = Api::<CustomResourceDefinition>::all(client.clone());
            api.create(&PostParams::default(), &definition)
                .await
                .expect("installed");
        }
        let settings = Settings {
            service_url: "http://boot.example:8082".to_owned(),
            allowed_registries: vec!["ghcr.io".to_owned()],
        };
        let world = Self {
            boot_server: BootServer::new(client.clone(), settings, clock),
            client,
        };
        world.create_server().await;
        let stop = CancellationToken::new();
        let boot_server = world.boot_server.clone();
        tokio::join!(boot_server.run(stop.clone()), async {
            test(world).await;
            stop.cancel();
        });
    }

    async fn create_server(&self) {
        let spec = ServerSpec {
            system_uuid: SystemUuid::new(UUID),
            tenancy_epoch: Some(3),
            boot_configuration_ref: Some(ObjectReference {
                namespace: "default".to_owned(),
                name: "boot".to_owned(),
            }),
            ..ServerSpec::default()
        };
        self.servers()
            .create(&PostParams::default(), &Server::new("server-1", spec))
            .await
            .expect("created");
    }

    fn servers(&self) -> Api<Server> {
        Api::all(self.client.clone())
    }

    fn configurations(&self) -> Api<ServerBootConfiguration> {
        Api::default_namespaced(self.client.clone())
    }

    fn secrets(&self) -> Api<Secret> {
        Api::default_namespaced(self.client.clone())
    }

    async fn create_configuration(&self, name: &str, image: &str, secret: Option<&str>, epoch: Option<&str>) {
        let spec = ServerBootConfigurationSpec {
            server_ref: LocalObjectReference::named("server-1"),
            image: Some(image.to_owned()),
            ignition_secret_ref: secret.map(LocalObjectReference::named),
        };
        let mut configuration = ServerBootConfiguration::new(name, spec);
        if let Some(epoch) = epoch {
            configuration
                .annotations_mut()
                .insert(keys::EPOCH_ANNOTATION.to_owned(), epoch.to_owned());
        }
        self.configurations()
            .create(&PostParams::default(), &configuration)
            .await
            .expect("created");
    }

    async fn create_secret(&self, name: &str, entries: &[(&str, &str)]) {
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        secret.string_data = Some(
            entries
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        );
        self.secrets()
            .create(&PostParams::default(), &secret)
            .await
            .expect("created");
    }

    async fn state(&self, name: &str) -> (Option<BootConfigurationState>, Vec<(String, String, String)>) {
        sleep(SETTLED).await;
        let status = self
            .configurations()
            .get(name)
            .await
            .expect("there")
            .status
            .unwrap_or_default();
        let conditions = status
            .conditions
            .into_iter()
            .map(|c| (c.type_, c.status, c.message))
            .collect();
        (status.state, conditions)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(axum::body::Body::empty()).expect("a request");
        let response = self.boot_server.router().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn status_of(&self, path: &str) -> u16 {
        self.get(path).await.0.as_u16()
    }
}

const BUTANE: &str =
    "variant: fcos\nversion: 1.3.0\nstorage:\n  files:\n    - { path: /a, contents: { inline: hello } }\n";

#[tokio::test(start_paused = true)]
async fn a_configuration_becomes_ready_and_is_served_in_any_spelling_of_the_uuid() {
    World::run(|world| async move {
        world
            .create_secret("ign", &[("ignition", BUTANE), ("format", "fcos")])
            .await;
        world.create_configuration("boot", IMAGE, Some("ign"), Some("3")).await;
        assert_eq!(world.state("boot").await, (Some(BootConfigurationState::Ready), vec![]));

        for uuid in [UUID.to_owned(), UUID.to_lowercase()] {
            let (status, script) = world.get(&format!("/ipxe/{uuid}")).await;
            assert_eq!(status, StatusCode::OK);
            assert!(
                script.starts_with("#!ipxe\n") && script.contains("ghcr%2Eio%2Fironcore%2Ddev%2Fos"),
                "{script}"
            );
            let (status, ignition) = world.get(&format!("/ignition/{uuid}")).await;
            assert_eq!(status, StatusCode::OK);
            let ignition: Value = serde_json::from_str(&ignition).expect("JSON");
            assert_eq!(ignition["storage"]["files"][0]["contents"]["source"], "data:,hello");
        }
        let (state, conditions) = world.state("boot").await;
        assert_eq!(state, Some(BootConfigurationState::Ready));
        let fetched: Vec<_> = conditions
            .iter()
            .map(|(kind, status, _)| (kind.as_str(), status.as_str()))
            .collect();
        assert_eq!(
            fetched,
            [("IPXEScriptFetched", "True"), ("IgnitionDataFetched", "True")]
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_an_error_until_it_is_there_and_a_changed_one_counts_at_once() {
    World::run(|world| async move {
        world.create_configuration("boot", IMAGE, Some("ign"), None).await;
        let (state, conditions) = world.state("boot").await;
        assert_eq!(state, Some(BootConfigurationState::Error));
        assert!(
            conditions[0].2.contains("ignition Secret ign does not exist"),
            "{conditions:?}"
        );
        assert_eq!(world.status_of(&format!("/ipxe/{UUID}")).await, 404);

        world
            .create_secret("ign", &[("ignition", "{\"ignition\":{\"version\":\"3.4.0\"}}")])
            .await;
        assert_eq!(world.state("boot").await, (Some(BootConfigurationState::Ready), vec![]));
        let (_, ignition) = world.get(&format!("/ignition/{UUID}")).await;
        assert_eq!(
            ignition, "{\"ignition\":{\"version\":\"3.4.0\"}}",
            "not Butane, delivered as it is"
        );

        let changed = json!({ "stringData": { "ignition": "{\"changed\":true}" } });
        world
            .secrets()
            .patch("ign", &PatchParams::default(), &Patch::Merge(changed))
            .await
            .expect("changed");
        let (_, ignition) = world.get(&format!("/ignition/{UUID}")).await;
        assert_eq!(ignition, "{\"changed\":true}");

        world
            .secrets()
            .delete("ign", &Default::default())
            .await
            .expect("deleted");
        assert_eq!(world.status_of(&format!("/ignition/{UUID}")).await, 404);
        assert_eq!(world.state("boot").await.0, Some(BootConfigurationState::Error));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_acceptable_says_why() {
    World::run(|world| async move {
        for (name, image, complaint) in [
            (
                "evil",
                "evil.example/os:1",
                "registry evil.example is not allowed; allowed are: ghcr.io",
            ),
            ("broken", "ghcr.io/OS", "is not an OCI image reference"),
        ] {
            world.create_configuration(name, image, None, None).await;
            let (state, conditions) = world.state(name).await;
            assert_eq!(state, Some(BootConfigurationState::Error));
            assert_eq!(
                (conditions[0].0.as_str(), conditions[0].1.as_str()),
                ("ImageValidation", "False")
            );
            assert!(conditions[0].2.contains(complaint), "{conditions:?}");
        }
        let corrected = json!({ "spec": { "image": IMAGE } });
        world
            .configurations()
            .patch("broken", &PatchParams::default(), &Patch::Merge(corrected))
            .await
            .expect("set");
        assert_eq!(
            world.state("broken").await,
            (Some(BootConfigurationState::Ready), vec![])
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_the_configuration_of_the_present_tenancy_is_served() {
    World::run(|world| async move {
        let path = format!("/ipxe/{UUID}");
        // Ready, for this very Server, but the Server does not name it.
        world.create_configuration("leftover", IMAGE, None, Some("3")).await;
        assert_eq!(world.state("leftover").await.0, Some(BootConfigurationState::Ready));
        assert_eq!(world.status_of(&path).await, 404);

        world.create_configuration("boot", IMAGE, None, Some("3")).await;
        sleep(SETTLED).await;
        assert_eq!(world.status_of(&path).await, 200);
        assert_eq!(
            world.status_of(&format!("/ignition/{UUID}")).await,
            404,
            "it has no ignition"
        );

        // The next tenancy begins; whatever caches say, the configuration of the last one is void at once.
        let next = json!({ "spec": { "tenancyEpoch": 4 } });
        world
            .servers()
            .patch("server-1", &PatchParams::default(), &Patch::Merge(next))
            .await
            .expect("set");
        assert_eq!(world.status_of(&path).await, 404);
        let no_reference = json!({ "spec": { "bootConfigurationRef": null } });
        world
            .servers()
            .patch("server-1", &PatchParams::default(), &Patch::Merge(no_reference))
            .await
            .expect("set");
        assert_eq!(world.status_of(&path).await, 404);

        for uuid in ["00000000-0000-0000-0000-000000000000", "%20"] {
            assert_eq!(world.status_of(&format!("/ipxe/{uuid}")).await, 404);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_settled_world_is_left_alone() {
    World::run(|world| async move {
        world.create_configuration("boot", IMAGE, None, None).await;
        sleep(SETTLED).await;
        let version = |object: ServerBootConfiguration| object.resource_version();
        let before = version(world.configurations().get("boot").await.expect("there"));
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(
            version(world.configurations().get("boot").await.expect("there")),
            before
        );
    })
    .await;
}
