//! What HTTP says beside methods and status codes: media types, compression, OPTIONS.

use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::conformance::{FLEET, personalities, walk};
use crate::support::{Client, Run};

const SYSTEM: &str = "/redfish/v1/Systems/1";

#[tokio::test(start_paused = true)]
async fn media_types_are_checked() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    for (path, accept, status) in [
        (SYSTEM, "application/json", 200),
        (SYSTEM, "text/html, */*;q=0.8", 200),
        (SYSTEM, "text/html", 406),
        ("/redfish/v1/$metadata", "application/xml", 200),
        ("/redfish/v1/$metadata", "application/json", 406),
        ("/redfish/v1/openapi.yaml", "application/yaml", 404),
        ("/redfish/v1/EventService/SSE", "application/json", 406),
    ] {
        let answer = client.with("accept", accept).get(path).await;
        assert_eq!(answer.status, status, "{path} {accept}");
    }
    for (content_type, status) in [
        ("application/json", 204),
        ("application/json; charset=utf-8", 204),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
    ] {
        let client = client.with("content-type", content_type);
        let answer = client.send(Method::PATCH, SYSTEM, "{\"AssetTag\": \"a\"}").await;
        assert_eq!(answer.status, status, "{content_type}");
    }
    let nothing = client.with("content-type", "text/plain");
    assert_eq!(
        nothing.get(SYSTEM).await.status,
        200,
        "without a body it does not matter"
    );
}

async fn raw(client: &Client, path: &str, encoding: &str) -> (http::response::Parts, bytes::Bytes) {
    let mut request = Request::builder().uri(path).header("accept-encoding", encoding);
    for (name, value) in &client.headers {
        request = request.header(name, value);
    }
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let response = client.bmc.router().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    (parts, body.collect().await.expect("a body").to_bytes())
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_compressed_for_those_who_take_it() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    for encoding in ["gzip", "deflate, GZIP;q=0.5"] {
        let (parts, body) = raw(&client, SYSTEM, encoding).await;
        assert_eq!(parts.headers["content-encoding"], "gzip", "{encoding}");
        assert_eq!(parts.headers["vary"], "Accept-Encoding");
        let document: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&body[..])).expect("JSON");
        assert_eq!(document, client.get(SYSTEM).await.body);
    }
    for (path, encoding) in [(SYSTEM, "identity"), (SYSTEM, "gzip;q=0"), ("/redfish", "gzip")] {
        let (parts, _) = raw(&client, path, encoding).await;
        assert_eq!(parts.headers.get("content-encoding"), None, "{path} {encoding}");
    }
}

#[tokio::test(start_paused = true)]
async fn options_of_every_resource_are_those_it_has() {
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        for (path, document) in walk(&client).await {
            let options = client.send(Method::OPTIONS, &path, "").await;
            assert_eq!((options.status, options.text.as_str()), (204, ""), "{path}");
            let refused = client.send(Method::PUT, &path, "{}").await;
            assert_eq!(options.header("allow"), refused.header("allow"), "{path}");
            for (_, action) in document["Actions"].as_object().into_iter().flatten() {
                let target = action["target"].as_str().expect("a target");
                let options = client.send(Method::OPTIONS, target, "").await;
                assert_eq!(options.header("allow"), "POST", "{target}");
            }
        }
        assert_eq!(
            client.send(Method::OPTIONS, "/redfish/v1/Nothing", "").await.status,
            404
        );
        let stream = client.send(Method::OPTIONS, "/redfish/v1/EventService/SSE", "").await;
        assert_eq!(stream.header("allow"), "GET", "and nobody is subscribed");
        let subscriptions = client.get("/redfish/v1/EventService/Subscriptions").await.body;
        assert_eq!(subscriptions["Members@odata.count"], 0);
    }
}
