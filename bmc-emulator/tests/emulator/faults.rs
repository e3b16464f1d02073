//! What can be made to go wrong, through the Rust API and through the admin API.

use std::time::Duration;

use axum::body::Body;
use bmc_emulator::{Execution, Fault, HttpAction, PowerState, When};
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::Run;

const SYSTEM: &str = "/redfish/v1/Systems/1";
const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
const FLEET: &str = "machines: [{ name: node, boot: { serverURL: 'http://boot.example' } }]";

fn fault(value: Value) -> Fault {
    serde_json::from_value(value).expect("a fault")
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_fail_late_or_not_at_all() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let on = |action: HttpAction| Fault::Http {
        method: None,
        path: format!("{SYSTEM}**"),
        action,
        remaining: Some(1),
        when: When::default(),
    };

    bmc.inject(on(HttpAction::Status {
        status: 503,
        body: None,
    }))
    .expect("valid");
    assert_eq!(client.get(SYSTEM).await.messages(), ["GeneralError"]);
    assert_eq!(client.get(SYSTEM).await.status, 200);

    bmc.inject(fault(
        json!({ "type": "Http", "path": "**", "action": { "type": "Latency", "duration": "7s" } }),
    ))
    .expect("valid");
    let start = tokio::time::Instant::now();
    assert_eq!(client.get(SYSTEM).await.status, 200);
    assert_eq!(start.elapsed().as_secs(), 7);
    bmc.clear_faults();

    bmc.inject(on(HttpAction::Drop { processed: false })).expect("valid");
    assert!(client.post(RESET, json!({ "ResetType": "On" })).await.dropped);
    assert_eq!(bmc.inspect().power_state, PowerState::Off);

    bmc.inject(on(HttpAction::Drop { processed: true })).expect("valid");
    assert!(client.post(RESET, json!({ "ResetType": "On" })).await.dropped);
    assert_eq!(
        bmc.inspect().power_state,
        PowerState::PoweringOn,
        "the request got through, only the answer did not"
    );

    bmc.inject(on(HttpAction::Hang)).expect("valid");
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), client.get(SYSTEM))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn machines_lie_and_refuse() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    bmc.inject(fault(json!({ "type": "LostReset", "remaining": 1 })))
        .expect("valid");
    assert_eq!(client.post(RESET, json!({ "ResetType": "On" })).await.status, 204);
    assert_eq!(bmc.inspect().power_state, PowerState::Off);

    bmc.inject(fault(
        json!({ "type": "WrongPowerState", "reported": "On", "remaining": 1 }),
    ))
    .expect("valid");
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "On");
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");

    bmc.inject(fault(json!({ "type": "WrongCredentials", "remaining": 1 })))
        .expect("valid");
    assert_eq!(client.get(SYSTEM).await.status, 401);
    assert_eq!(client.get(SYSTEM).await.status, 200);

    bmc.inject(fault(json!({ "type": "BmcUnreachable", "duration": "1m" })))
        .expect("valid");
    assert!(client.get(SYSTEM).await.dropped);
    pass(61).await;
    assert_eq!(client.get(SYSTEM).await.status, 200);
    assert!(bmc.inspect().faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_ignores_the_power_button_has_to_be_forced() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let script = format!("http://boot.example/ipxe/{}", bmc.system_uuid());
    run.world.serve(&script, "#!ipxe\nkernel http://boot.example/k\nboot\n");
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(120).await;
    assert!(matches!(bmc.inspect().execution, Execution::Guest { .. }));
    bmc.inject(fault(json!({ "type": "NeverEndingShutdown" })))
        .expect("valid");
    assert_eq!(
        client
            .post(RESET, json!({ "ResetType": "GracefulShutdown" }))
            .await
            .status,
        204
    );
    pass(3600).await;
    assert_eq!(bmc.inspect().power_state, PowerState::On);
    client.post(RESET, json!({ "ResetType": "ForceOff" })).await;
    pass(5).await;
    assert_eq!(bmc.inspect().power_state, PowerState::Off);
    assert_eq!(bmc.inspect().execution, Execution::Nothing);
}

#[tokio::test(start_paused = true)]
async fn a_drive_that_fails_to_erase_keeps_its_data() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let write = json!({ "type": "WriteDrive", "drive": "nvme0n1", "records": { "tenant": "data" } });
    bmc.apply(serde_json::from_value(write).expect("an action"))
        .expect("the drive exists");
    let broken = json!({ "type": "DriveEraseFails", "drive": "nvme0n1", "message": "sanitize failed", "remaining": 1 });
    bmc.inject(fault(broken)).expect("valid");
    let target = format!("{SYSTEM}/Storage/1/Drives/nvme0n1/Actions/Drive.SecureErase");
    client.post(&target, json!({})).await;
    pass(100).await;
    let task = client.get("/redfish/v1/TaskService/Tasks/1").await.body;
    assert_eq!(
        (&task["TaskState"], &task["TaskStatus"]),
        (&json!("Exception"), &json!("Critical"))
    );
    assert!(
        task["Messages"][0]["Message"]
            .as_str()
            .is_some_and(|text| text.contains("sanitize failed"))
    );
    assert!(!bmc.inspect().drives[0].records.is_empty());
    client.post(&target, json!({})).await;
    pass(100).await;
    assert!(bmc.inspect().drives[0].records.is_empty(), "the second attempt works");
    let unknown = json!({ "type": "DriveEraseFails", "drive": "sdz", "message": "" });
    assert!(bmc.inject(fault(unknown)).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_admin_api() {
    let run = Run::new(FLEET);
    let router = run.fleet.admin_router("s3cret");
    let call = async |method: Method, path: &str, token: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap_or_default())
    };
    assert_eq!(call(Method::GET, "/machines", "wrong", Value::Null).await.0, 401);
    let (_, list) = call(Method::GET, "/machines", "s3cret", Value::Null).await;
    assert_eq!(
        (&list["machines"][0]["name"], &list["machines"][0]["address"]),
        (&json!("node"), &json!("127.8.0.1"))
    );
    let rule = json!({ "machines": "no*", "fault": { "type": "LostReset" } });
    assert_eq!(
        call(Method::POST, "/faults", "s3cret", rule).await,
        (201, json!({ "ids": { "node": 1 } }))
    );
    assert_eq!(call(Method::DELETE, "/faults", "s3cret", Value::Null).await.0, 204);
    let nobody = json!({ "machines": "rack-*", "fault": { "type": "LostReset" } });
    assert_eq!(call(Method::POST, "/faults", "s3cret", nobody).await.0, 422);
    let fault = json!({ "type": "Http", "path": "**", "action": { "type": "Status", "status": 500 } });
    assert_eq!(
        call(Method::POST, "/machines/node/faults", "s3cret", fault).await,
        (201, json!({ "id": 2 }))
    );
    assert_eq!(run.client("node").get(SYSTEM).await.status, 500);
    assert_eq!(
        call(Method::DELETE, "/machines/node/faults/2", "s3cret", Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(
        call(Method::DELETE, "/machines/node/faults/2", "s3cret", Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(
        call(
            Method::POST,
            "/machines/node/actions",
            "s3cret",
            json!({ "type": "PowerOn" })
        )
        .await
        .0,
        204
    );
    let (_, truth) = call(Method::GET, "/machines/node", "s3cret", Value::Null).await;
    assert_eq!(truth["powerState"], "PoweringOn");
    assert_eq!(call(Method::GET, "/machines/other", "s3cret", Value::Null).await.0, 404);
    let (status, problem) = call(
        Method::POST,
        "/machines/node/actions",
        "s3cret",
        json!({ "type": "PullDrive", "drive": "sdz" }),
    )
    .await;
    assert_eq!(
        (status, problem),
        (422, json!({ "error": "this machine has no drive sdz" }))
    );
    let escaped = run.client("node").get("/machines").await;
    assert_eq!(escaped.status, 404, "the admin API is no part of a BMC");
}

/// A rule about GETs of the system.
fn rule(action: Value, when: Value) -> Fault {
    fault(json!({ "type": "Http", "method": "GET", "path": SYSTEM, "action": action, "when": when }))
}

#[tokio::test(start_paused = true)]
async fn answers_are_wrong_in_every_way() {
    let run = Run::new(FLEET);
    let (client, bmc) = (run.client("node"), run.bmc("node"));
    let good = client.get(SYSTEM).await;

    bmc.inject(rule(
        json!({ "type": "WrongValue", "pointer": "/Status/Health", "value": "Critical" }),
        json!({}),
    ))
    .expect("valid");
    let answer = client.get(SYSTEM).await;
    assert_eq!(
        (&answer.body["Status"]["Health"], &answer.body["UUID"]),
        (&json!("Critical"), &good.body["UUID"])
    );
    bmc.clear_faults();

    bmc.inject(rule(json!({ "type": "InvalidJson" }), json!({})))
        .expect("valid");
    let answer = client.get(SYSTEM).await;
    assert_eq!((answer.status, &answer.body), (200, &Value::Null));
    assert!(good.text.starts_with(&answer.text[..100]) && answer.text.len() < good.text.len());
    bmc.clear_faults();

    bmc.inject(rule(json!({ "type": "SlowBody", "duration": "40s" }), json!({})))
        .expect("valid");
    let start = tokio::time::Instant::now();
    assert_eq!(client.get(SYSTEM).await.body["UUID"], good.body["UUID"]);
    assert!((38..=42).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    bmc.clear_faults();

    bmc.inject(rule(json!({ "type": "Stuck" }), json!({ "for": "10m" })))
        .expect("valid");
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off");
    client.post(RESET, json!({ "ResetType": "On" })).await;
    pass(120).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "Off", "it is stuck");
    assert_eq!(
        client.get(&format!("{SYSTEM}?$select=PowerState")).await.body["PowerState"],
        "On",
        "another question"
    );
    assert_eq!(bmc.inspect().power_state, PowerState::On);
    pass(600).await;
    assert_eq!(client.get(SYSTEM).await.body["PowerState"], "On");
    assert!(bmc.inspect().faults.is_empty());

    bmc.inject(rule(json!({ "type": "Crash" }), json!({ "skip": 1 })))
        .expect("valid");
    assert_eq!(client.get(SYSTEM).await.status, 200);
    assert!(client.get(SYSTEM).await.dropped);
    assert!(client.get(RESET).await.dropped, "it restarts");
    pass(600).await;
    assert_eq!(bmc.inspect().counters.bmc_resets, 1);
    bmc.clear_faults();
    assert_eq!(client.get(SYSTEM).await.status, 200);

    for kind in ["CertificateExpired", "CertificateWrongName"] {
        bmc.inject(fault(json!({ "type": kind, "duration": "1m" })))
            .expect("valid");
        assert!(client.get(SYSTEM).await.dropped, "{kind}: nobody would go on");
        pass(61).await;
        assert_eq!(client.get(SYSTEM).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn chance_follows_the_seed() {
    let sample = async || {
        let run = Run::new(FLEET);
        let (client, bmc) = (run.client("node"), run.bmc("node"));
        let latency = json!({ "type": "RandomLatency", "minimum": "1s", "maximum": "10s", "distribution": "longTail" });
        bmc.inject(rule(latency, json!({}))).expect("valid");
        bmc.inject(rule(
            json!({ "type": "Status", "status": 503 }),
            json!({ "probability": 0.25 }),
        ))
        .expect("valid");
        let mut seen = Vec::new();
        for _ in 0..40 {
            let start = tokio::time::Instant::now();
            let status = client.get(SYSTEM).await.status;
            seen.push((status, start.elapsed()));
        }
        seen
    };
    let seen = sample().await;
    assert_eq!(seen, sample().await, "the same seed, the same accidents");
    let failed = seen.iter().filter(|(status, _)| *status == 503).count();
    assert!((3..=20).contains(&failed), "{failed} of 40");
    assert!(seen.iter().all(|(_, took)| (1..=10).contains(&took.as_secs())));
    assert!(seen.iter().any(|(_, took)| took.as_secs() > 2), "the tail is long");
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_fleet_file() {
    let run = Run::new(
        "machines: [{ name: rack-1 }, { name: rack-2 }, { name: other }]
faults:
- machines: rack-*
  fault: { type: Http, path: '**', action: { type: Status, status: 500 }, remaining: 1 }
- fault: { type: LostReset, remaining: 1 }",
    );
    for (name, status) in [("rack-1", 500), ("rack-2", 500), ("other", 200)] {
        assert_eq!(run.client(name).get(SYSTEM).await.status, status, "{name}");
        assert_eq!(run.client(name).get(SYSTEM).await.status, 200, "{name}");
        assert_eq!(run.bmc(name).inspect().faults.len(), 1, "the reset is not lost yet");
    }
    let wrong = [
        (
            "{ machines: nobody-*, fault: { type: LostReset } }",
            "rule 1 of faults: no machine has a name like \"nobody-*\"",
        ),
        (
            "{ fault: { type: Http, path: '**', action: { type: Stuck }, when: { probability: 2 } } }",
            "rule 1 of faults: a: a probability is greater than 0",
        ),
    ];
    for (rule, expected) in wrong {
        let yaml = format!("{{ machines: [{{ name: a }}], faults: [{rule}] }}");
        let spec = bmc_emulator::FleetSpec::from_yaml(&yaml, "fleet.yaml").expect("a fleet file");
        let error = bmc_emulator::Fleet::new(&spec, crate::support::edges(&crate::support::World::default()));
        let error = error.err().expect("a mistake").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
