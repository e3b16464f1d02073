//! Recordings of real machines, brought to life. They are not part of this repository, so that these tests run only when
//! they are asked for:
//!
//! ```console
//! $ cargo test -p bmc-emulator --test recordings -- --ignored
//! $ BMC_RECORDINGS=<folder of archives> cargo test -p bmc-emulator --test recordings -- --ignored
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bmc_emulator::{Boot, Clock, Edges, Fleet, FleetSpec, GuestExit, GuestOs, HttpService, Mockup, Mockups};
use futures::future::BoxFuture;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Beside the repository, where its designers have put them.
const DEFAULT: &str = "../../shared/mockups";
/// `admin:password`
const CREDENTIALS: &str = "Basic YWRtaW46cGFzc3dvcmQ=";

struct NoGuest;

impl GuestOs for NoGuest {
    fn boot(&self, _: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

fn edges() -> Edges {
    let clock: Clock = Arc::new(|| "2026-01-01T00:00:00Z".parse().expect("a timestamp"));
    Edges {
        clock,
        http: HttpService::new(tower::service_fn(async |_| Err("there is no network".into()))),
        guest: Arc::new(NoGuest),
        seed: 1,
        time_scale: 1.0,
    }
}

async fn send(fleet: &Fleet, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let router = fleet.bmcs()[0].router();
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, CREDENTIALS);
    let response = router
        .oneshot(request.body(Body::from(body)).expect("a request"))
        .await
        .expect("infallible");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn get(fleet: &Fleet, path: &str) -> Value {
    let (status, body) = send(fleet, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn recordings() -> Vec<PathBuf> {
    let folder = std::env::var("BMC_RECORDINGS").unwrap_or_else(|_| DEFAULT.to_owned());
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}; set BMC_RECORDINGS"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no archives");
    paths
}

#[tokio::test(start_paused = true)]
#[ignore = "needs recordings of real machines"]
async fn real_machines_load_and_live() {
    for path in recordings() {
        live(&path).await;
    }
}

async fn live(path: &Path) {
    let name = path.display();
    let mockup = Mockup::load(path).unwrap_or_else(|error| panic!("{error}"));
    let count = mockup.len();
    let spec = FleetSpec::from_yaml("machines: [{ name: recorded, mockup: tree }]", "fleet.yaml").expect("valid");
    let fleet = Fleet::with_mockups(&spec, edges(), &Mockups::from([("tree".to_owned(), mockup)])).expect("a fleet");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (running, token) = (fleet.clone(), stop.clone());
    tasks.spawn(async move { running.run(token).await });

    let systems = get(&fleet, "/redfish/v1/Systems").await;
    let system = systems["Members"][0]["@odata.id"].as_str().expect("a link").to_owned();
    let document = get(&fleet, &system).await;
    println!(
        "{name}: {count} resources, {} {} with {}",
        document["Manufacturer"], document["Model"], document["BiosVersion"]
    );
    assert!(document["UUID"].is_string(), "{name}");

    // Power.
    let target = document["Actions"]["#ComputerSystem.Reset"]["target"]
        .as_str()
        .expect("an action")
        .to_owned();
    let reset = async |kind: &str| {
        let (status, body) = send(&fleet, Method::POST, &target, Some(json!({ "ResetType": kind }))).await;
        assert!(matches!(status, 200 | 202 | 204), "{name}: {kind}: {status} {body}");
        tokio::time::sleep(Duration::from_secs(600)).await;
    };
    reset("ForceOff").await;
    assert_eq!(get(&fleet, &system).await["PowerState"], "Off", "{name}");

    // Boot: where boot settings are to be changed is up to the vendor.
    let override_ = json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } });
    let (status, body) = send(&fleet, Method::PATCH, &system, Some(override_)).await;
    assert!(matches!(status, 200 | 204), "{name}: {status} {body}");
    assert_eq!(
        get(&fleet, &system).await["Boot"]["BootSourceOverrideTarget"],
        "Pxe",
        "{name}"
    );
    reset("On").await;
    let document = get(&fleet, &system).await;
    assert_eq!(document["PowerState"], "On", "{name}");
    assert_eq!(document["Boot"]["BootSourceOverrideEnabled"], "Disabled", "{name}");

    // BIOS: an enumeration of the recorded registry is set by the next POST.
    let bios = document["Bios"]["@odata.id"].as_str().expect("a link").to_owned();
    let before = get(&fleet, &bios).await;
    let settings = before["@Redfish.Settings"]["SettingsObject"]["@odata.id"]
        .as_str()
        .expect("a link")
        .to_owned();
    let wanted = ["Disabled", "Enabled", "Disable", "Enable"];
    let attributes = before["Attributes"].as_object().expect("attributes");
    let mut changed = None;
    for (attribute, value) in attributes
        .iter()
        .filter(|(_, value)| wanted.iter().any(|text| *value == text))
    {
        let other = wanted
            .iter()
            .find(|text| value != *text && value.as_str().map(|v| v.ends_with('d')) == Some(text.ends_with('d')));
        let body = json!({ "Attributes": { attribute.as_str(): other } });
        let (status, _) = send(&fleet, Method::PATCH, &settings, Some(body)).await;
        if matches!(status, 200 | 202 | 204) {
            changed = Some((attribute.clone(), json!(other)));
            break;
        }
    }
    let (attribute, value) = changed.expect("some attribute can be set");
    assert_ne!(
        get(&fleet, &bios).await["Attributes"][&attribute],
        value,
        "{name}: {attribute}"
    );
    reset("ForceRestart").await;
    assert_eq!(
        get(&fleet, &bios).await["Attributes"][&attribute],
        value,
        "{name}: {attribute}"
    );

    // Storage: what was recorded, with every drive.
    let storage = get(&fleet, document["Storage"]["@odata.id"].as_str().expect("a link")).await;
    let mut drives = 0;
    for member in storage["Members"].as_array().expect("members") {
        let controller = get(&fleet, member["@odata.id"].as_str().expect("a link")).await;
        for link in controller["Drives"].as_array().into_iter().flatten() {
            let drive = get(&fleet, link["@odata.id"].as_str().expect("a link")).await;
            drives += 1;
            let Some(erase) = drive["Actions"]["#Drive.SecureErase"]["target"].as_str() else {
                continue;
            };
            let (status, body) = send(&fleet, Method::POST, erase, Some(json!({}))).await;
            assert_eq!(status, 202, "{name}: {body}");
        }
    }
    assert_eq!(drives, fleet.bmcs()[0].inspect().drives.len(), "{name}");

    // Sessions and events.
    let login = json!({ "UserName": "admin", "Password": "password" });
    let (status, session) = send(&fleet, Method::POST, "/redfish/v1/SessionService/Sessions", Some(login)).await;
    assert_eq!(status, 201, "{name}");
    let (status, _) = send(
        &fleet,
        Method::GET,
        session["@odata.id"].as_str().expect("a link"),
        None,
    )
    .await;
    assert_eq!(status, 200, "{name}");
    let subscription = json!({ "Destination": "https://collector.example/", "Protocol": "Redfish", "Context": "c" });
    let (status, body) = send(
        &fleet,
        Method::POST,
        "/redfish/v1/EventService/Subscriptions",
        Some(subscription),
    )
    .await;
    assert_eq!(status, 201, "{name}: {body}");

    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
