//! S15: secret values stay where they belong.

use super::{Breach, Invariant, Scene};
use crate::engine::Secrets;
use crate::engine::world::ObjectKey;
use bmc_emulator::MachineTruth;
use kube_emulator::{Commit, CommitEvent};
use serde_json::Value;
use std::collections::BTreeMap;

/// Stateless: the scene knows the secrets.
pub struct Confidentiality;

impl Invariant for Confidentiality {
    fn name(&self) -> &'static str {
        "no secret value outside Secrets"
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        if commit.event == CommitEvent::Deleted || holds_secrets(&commit.kind) {
            return Vec::new();
        }
        let leak = leak(&commit.object, commit.previous.as_deref(), scene.secrets);
        leak.into_iter()
            .map(|leak| leak.breach(&ObjectKey::of(commit)))
            .collect()
    }

    fn line(&mut self, line: &str, scene: &Scene<'_>) -> Vec<Breach> {
        scene
            .secrets
            .find(line)
            .into_iter()
            .map(|origin| logged(origin, line, scene))
            .collect()
    }

    /// Once more with all secrets known: a value may have been shown before it was stored in a Secret.
    fn at_end(&mut self, scene: &Scene<'_>, _: &BTreeMap<String, MachineTruth>, lines: &[&str]) -> Vec<Breach> {
        let objects = scene
            .world
            .all()
            .filter(|(key, _)| !holds_secrets(&key.kind))
            .filter_map(|(key, object)| Some(leak(object, None, scene.secrets)?.breach(&key)));
        let logs = lines
            .iter()
            .filter_map(|line| Some(logged(scene.secrets.find(line)?, line, scene)));
        objects.chain(logs).collect()
    }
}

fn holds_secrets(kind: &str) -> bool {
    matches!(kind, "Secret" | "BMCSecret")
}

fn logged(origin: &str, line: &str, scene: &Scene<'_>) -> Breach {
    Breach::new(format!("{origin} was logged: {}", scene.secrets.redact(line)), [])
}

struct Leak {
    origin: String,
    pointer: String,
}

impl Leak {
    fn below(mut self, name: &str) -> Self {
        self.pointer.insert_str(0, name);
        self.pointer.insert(0, '/');
        self
    }

    fn breach(self, key: &ObjectKey) -> Breach {
        Breach::new(
            format!("{} stands in {} of {key}", self.origin, self.pointer),
            [key.to_string()],
        )
    }
}

/// The first secret in a text of `object` that was not in `previous` already, so that a change costs what it changes.
fn leak(object: &Value, previous: Option<&Value>, secrets: &Secrets) -> Option<Leak> {
    match object {
        Value::String(_) if previous == Some(object) => None,
        Value::String(text) => secrets.find(text).map(|origin| Leak {
            origin: origin.to_owned(),
            pointer: String::new(),
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let previous = previous.and_then(|previous| previous.get(index));
            Some(leak(item, previous, secrets)?.below(&index.to_string()))
        }),
        Value::Object(map) => {
            // One version of an object has the fields of another in the same order, mostly: none has to be looked up.
            let mut before = previous.and_then(Value::as_object).into_iter().flatten();
            map.iter().find_map(|(key, item)| {
                let previous = match before.next() {
                    Some((same, value)) if same == key => Some(value),
                    _ => previous.and_then(|previous| previous.get(key)),
                };
                // Field managers are names of fields, not values.
                if key == "managedFields" {
                    return None;
                }
                Some(leak(item, previous, secrets)?.below(key))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stage, server};
    use super::*;
    use serde_json::json;

    #[test]
    fn leaks_into_objects_and_logs() {
        let mut stage = Stage::default();
        stage.secrets.add("s3cr3t-pw!", "password of BMCSecret node-1");
        let mut invariant = Confidentiality;
        let mut put = |status| stage.put(&mut invariant, "Server", server("s1", "uuid-1", json!({}), status));
        assert_eq!(put(json!({"conditions": [{"message": "401 for admin"}]})), []);
        assert_eq!(
            put(json!({"conditions": [{"message": "401 for admin:s3cr3t-pw!"}]}))[0].message,
            "password of BMCSecret node-1 stands in /status/conditions/0/message of Server s1"
        );
        let scene = Scene {
            now: jiff::Timestamp::UNIX_EPOCH,
            world: &stage.world,
            secrets: &stage.secrets,
            truth: None,
        };
        let logged = Confidentiality.line("login as admin:s3cr3t-pw! failed", &scene);
        assert_eq!(
            logged[0].message,
            "password of BMCSecret node-1 was logged: login as admin:█████ failed"
        );
        assert_eq!(
            Confidentiality
                .at_end(&scene, &BTreeMap::new(), &["fine", "s3cr3t-pw!"])
                .len(),
            2
        );
    }

    #[test]
    fn a_secret_may_hold_it() {
        let mut stage = Stage::default();
        stage.secrets.add("s3cr3t-pw!", "a test");
        let object = json!({"metadata": {"name": "node-1"}, "stringData": {"password": "s3cr3t-pw!"}});
        assert_eq!(stage.put(&mut Confidentiality, "BMCSecret", object), []);
    }
}
