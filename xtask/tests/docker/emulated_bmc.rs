//! What a Redfish client does with a BMC.

use super::{LOOK_AGAIN, PATIENCE};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use tokio::time::timeout;

/// A tree that is smaller is not one of a server.
const SMALLEST_TREE: usize = 50;

pub(crate) struct Client {
    http: reqwest::Client,
    bmc: String,
    admin: String,
}

impl Client {
    /// Trusts `authority` only.
    pub(crate) fn new(bmc: SocketAddr, admin: SocketAddr, authority: &[u8]) -> Self {
        let authority = reqwest::Certificate::from_pem(authority).expect("a certificate");
        let http = reqwest::Client::builder().tls_certs_only([authority]).build();
        Self {
            http: http.expect("a client"),
            bmc: format!("https://{bmc}"),
            admin: format!("http://{admin}"),
        }
    }

    /// Every resource that is linked from the service root answers.
    pub(crate) async fn walk(&self) {
        let mut waiting = VecDeque::from(["/redfish/v1/".to_owned()]);
        let mut known: BTreeSet<String> = waiting.iter().cloned().collect();
        while let Some(path) = waiting.pop_front() {
            let document = self.get(&path).await;
            let mut links = BTreeSet::new();
            collect(&document, &mut links);
            waiting.extend(links.into_iter().filter(|link| known.insert(link.clone())));
        }
        assert!(known.len() >= SMALLEST_TREE, "only {known:?}");
    }

    /// On, and off again, by Redfish; what is really the case, by the admin API.
    pub(crate) async fn power_cycle(&self) {
        let systems = self.get("/redfish/v1/Systems").await;
        let system = systems["Members"][0]["@odata.id"]
            .as_str()
            .expect("a system")
            .to_owned();
        let target = self.get(&system).await["Actions"]["#ComputerSystem.Reset"]["target"].clone();
        for (reset, state) in [("On", "On"), ("ForceOff", "Off")] {
            let url = format!("{}{}", self.bmc, target.as_str().expect("an action"));
            let request = self.http.post(url).basic_auth("admin", Some("not-a-secret"));
            let answer = request
                .header("Content-Type", "application/json")
                .body(json!({ "ResetType": reset }).to_string())
                .send()
                .await
                .expect("an answer");
            assert!(answer.status().is_success(), "{reset}: {answer:?}");
            let became = async {
                while self.get(&system).await["PowerState"] != state {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            };
            timeout(PATIENCE, became)
                .await
                .unwrap_or_else(|_| panic!("{reset} has no effect"));
            let truth = self
                .http
                .get(format!("{}/machines/node", self.admin))
                .bearer_auth("not-a-secret-either");
            let truth = document(truth.send().await.expect("an answer")).await;
            assert_eq!(truth["powerState"], state, "{truth:#}");
        }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.bmc));
        let answer = request
            .basic_auth("admin", Some("not-a-secret"))
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        document(answer).await
    }
}

async fn document(answer: reqwest::Response) -> Value {
    let text = answer.text().await.expect("a text");
    serde_json::from_str(&text).expect("a document")
}

/// Links to other resources of the tree.
fn collect(document: &Value, links: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => {
            if let Some(link) = fields.get("@odata.id").and_then(Value::as_str) {
                // Parts of documents are in documents that are linked, too.
                links.extend(link.split('#').next().map(str::to_owned));
            }
            fields.values().for_each(|value| collect(value, links));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, links)),
        _ => {}
    }
}
