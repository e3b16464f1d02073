//! What resources say about their actions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::conformance::{FLEET, personalities, walk};
use crate::support::Run;

/// `AllowableValues` and `ActionInfo` are about the same parameters, and say the same.
#[tokio::test(start_paused = true)]
async fn action_info_agrees_with_the_allowable_values() {
    let mut with_info = BTreeMap::new();
    for name in personalities() {
        let run = Run::new(FLEET);
        let client = run.client(&name);
        let documents = walk(&client).await;
        let mut known = Vec::new();
        for document in documents.values() {
            for (action, offer) in document["Actions"].as_object().into_iter().flatten() {
                let Some(uri) = offer["@Redfish.ActionInfo"].as_str() else {
                    continue;
                };
                known.push(action.trim_start_matches('#').to_owned());
                for parameter in documents[uri]["Parameters"].as_array().expect("parameters") {
                    let annotation = format!(
                        "{}@Redfish.AllowableValues",
                        parameter["Name"].as_str().expect("a name")
                    );
                    let values = parameter.get("AllowableValues").unwrap_or(&Value::Null);
                    assert_eq!(offer.get(&annotation).unwrap_or(&Value::Null), values, "{uri}");
                }
            }
        }
        with_info.insert(name, known);
    }
    insta::assert_json_snapshot!(with_info);
}
