//! Recording and replay: our own emulator is recorded, and the recording is brought to life.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use bmc_emulator::{
    AdminAction, Bmc, BoxError, ConnectionDropped, DriveName, Fault, Fleet, FleetError, FleetSpec, HttpAction,
    HttpService, Mockup, Mockups, RecordError, RecordOptions, Recording, Secret, When, record,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{Client, Run, World, edges};

const SYSTEM: &str = "/redfish/v1/Systems/System.Embedded.1";

/// The BMC as a recorder reaches it.
fn wire(bmc: &Bmc) -> HttpService {
    let router = bmc.router();
    HttpService::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let router = router.clone();
        async move {
            let path = request
                .uri()
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (mut parts, body) = request.into_parts();
            parts.uri = path.parse()?;
            let response = router
                .oneshot(http::Request::from_parts(parts, Body::from(body)))
                .await?;
            if response.extensions().get::<ConnectionDropped>().is_some() {
                return Err("the connection was closed".into());
            }
            let (parts, body) = response.into_parts();
            Ok::<_, BoxError>(http::Response::from_parts(parts, body.collect().await?.to_bytes()))
        }
    }))
}

fn options(output: &Path) -> RecordOptions {
    RecordOptions {
        url: "https://bmc.example".to_owned(),
        username: "admin".to_owned(),
        password: Secret::new("password"),
        output: output.to_owned(),
        pause: Duration::from_millis(10),
        log_entries: 50,
        keep_identities: true,
        salt: [1; 32],
    }
}

async fn recorded(bmc: &Bmc, options: &RecordOptions) -> Result<Recording, RecordError> {
    record(options, wire(bmc), &CancellationToken::new(), |_| ()).await
}

/// A fleet of machines that replay what is at `path`.
fn replay(path: &Path, machines: &str) -> Run {
    let mockups = Mockups::from([("tree".to_owned(), Mockup::load(path).expect("a mockup"))]);
    Run::with_mockups(machines, &mockups)
}

/// Everything that can be reached from the root, without what differs from one moment to the next.
async fn tree(client: &Client) -> BTreeMap<String, Value> {
    let mut open = vec!["/redfish/v1".to_owned()];
    let mut found = BTreeMap::new();
    while let Some(path) = open.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let mut body = answer.body;
        let mut links = Vec::new();
        normalise(&mut body, &mut links);
        open.extend(links);
        found.insert(path, body);
    }
    found
}

fn normalise(value: &mut Value, links: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(uri) = object.get("@odata.id").and_then(Value::as_str) {
                let uri = uri.split('#').next().unwrap_or_default();
                links.push(uri.trim_end_matches('/').to_owned());
            }
            object.retain(|name, _| !matches!(name.as_str(), "@odata.etag" | "DateTime" | "LastResetTime"));
            object.values_mut().for_each(|value| normalise(value, links));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| normalise(value, links)),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_machine_is_the_machine() {
    for personality in ["dell", "hpe", "lenovo", "supermicro", "ami", "openbmc", "generic"] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = folder.path().join("tree");
        let source = Run::new(&format!("machines: [{{ name: node, personality: {personality} }}]"));
        let recording = recorded(&source.bmc("node"), &options(&output))
            .await
            .expect("recorded");
        assert_eq!(recording.skipped, [], "{personality}");
        let copy = replay(&output, "machines: [{ name: node, mockup: tree }]");
        let (before, after) = (tree(&source.client("node")).await, tree(&copy.client("node")).await);
        for (path, document) in &before {
            assert_eq!(Some(document), after.get(path), "{personality}: {path}");
        }
        assert_eq!(before.len(), after.len(), "{personality}");
        assert!(
            before.len() > 50 && recording.resources >= before.len(),
            "{personality}: {recording:?}"
        );
        let bodies: Vec<String> = before.values().map(Value::to_string).collect();
        assert!(
            !bodies.iter().any(|body| body.contains("SessionService/Sessions/")),
            "the session was given back"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_lives() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("dell.tar.gz");
    let source =
        Run::new("machines: [{ name: node, personality: dell, drives: [{ name: nvme0n1 }, { name: nvme1n1 }] }]");
    recorded(&source.bmc("node"), &options(&output))
        .await
        .expect("recorded");
    let run = replay(&output, "machines: [{ name: node, mockup: tree }]");
    let client = run.client("node");

    // Power and boot.
    let boot = json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } });
    let etag = client.get(SYSTEM).await.header("etag").to_owned();
    let answer = client.with("if-match", &etag).patch(SYSTEM, boot.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let stale = client.with("if-match", &etag).patch(SYSTEM, boot).await;
    assert_eq!(stale.status, 412);
    let system = client.get(SYSTEM).await.body;
    assert_eq!(system["Boot"]["BootSourceOverrideTarget"], "Pxe");
    assert_eq!(system["PowerState"], "Off");
    let reset = client
        .post(
            &format!("{SYSTEM}/Actions/ComputerSystem.Reset"),
            json!({ "ResetType": "On" }),
        )
        .await;
    assert_eq!(reset.status, 204, "{}", reset.text);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let system = client.get(SYSTEM).await.body;
    assert_eq!(system["PowerState"], "On");
    assert_eq!(
        system["Boot"]["BootSourceOverrideEnabled"], "Disabled",
        "one boot has consumed it"
    );

    // BIOS: known attributes wait for the next POST.
    let settings = format!("{SYSTEM}/Bios/Settings");
    let change = client
        .patch(&settings, json!({ "Attributes": { "NumLock": "Off" } }))
        .await;
    assert_eq!(change.status, 202, "{}", change.text);
    let unknown = client
        .patch(&settings, json!({ "Attributes": { "NumLock": "Perhaps" } }))
        .await;
    assert_eq!(unknown.status, 400);
    assert_eq!(
        client.get(&format!("{SYSTEM}/Bios")).await.body["Attributes"]["NumLock"],
        "On"
    );
    let restart = json!({ "ResetType": "ForceRestart" });
    client
        .post(&format!("{SYSTEM}/Actions/ComputerSystem.Reset"), restart)
        .await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(
        client.get(&format!("{SYSTEM}/Bios")).await.body["Attributes"]["NumLock"],
        "Off"
    );

    // Storage: drives can be erased, and pulled.
    let storage = format!("{SYSTEM}/Storage/PCIeSSD.Slot.1");
    let erase = client
        .post(
            &format!("{storage}/Drives/nvme0n1/Actions/Drive.SecureErase"),
            json!({}),
        )
        .await;
    assert_eq!(erase.status, 202, "{}", erase.text);
    let drive = DriveName("nvme1n1".to_owned());
    run.bmc("node")
        .apply(AdminAction::PullDrive { drive })
        .expect("it is there");
    assert_eq!(client.get(&format!("{storage}/Drives/nvme1n1")).await.status, 404);
    assert_eq!(
        client.get(&storage).await.body["Drives"].as_array().map(Vec::len),
        Some(1)
    );

    // Sessions, and queries over all of it.
    let login = json!({ "UserName": "admin", "Password": "password" });
    let session = client
        .without_credentials()
        .post("/redfish/v1/SessionService/Sessions", login)
        .await;
    assert_eq!(session.status, 201);
    let expanded = client.get("/redfish/v1/Systems?$expand=.($levels=1)").await.body;
    assert_eq!(expanded["Members"][0]["PowerState"], "On");

    // What only the recording has, does not forget; what nobody has recorded, is not there.
    let root = client.get("/redfish/v1/NotThere").await;
    assert_eq!(root.status, 404);
    assert_eq!(client.without_credentials().get(SYSTEM).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_one_recording_has_identities_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("tree");
    let source = Run::new("machines: [{ name: node, personality: dell }]");
    recorded(&source.bmc("node"), &options(&output))
        .await
        .expect("recorded");
    let original = source.client("node").get(SYSTEM).await.body;
    let run = replay(&output, "machines: [{ name: node, mockup: tree, count: 2 }]");
    let [first, second] = [run.client("node-0"), run.client("node-1")];
    let bodies = [first.get(SYSTEM).await.body, second.get(SYSTEM).await.body, original];
    for name in ["UUID", "SerialNumber", "SKU"] {
        let distinct: std::collections::BTreeSet<&str> =
            bodies.iter().map(|body| body[name].as_str().expect("text")).collect();
        assert_eq!(distinct.len(), 3, "{name}: {distinct:?}");
    }
    let nic = format!("{SYSTEM}/EthernetInterfaces/eno1");
    assert_ne!(
        first.get(&nic).await.body["MACAddress"],
        second.get(&nic).await.body["MACAddress"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_goes_on_where_it_was_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("tree");
    let source = Run::new("machines: [{ name: node }]");
    let bmc = source.bmc("node");
    let stop = CancellationToken::new();
    let options = options(&output);
    let interrupted = record(&options, wire(&bmc), &stop, |progress| {
        if progress.done == 20 {
            stop.cancel();
        }
    });
    let error = interrupted.await.expect_err("interrupted").to_string();
    assert!(error.contains("interrupted after 20 resources"), "{error}");
    assert!(!output.exists());
    assert_eq!(
        source
            .client("node")
            .get("/redfish/v1/SessionService/Sessions")
            .await
            .body["Members"],
        json!([])
    );

    // A BMC that does not answer any more, and one that wants to be asked later.
    bmc.inject(Fault::BmcUnreachable { duration: None }).expect("valid");
    let error = recorded(&bmc, &options).await.expect_err("unreachable").to_string();
    assert!(error.contains("cannot be logged in"), "{error}");
    bmc.clear_faults();
    bmc.inject(Fault::Http {
        method: Some("GET".to_owned()),
        path: "/redfish/v1/Systems".to_owned(),
        action: HttpAction::Status {
            status: 503,
            body: None,
        },
        remaining: Some(2),
        when: When::default(),
    })
    .expect("valid");
    let before = bmc.inspect().counters.requests;
    let recording = recorded(&bmc, &options).await.expect("recorded");
    let asked = usize::try_from(bmc.inspect().counters.requests - before).expect("few");
    assert!(asked < recording.resources, "{asked} requests for {recording:?}");
    let again = recorded(&bmc, &options).await.expect_err("it is there");
    assert!(matches!(again, RecordError::OutputExists(_)), "{again}");
}

#[tokio::test(start_paused = true)]
async fn serial_numbers_and_secrets_stay_at_home() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("tree");
    let source = Run::new("machines: [{ name: node, personality: dell, serialNumber: HOME1234 }]");
    let client = source.client("node");
    let subscription =
        json!({ "Destination": "https://user:hunter2@collector/", "Protocol": "Redfish", "Context": "c" });
    client
        .post("/redfish/v1/EventService/Subscriptions", subscription)
        .await;
    let system = client.get(SYSTEM).await.body;
    let scrub = RecordOptions {
        keep_identities: false,
        ..options(&output)
    };
    recorded(&source.bmc("node"), &scrub).await.expect("recorded");
    let mut texts = String::new();
    let mut open = vec![output.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                texts += &std::fs::read_to_string(path).expect("text").to_lowercase();
            }
        }
    }
    let uuid = system["UUID"].as_str().expect("text").to_lowercase();
    let mac = source.bmc("node").endpoint().mac_address;
    for secret in ["home1234", "hunter2", uuid.as_str(), mac.as_str(), "\"password\": \""] {
        assert!(!texts.contains(secret), "{secret}");
    }
    let run = replay(&output, "machines: [{ name: node, mockup: tree }]");
    let shown = run.client("node").get(SYSTEM).await.body;
    assert_eq!(shown["Model"], system["Model"]);
    assert_ne!(shown["SerialNumber"], system["SerialNumber"]);
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_and_missing_recordings_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = Run::new("machines: [{ name: node }]");
    let wrong = RecordOptions {
        password: Secret::new("guess"),
        ..options(&folder.path().join("tree"))
    };
    let error = recorded(&source.bmc("node"), &wrong)
        .await
        .expect_err("wrong")
        .to_string();
    assert!(
        error.contains("user name or password are wrong") && !error.contains("guess"),
        "{error}"
    );
    let wrong = RecordOptions {
        url: "bmc.example/redfish".to_owned(),
        ..options(&folder.path().join("tree"))
    };
    let error = recorded(&source.bmc("node"), &wrong).await.expect_err("no URL");
    assert!(matches!(error, RecordError::BadUrl(_)), "{error}");

    let edges = edges(&World::default());
    let spec = FleetSpec::from_yaml("machines: [{ name: a, mockup: somewhere }]", "fleet.yaml").expect("valid");
    let error = Fleet::new(&spec, edges).err().expect("not loaded");
    assert!(matches!(error, FleetError::MockupNotLoaded { .. }), "{error}");
    let both = "machines: [{ name: a, mockup: somewhere, personality: dell }]";
    let error = FleetSpec::from_yaml(both, "fleet.yaml").expect_err("both").to_string();
    assert!(error.starts_with("fleet.yaml:1:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_only_the_recording_knows_can_be_read_and_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("tree");
    let source = Run::new("machines: [{ name: node }]");
    recorded(&source.bmc("node"), &options(&output))
        .await
        .expect("recorded");
    let oem = output.join("redfish/v1/Oem/Fans");
    std::fs::create_dir_all(&oem).expect("a folder");
    let document = json!({ "@odata.id": "/redfish/v1/Oem/Fans", "Id": "Fans", "Mode": "Quiet", "Limits": { "Low": 1, "High": 2 } });
    std::fs::write(oem.join("index.json"), document.to_string()).expect("written");
    let run = replay(&output, "machines: [{ name: node, mockup: tree, count: 2 }]");
    let (client, path) = (run.client("node-0"), "/redfish/v1/Oem/Fans");
    let before = client.get(path).await;
    let change = json!({ "Mode": "Loud", "Limits": { "High": 3 } });
    assert_eq!(
        client
            .with("if-match", "\"x\"")
            .patch(path, change.clone())
            .await
            .status,
        412
    );
    assert_eq!(
        client
            .with("if-match", before.header("etag"))
            .patch(path, change)
            .await
            .status,
        204
    );
    let after = client.get(path).await;
    assert_eq!(
        (&after.body["Mode"], &after.body["Limits"]),
        (&json!("Loud"), &json!({ "Low": 1, "High": 3 }))
    );
    assert_ne!(before.header("etag"), after.header("etag"));
    for (wrong, message) in [
        (json!({ "Speed": 1 }), "PropertyUnknown"),
        (json!({ "Id": "x" }), "PropertyNotWritable"),
        (json!({ "Mode": 1 }), "PropertyValueTypeError"),
    ] {
        assert_eq!(client.patch(path, wrong).await.messages(), [message]);
    }
    assert_eq!(client.delete(path).await.status, 405);
    let action = client.post(&format!("{path}/Actions/Fans.Stop"), json!({})).await;
    assert_eq!((action.status, action.messages()), (501, vec!["ActionNotSupported"]));
    assert_eq!(
        run.client("node-1").get(path).await.body["Mode"],
        "Quiet",
        "machines do not share what was changed"
    );
}
