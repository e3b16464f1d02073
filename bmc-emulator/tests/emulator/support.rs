//! A fleet in memory under the paused clock, and a Redfish client for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use base64::Engine;
use bmc_emulator::{
    Bmc, Boot, BootSource, Clock, ConnectionDropped, DriveContent, Edges, Fleet, FleetSpec, GuestExit, GuestOs,
    HttpService, Mockups,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Answers of the world around the fleet, by URL, and what was asked of it.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub(crate) requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl World {
    pub(crate) fn serve(&self, url: &str, body: &str) {
        self.answers
            .lock()
            .expect("lock")
            .insert(url.to_owned(), body.as_bytes().to_vec());
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.requests
            .lock()
            .expect("lock")
            .iter()
            .map(|(url, _)| url.clone())
            .collect()
    }

    fn service(&self) -> HttpService {
        let world = self.clone();
        HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
            let world = world.clone();
            async move {
                let url = request.uri().to_string();
                let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
                world.requests.lock().expect("lock").push((url.clone(), body));
                let answer = world.answers.lock().expect("lock").get(&url).cloned();
                let mut response = Response::new(Bytes::from(answer.clone().unwrap_or_default()));
                if answer.is_none() {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                Ok(response)
            }
        }))
    }
}

/// Over the network: wipes the machine if the kernel command line says `wipe`, else installs itself on the first
/// drive. Runs until it is stopped, unless there was something to wipe.
struct TestGuest;

impl GuestOs for TestGuest {
    fn boot(&self, boot: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(async move {
            match &boot.source {
                BootSource::Network { kernel_arguments, .. } if kernel_arguments == "wipe" => wipe(&boot).await,
                BootSource::Network { ignition, .. } => install(&boot, ignition.as_ref()).await,
                BootSource::Drive { .. } | BootSource::Media { .. } => std::future::pending().await,
            }
        })
    }
}

async fn wipe(boot: &Boot) -> GuestExit {
    for drive in boot.machine.drives() {
        if let Err(error) = boot.machine.erase(&drive.name).await {
            return GuestExit::Halted {
                reason: error.to_string(),
            };
        }
    }
    GuestExit::PoweredOff
}

async fn install(boot: &Boot, ignition: Option<&Value>) -> GuestExit {
    if let Some(drive) = boot.machine.drives().first() {
        let content = DriveContent::default()
            .with(DriveContent::BOOT_IMAGE, "image")
            .with("ignition", ignition.map(Value::to_string).unwrap_or_default());
        boot.machine.write(&drive.name, content).expect("the drive is there");
    }
    std::future::pending().await
}

pub(crate) fn edges(world: &World) -> Edges {
    let start = tokio::time::Instant::now();
    let epoch: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    let clock: Clock = Arc::new(move || {
        let elapsed = jiff::SignedDuration::try_from(start.elapsed()).expect("short");
        epoch.checked_add(elapsed).expect("in range")
    });
    Edges {
        clock,
        http: world.service(),
        guest: Arc::new(TestGuest),
        seed: 1,
        time_scale: 1.0,
    }
}

pub(crate) struct Run {
    pub(crate) fleet: Fleet,
    pub(crate) world: World,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Run {
    /// Starts a fleet whose wall clock begins at 2026-01-01 and follows tokio's.
    pub(crate) fn new(yaml: &str) -> Self {
        Self::with_mockups(yaml, &Mockups::new())
    }

    pub(crate) fn with_mockups(yaml: &str, mockups: &Mockups) -> Self {
        let world = World::default();
        let spec = FleetSpec::from_yaml(yaml, "fleet.yaml").expect("a valid fleet");
        let fleet = Fleet::with_mockups(&spec, edges(&world), mockups).expect("a consistent fleet");
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        let (running, token) = (fleet.clone(), stop.clone());
        tasks.spawn(async move { running.run(token).await });
        Self {
            fleet,
            world,
            stop,
            tasks,
        }
    }

    pub(crate) fn bmc(&self, name: &str) -> Bmc {
        self.fleet.bmc(name).expect("the machine exists")
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        let bmc = self.bmc(name);
        let endpoint = bmc.endpoint();
        let credentials = format!("{}:{}", endpoint.username, endpoint.password.expose());
        let basic = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(credentials)
        );
        Client {
            bmc,
            headers: vec![("authorization".to_owned(), basic)],
        }
    }

    /// Stops the fleet and waits for it.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) bmc: Bmc,
    pub(crate) headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) dropped: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The message ids of an error body, without their registry.
    pub(crate) fn messages(&self) -> Vec<&str> {
        let infos = self.body["error"]["@Message.ExtendedInfo"].as_array();
        let ids = infos
            .into_iter()
            .flatten()
            .filter_map(|info| info["MessageId"].as_str());
        ids.map(|id| id.rsplit('.').next().unwrap_or(id)).collect()
    }
}

impl Client {
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub(crate) fn without_credentials(&self) -> Self {
        Self {
            bmc: self.bmc.clone(),
            headers: Vec::new(),
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.bmc.router().oneshot(request).await.expect("infallible");
        let dropped = response.extensions().get::<ConnectionDropped>().is_some();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            dropped,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "").await
    }
}
