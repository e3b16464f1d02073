//! Query parameters, as DSP0266 §7.3 defines them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conformance::FLEET;
use crate::support::{Client, Run};

const ROLES: &str = "/redfish/v1/AccountService/Roles";

fn ids(collection: &Value) -> Vec<&str> {
    let members = collection["Members"].as_array().expect("a collection");
    let uris = members.iter().filter_map(|member| member["@odata.id"].as_str());
    uris.filter_map(|uri| uri.rsplit('/').next()).collect()
}

#[tokio::test(start_paused = true)]
async fn members_are_filtered_and_paged() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let table: [(&str, usize, &[&str]); 6] = [
        ("$filter=Id+eq+'Operator'", 1, &["Operator"]),
        (
            "$filter=not%20(Id%20eq%20'Operator')",
            2,
            &["Administrator", "ReadOnly"],
        ),
        ("$skip=1", 3, &["Operator", "ReadOnly"]),
        ("$top=1&$skip=1", 3, &["Operator"]),
        ("$top=0", 3, &[]),
        ("$filter=IsPredefined eq true&$top=2", 3, &["Administrator", "Operator"]),
    ];
    for (query, count, expected) in table {
        let answer = client.get(&format!("{ROLES}?{}", query.replace(' ', "%20"))).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(answer.body["Members@odata.count"], count, "{query}");
        assert_eq!(ids(&answer.body), expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_one_member_takes_the_place_of_its_collection() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let system = client.get("/redfish/v1/Systems?only").await;
    assert_eq!(system.body["@odata.id"], "/redfish/v1/Systems/1");
    assert_eq!(system.header("etag"), system.body["@odata.etag"]);
    assert_eq!(ids(&client.get(&format!("{ROLES}?only")).await.body).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn links_are_expanded() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let root = client.get("/redfish/v1?$expand=.").await.body;
    assert_eq!(
        root["Systems"]["Members"][0],
        json!({ "@odata.id": "/redfish/v1/Systems/1" })
    );
    assert_eq!(root["Links"]["Sessions"].as_object().map(|link| link.len()), Some(1));
    let root = client.get("/redfish/v1?$expand=~").await.body;
    assert_eq!(root["Links"]["Sessions"]["Name"], "Sessions");
    assert!(root["Systems"]["Name"].is_null());
    let two = client.get("/redfish/v1?$expand=.($levels=2)").await.body;
    assert_eq!(two["Systems"]["Members"][0]["Id"], "1");
    let three = client.get("/redfish/v1?$expand=*($levels=3)").await;
    assert_eq!(three.body["Systems"]["Members"][0]["Bios"]["Id"], "Bios");
    assert_eq!(
        client.without_credentials().get("/redfish/v1?$expand=.").await.status,
        401
    );
}

/// An expanded answer is another representation: what says whether it is still current has to cover what is inside.
#[tokio::test(start_paused = true)]
async fn the_etag_of_an_expanded_answer_follows_its_members() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let uri = "/redfish/v1/Systems?$expand=.";
    let before = client.get(uri).await;
    let conditional = client.with("if-none-match", before.header("etag"));
    assert_eq!(conditional.get(uri).await.status, 304);
    client
        .patch("/redfish/v1/Systems/1", json!({ "AssetTag": "moved" }))
        .await;
    assert_eq!(conditional.get(uri).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn some_properties_are_selected() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let whole = client.get("/redfish/v1/Systems/1").await.body;
    let some = client
        .get("/redfish/v1/Systems/1?$select=PowerState,Status/Health")
        .await
        .body;
    let mut expected = json!({ "PowerState": "Off", "Status": { "Health": "OK" } });
    for name in ["@odata.id", "@odata.type", "@odata.etag"] {
        expected[name] = whole[name].clone();
    }
    assert_eq!(some, expected);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_refused() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    let table = [
        ("/redfish/v1/Systems?$apply=x", 501, "QueryParameterUnsupported"),
        ("/redfish/v1/Systems?only=yes", 400, "QueryParameterValueError"),
        ("/redfish/v1/Systems?only&$top=1", 400, "QueryCombinationInvalid"),
        ("/redfish/v1/Systems?$top=-1", 400, "QueryParameterValueError"),
        (
            "/redfish/v1/Systems?$expand=.($levels=99)",
            400,
            "QueryParameterValueError",
        ),
        ("/redfish/v1/Systems?$filter=Id", 400, "QueryParameterValueError"),
        ("/redfish/v1/Systems?$select=", 400, "QueryParameterValueError"),
        ("/redfish/v1/Systems/1?$top=1", 400, "QueryNotSupportedOnResource"),
        ("/redfish/v1/AccountService?only", 400, "QueryNotSupportedOnResource"),
    ];
    for (uri, status, message) in table {
        let answer = client.get(uri).await;
        assert_eq!((answer.status, answer.messages()), (status, vec![message]), "{uri}");
    }
    let patch = client
        .patch("/redfish/v1/Systems/1?$select=AssetTag", json!({ "AssetTag": "x" }))
        .await;
    assert_eq!(
        (patch.status, patch.messages()),
        (400, vec!["QueryNotSupportedOnOperation"])
    );
    assert_eq!(client.get("/redfish/v1/Systems?unknown=1").await.status, 200);
}

async fn statuses(client: &Client, query: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in ["/redfish/v1", ROLES, "/redfish/v1/Systems/1", "/redfish/v1/Registries"] {
        statuses.push(client.get(&format!("{path}?{query}")).await.status);
    }
    statuses
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for, the answer is what was asked for or says that it cannot be.
    #[test]
    fn no_query_breaks_the_service(
        parameters in proptest::collection::vec(
            (
                prop_oneof![Just("only"), Just("$filter"), Just("$select"), Just("$expand"), Just("$top"), Just("$skip"), Just("$x"), Just("x")],
                prop_oneof![
                    "[a-zA-Z0-9%/.,'()$=*~+ -]{0,20}".prop_map(|text| text.replace(' ', "%20")),
                    Just(".($levels=2)".to_owned()), Just("1".to_owned()), Just("Id%20eq%20'1'".to_owned()),
                ],
            ),
            0..4,
        )
    ) {
        let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let statuses = runtime.block_on(async { statuses(&Run::new(FLEET).client("generic"), &query).await });
        for status in statuses {
            prop_assert!(matches!(status, 200 | 400 | 501), "{query}: {status}");
        }
    }
}
