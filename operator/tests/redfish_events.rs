//! The receiver of Redfish events over HTTP: who may tell what, and whom it wakes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use futures::{FutureExt, StreamExt};
use operator::bmc::EventFormat;
use operator::edges::Seed;
use operator::metrics::Metrics;
use operator::redfish_events::{Concern, EventReceiver, News, ReceiverSettings};
use operator::registry::TokenIssuer;
use serde_json::{Value, json};
use tower::ServiceExt;

const BMC: &str = "node-1";
const UID: &str = "uid-of-node-1";

/// A receiver that leads and knows one BMC.
async fn receiver(allow_unauthenticated: bool) -> (EventReceiver, Metrics) {
    // All that is asked of the API server is the key, and it takes any.
    let api = tower::service_fn(|request: Request<kube::client::Body>| async move {
        let (code, body) = match request.method().as_str() {
            "GET" => (404, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": ""}).to_string().into()),
            _ => (201, request.into_body().collect_bytes().await.expect("a body")),
        };
        Response::builder().status(code).body(Body::from(body))
    });
    let tokens = TokenIssuer::default();
    tokens
        .load_key(&kube::Client::new(api, "metal"), "metal", &Seed::from(7))
        .await
        .expect("a key");
    let metrics = Metrics::new();
    let settings = ReceiverSettings {
        url: Some("http://10.0.0.1:10001".to_owned()),
        allow_unauthenticated,
        resync: Duration::from_secs(600),
    };
    let receiver = EventReceiver::new(settings, tokens, metrics.clone());
    receiver.set_bmc_lookup(Arc::new(|name| (name == BMC).then(|| UID.to_owned())));
    receiver.set_serving(true);
    (receiver, metrics)
}

fn destination(receiver: &EventReceiver, format: EventFormat) -> String {
    let destination = receiver.destination(format, BMC, UID).expect("a key");
    let destination = destination.expect("an event URL");
    destination
        .strip_prefix("http://10.0.0.1:10001")
        .expect("the event URL")
        .to_owned()
}

async fn post(receiver: &EventReceiver, path: &str, body: impl Into<Body>) -> StatusCode {
    let request = Request::post(path).body(body.into()).expect("request");
    receiver.router().oneshot(request).await.expect("answer").status()
}

fn event(origin: &str) -> String {
    let record = json!({"MessageId": "ResourceEvent.1.3.ResourceStateChanged", "Severity": "OK", "OriginOfCondition": {"@odata.id": origin}});
    json!({"Name": "Event Array", "Events": [record]}).to_string()
}

#[tokio::test(start_paused = true)]
async fn only_the_bmc_itself_is_believed() {
    let (receiver, _) = receiver(false).await;
    let right = destination(&receiver, EventFormat::Event);
    assert_eq!(right.len(), "/serverevents/alerts/node-1/".len() + 32);
    let other = receiver
        .destination(EventFormat::Event, "node-2", "another")
        .expect("a key");
    let stolen = other
        .expect("an event URL")
        .rsplit('/')
        .next()
        .expect("a token")
        .to_owned();
    let body = || event("/redfish/v1/Systems/1");
    for (path, expected) in [
        (right.clone(), 200),
        ("/serverevents/alerts/node-1".to_owned(), 401),
        ("/serverevents/alerts/node-1/".to_owned(), 404),
        ("/serverevents/alerts/node-1/00".to_owned(), 401),
        ("/serverevents/alerts/node-1/not-hex".to_owned(), 401),
        (format!("/serverevents/alerts/node-1/{stolen}"), 401),
        (format!("/serverevents/alerts/node-2/{stolen}"), 401),
        ("/serverevents/alerts/%00%ff".to_owned(), 400),
        ("/serverevents".to_owned(), 404),
    ] {
        assert_eq!(post(&receiver, &path, body()).await, expected, "{path}");
    }
    receiver.set_serving(false);
    assert_eq!(post(&receiver, &right, body()).await, 503, "another replica leads");
}

#[tokio::test(start_paused = true)]
async fn the_old_paths_count_where_that_is_asked_for() {
    let (receiver, _) = receiver(true).await;
    let mut news = receiver.subscribe();
    let body = event("/redfish/v1/Systems/1");
    assert_eq!(post(&receiver, "/serverevents/alerts/node-1", body.clone()).await, 200);
    assert!(news.next().now_or_never().is_some());
    assert_eq!(
        post(&receiver, "/serverevents/alerts/node-2", body).await,
        401,
        "nobody knows it"
    );
    assert!(receiver.is_ours(
        EventFormat::Event,
        BMC,
        "http://10.0.0.1:10001/serverevents/alerts/node-1"
    ));
    assert!(!receiver.is_ours(
        EventFormat::Event,
        BMC,
        "http://10.0.0.1:10001/serverevents/alerts/node-11"
    ));
    assert!(!receiver.is_ours(
        EventFormat::Event,
        BMC,
        "http://10.0.0.9:10001/serverevents/alerts/node-1"
    ));
}

#[tokio::test(start_paused = true)]
async fn bodies_are_limited_and_nothing_breaks_the_receiver() {
    let (receiver, metrics) = receiver(false).await;
    for format in [EventFormat::Event, EventFormat::MetricReport] {
        let path = destination(&receiver, format);
        for (body, expected) in [
            (String::new(), 400),
            ("no JSON".to_owned(), 400),
            ("[]".to_owned(), 400),
            ("{}".to_owned(), 200),
            (
                r#"{"Events": [null, 3, {"OriginOfCondition": []}], "MetricValues": [null, {"MetricId": {}}]}"#
                    .to_owned(),
                200,
            ),
            ("[".repeat(100_000), 400),
            ("x".repeat(2 << 20), 413),
        ] {
            let shown: String = body.chars().take(20).collect();
            assert_eq!(post(&receiver, &path, body).await, expected, "{path} {shown}");
        }
        let get = Request::get(&path).body(Body::empty()).expect("request");
        assert_eq!(receiver.router().oneshot(get).await.expect("answer").status(), 405);
    }
    let text = metrics.encode().expect("metrics");
    assert!(
        text.contains(r#"metal_redfish_event_requests_total{endpoint="alerts",code="413"} 1"#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_and_is_counted() {
    let (receiver, metrics) = receiver(false).await;
    let mut news = receiver.subscribe();
    let alerts = destination(&receiver, EventFormat::Event);
    assert!(!receiver.hears(BMC));
    assert_eq!(post(&receiver, &alerts, event("/redfish/v1/Systems/1")).await, 200);
    let expected = News {
        bmc: BMC.to_owned(),
        concern: Concern::System("/redfish/v1/Systems/1".to_owned()),
    };
    assert_eq!(news.next().now_or_never().flatten(), Some(expected));
    assert!(receiver.hears(BMC));
    assert_eq!(
        post(&receiver, &alerts, event("/redfish/v1/SessionService/Sessions/1")).await,
        200
    );
    assert_eq!(news.next().now_or_never(), None, "our own logins are events, too");

    let report: Value = json!({"MetricValues": [{"MetricId": "Inlet Temp", "MetricValue": "21.5"}]});
    let path = destination(&receiver, EventFormat::MetricReport);
    assert_eq!(post(&receiver, &path, report.to_string()).await, 200);
    let text = metrics.encode().expect("metrics");
    let shown: Vec<&str> = text.lines().filter(|line| line.starts_with("redfish_")).collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert_eq!(receiver.resync(BMC, Duration::from_secs(120)), Duration::from_secs(600));
    tokio::time::advance(Duration::from_secs(900)).await;
    assert_eq!(
        receiver.resync(BMC, Duration::from_secs(120)),
        Duration::from_secs(120),
        "silent for too long"
    );
}
