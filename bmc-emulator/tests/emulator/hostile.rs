//! Requests nobody should send: whatever comes, the service answers with what is wrong, and stays what it was.

use http::Method;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value};

use crate::conformance::{FLEET, personalities, populate, walk};
use crate::support::Run;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[A-Za-z@.]{0,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A request aimed at one of the resources and actions there are.
#[derive(Debug)]
struct Shot {
    personality: Index,
    target: Index,
    method: Method,
    /// One of the properties the resource has.
    property: Index,
    value: Value,
    whole_body: bool,
}

fn any_shot() -> impl Strategy<Value = Shot> {
    let method = prop_oneof![
        3 => Just(Method::PATCH), 3 => Just(Method::POST), 1 => Just(Method::DELETE), 1 => Just(Method::PUT),
    ];
    (
        any::<Index>(),
        any::<Index>(),
        method,
        any::<Index>(),
        any_json(),
        any::<bool>(),
    )
        .prop_map(|(personality, target, method, property, value, whole_body)| Shot {
            personality,
            target,
            method,
            property,
            value,
            whole_body,
        })
}

/// URIs of all actions in a document.
fn actions(document: &Value) -> Vec<String> {
    let actions = document["Actions"].as_object();
    let targets = actions.into_iter().flat_map(Map::values);
    targets
        .filter_map(|action| Some(action["target"].as_str()?.to_owned()))
        .collect()
}

async fn fire(shot: &Shot) -> (String, String, u16) {
    let names: Vec<String> = personalities().collect();
    let run = Run::new(FLEET);
    let name: &String = shot.personality.get(&names);
    let client = run.client(name);
    populate(&client).await;
    let documents = walk(&client).await;
    let mut targets: Vec<(String, &Value)> = documents
        .iter()
        .map(|(path, document)| (path.clone(), document))
        .collect();
    targets.extend(
        documents
            .values()
            .flat_map(|document| actions(document).into_iter().map(move |uri| (uri, document))),
    );
    let (uri, document) = shot.target.get(&targets);
    let body = if shot.whole_body {
        shot.value.clone()
    } else {
        let names: Vec<&String> = document.as_object().into_iter().flat_map(Map::keys).collect();
        let name = shot.property.get(&names).to_string();
        Value::Object([(name, shot.value.clone())].into_iter().collect())
    };
    let answer = client
        .with("if-match", "*")
        .send(shot.method.clone(), uri, &body.to_string())
        .await;
    (uri.clone(), answer.text, answer.status)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_body_breaks_the_service(shot in any_shot()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (uri, text, status) = runtime.block_on(fire(&shot));
        prop_assert!(status < 500, "{} {uri}: {status} {text}", shot.method);
        prop_assert!(status < 400 || text.contains("@Message.ExtendedInfo"), "{} {uri}: {status} says nothing", shot.method);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_too_deep_is_refused() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let system = "/redfish/v1/Systems/1";
    let large = format!("{{\"AssetTag\": \"{}\"}}", "x".repeat(300 * 1024));
    let answer = client.send(Method::PATCH, system, &large).await;
    assert_eq!((answer.status, answer.messages()), (413, vec!["PayloadTooLarge"]));
    let deep = format!("{{\"Boot\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let answer = client.send(Method::PATCH, system, &deep).await;
    assert_eq!((answer.status, answer.messages()), (400, vec!["MalformedJSON"]));
}

#[tokio::test(start_paused = true)]
async fn paths_may_be_short() {
    let run = Run::new(FLEET);
    for path in ["/", "/x", "/redfish", "//", "/redfish/v1/"] {
        for method in [Method::PATCH, Method::POST, Method::DELETE, Method::PUT] {
            let status = run.client("generic").send(method.clone(), path, "{}").await.status;
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
}
