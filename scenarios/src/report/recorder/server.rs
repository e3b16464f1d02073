//! What happened to one Server object.

use super::Redact;
use super::lane::{Markers, Spans};
use crate::report::model::{ClaimSpan, Millis, StateSpan};
use serde_json::Value;
use std::collections::BTreeMap;

/// Shown before the operator has written a state.
const NO_STATE: &str = "Unknown";

#[derive(Clone, Debug, Default)]
pub(super) struct ServerLane {
    pub(super) machine: Option<String>,
    pub(super) markers: Markers,
    states: Spans<State>,
    claims: Spans<Holder>,
}

#[derive(Clone, Debug)]
struct State {
    name: String,
    reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    claim: String,
    uid: Option<String>,
    epoch: Option<i64>,
}

impl ServerLane {
    pub(super) fn changed(
        &mut self,
        at: Millis,
        server: &Value,
        machines: &BTreeMap<String, String>,
        redact: Redact<'_>,
    ) {
        if let Some(uuid) = text(server, "/spec/systemUUID")
            && let Some(machine) = machines.get(&uuid.to_lowercase())
        {
            self.machine = Some(machine.clone());
        }
        let name = text(server, "/status/state").unwrap_or(NO_STATE);
        let reason = reason(server).map(|reason| redact(&reason));
        match self.states.current() {
            Some(state) if state.name == name => state.reason = reason.or_else(|| state.reason.take()),
            _ => self.states.begin(
                at,
                State {
                    name: name.to_owned(),
                    reason,
                },
            ),
        }
        let holder = holder(server);
        match (self.claims.current(), &holder) {
            // Who holds a server is decided by UID. One that is filled in later names the same holder.
            (Some(now), Some(new)) if now.claim == new.claim && (now.uid == new.uid || now.uid.is_none()) => {
                now.uid.clone_from(&new.uid);
            }
            (_, Some(_)) => self.claims.begin(at, holder.expect("matched")),
            (_, None) => self.claims.end(at),
        }
    }

    pub(super) fn deleted(&mut self, at: Millis) {
        self.states.end(at);
        self.claims.end(at);
    }

    pub(super) fn states(&self, end: Millis) -> Vec<StateSpan> {
        self.states
            .until(end)
            .map(|(state, from, to)| StateSpan {
                state: state.name.clone(),
                from,
                to,
                reason: state.reason.clone(),
            })
            .collect()
    }

    pub(super) fn claims(&self, end: Millis) -> Vec<ClaimSpan> {
        self.claims
            .until(end)
            .map(|(holder, from, to)| ClaimSpan {
                claim: holder.claim.clone(),
                epoch: holder.epoch,
                from,
                to,
            })
            .collect()
    }
}

fn holder(server: &Value) -> Option<Holder> {
    let claim = server.pointer("/spec/serverClaimRef")?;
    let name = text(claim, "/name")?;
    Some(Holder {
        claim: text(claim, "/namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}")),
        uid: text(claim, "/uid").map(str::to_owned),
        epoch: server.pointer("/spec/tenancyEpoch").and_then(Value::as_i64),
    })
}

/// Why the Server is as it is, in its own words: what a failed cleanup says, or else the condition that changed last.
fn reason(server: &Value) -> Option<String> {
    let state = text(server, "/status/state");
    if matches!(state, Some("Cleanup" | "Error"))
        && let Some(cleanup) = server.pointer("/status/cleanup")
        && let Some(message) = text(cleanup, "/message")
    {
        return Some(message.to_owned());
    }
    let conditions = server.pointer("/status/conditions")?.as_array()?;
    let latest = conditions
        .iter()
        .max_by_key(|condition| text(condition, "/lastTransitionTime").unwrap_or_default())?;
    let field = |name: &str| latest.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = field("message");
    let separator = if message.is_empty() { "" } else { ": " };
    Some(format!(
        "{}={} ({}){separator}{message}",
        field("type"),
        field("status"),
        field("reason")
    ))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}
