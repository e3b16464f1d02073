//! The event stream: what it carries, and when it ends.

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Client, Run};

const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";

async fn open(client: &Client) -> BodyDataStream {
    let uri = client.get("/redfish/v1/EventService").await.body["ServerSentEventUri"].clone();
    let mut request = Request::builder()
        .uri(uri.as_str().expect("a URI"))
        .header("accept", "text/event-stream");
    for (name, value) in &client.headers {
        request = request.header(name, value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = client.bmc.router().oneshot(request).await.expect("infallible");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().expect("a value"))
    );
    response.into_body().into_data_stream()
}

/// Id and payload of the next event.
async fn next(stream: &mut BodyDataStream) -> Option<(String, Value)> {
    let bytes = stream.next().await?.expect("never fails");
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let (id, data) = text
        .strip_suffix("\n\n")
        .and_then(|text| text.split_once('\n'))
        .expect("id and data");
    let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    Some((id.to_owned(), data))
}

async fn subscriptions(client: &Client) -> usize {
    client.get(SUBSCRIPTIONS).await.body["Members"]
        .as_array()
        .expect("members")
        .len()
}

#[tokio::test(start_paused = true)]
async fn events_flow_until_either_side_closes() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let mut stream = open(&client).await;
    let subscription = client.get(&format!("{SUBSCRIPTIONS}/1")).await.body;
    assert_eq!(
        (&subscription["SubscriptionType"], &subscription["Destination"]),
        (&json!("SSE"), &Value::Null)
    );
    let test = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent";
    client.post(test, json!({})).await;
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let (id, event) = next(&mut stream).await.expect("an event");
        told.push((id, event["Events"][0]["MessageId"].as_str().expect("an id").to_owned()));
    }
    let expected = [
        ("id: 1", "TestMessage"),
        ("id: 2", "ResourceStateChanged"),
        ("id: 3", "ResourceStateChanged"),
    ];
    let expected = expected.map(|(id, key)| (id.to_owned(), format!("ResourceEvent.1.3.{key}")));
    assert_eq!(told, expected);

    assert_eq!(client.delete(&format!("{SUBSCRIPTIONS}/1")).await.status, 204);
    assert_eq!(next(&mut stream).await, None, "the BMC has closed it");

    let stream = open(&client).await;
    assert_eq!(subscriptions(&client).await, 1);
    drop(stream);
    assert_eq!(subscriptions(&client).await, 0, "the reader has closed it");
}

#[tokio::test(start_paused = true)]
async fn a_stream_does_not_outlive_its_session() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let credentials = json!({ "UserName": "admin", "Password": "password" });
    let session = client.post("/redfish/v1/SessionService/Sessions", credentials).await;
    let reader = client
        .without_credentials()
        .with("x-auth-token", session.header("x-auth-token"));
    let mut stream = open(&reader).await;
    client.delete(session.header("location")).await;
    assert_eq!(next(&mut stream).await, None);

    let mut stream = open(&client).await;
    client
        .post("/redfish/v1/Managers/BMC/Actions/Manager.Reset", json!({}))
        .await;
    assert_eq!(next(&mut stream).await, None, "nor a restart of the BMC");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_text() {
    let run = Run::new("machines: [{ name: node }]");
    let refused = run
        .client("node")
        .with("accept", "application/json")
        .get("/redfish/v1/EventService/SSE")
        .await;
    assert_eq!((refused.status, refused.messages()), (406, vec!["HeaderInvalid"]));
}

#[tokio::test(start_paused = true)]
async fn subscribers_get_what_they_ask_for() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let subscribe = |path: &str, filter: Value| {
        let mut body = json!({ "Destination": format!("http://listener.example/{path}"), "Protocol": "Redfish" });
        for (name, value) in filter.as_object().expect("an object") {
            body[name.as_str()] = value.clone();
        }
        client.post(SUBSCRIPTIONS, body)
    };
    let system = json!({ "OriginResources": [{ "@odata.id": "/redfish/v1/Systems/1" }] });
    for (path, filter) in [
        ("all", json!({})),
        ("tasks", json!({ "RegistryPrefixes": ["TaskEvent"] })),
        ("system", system.clone()),
        ("alerts", json!({ "EventTypes": ["Alert"] })),
    ] {
        assert_eq!(subscribe(path, filter).await.status, 201, "{path}");
        run.world.serve(&format!("http://listener.example/{path}"), "");
    }
    let shown = client.get(&format!("{SUBSCRIPTIONS}/3")).await.body;
    assert_eq!(shown["OriginResources"], system["OriginResources"]);
    let unknown = subscribe("sunrise", json!({ "EventTypes": ["Sunrise"] })).await;
    assert_eq!(unknown.messages(), ["PropertyValueNotInList"]);

    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let urls: std::collections::BTreeSet<String> = run.world.urls().into_iter().collect();
    let told: Vec<&str> = urls.iter().filter_map(|url| url.rsplit('/').next()).collect();
    assert_eq!(told, ["all", "system"]);
}
