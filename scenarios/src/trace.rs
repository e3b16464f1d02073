//! The trace of a run: everything that happened, one line each, and a hash over all of them. Two runs are the same if and only
//! if their hashes are.

use crate::edges::Clock;
use crate::testbed::WorldEvent;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Collects the lines of one run.
pub struct Trace {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    hash: Sha256,
    lines: u64,
    line: String,
    copy: Option<Box<dyn Write + Send>>,
}

impl Trace {
    /// An empty trace. Lines are also written to `copy`, for people who look for the first difference of two runs.
    #[must_use]
    pub fn new(clock: Clock, copy: Option<Box<dyn Write + Send>>) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                hash: Sha256::new(),
                lines: 0,
                line: String::new(),
                copy,
            }),
        }
    }

    /// One thing that happened in the world.
    pub fn event(&self, event: &WorldEvent) {
        let now = (self.clock)();
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let line = &mut state.line;
        line.clear();
        // Writing to a String cannot fail.
        let _ = write!(line, "{} ", now.as_microsecond());
        let _ = match event {
            WorldEvent::Kube(commit) => write!(
                line,
                "kube {:?} {} {}/{} {} by {} content {:016x}",
                commit.event,
                commit.resource,
                commit.namespace.as_deref().unwrap_or_default(),
                commit.name,
                commit.revision,
                commit.field_manager.as_deref().unwrap_or_default(),
                fold(&commit.object, OFFSET),
            ),
            WorldEvent::Machine(event) => write!(line, "machine {} {:?}", event.machine, event.kind),
            WorldEvent::Log { line: text } => write!(line, "log {text}"),
            WorldEvent::Operator(action) => write!(line, "operator {action:?}"),
            WorldEvent::Forbidden { request } => write!(line, "forbidden {request}"),
        };
        line.push('\n');
        state.hash.update(line.as_bytes());
        state.lines += 1;
        if let Some(copy) = &mut state.copy
            && copy.write_all(line.as_bytes()).is_err()
        {
            // A full disk must not change what happens; the copy ends here.
            state.copy = None;
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lines
    }

    /// 16 hexadecimal digits over all lines so far.
    pub fn hash(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        hex::encode(&state.hash.clone().finalize()[..8])
    }
}

/// FNV-1a's start value and multiplier for 64 bits.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// A digest of a document, cheaper than its text: objects are traced at every write.
fn fold(value: &Value, state: u64) -> u64 {
    let bytes = |state: u64, bytes: &[u8]| {
        bytes
            .iter()
            .fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(PRIME))
    };
    match value {
        Value::Null => bytes(state, b"0"),
        Value::Bool(truth) => bytes(state, if *truth { b"t" } else { b"f" }),
        Value::Number(number) => match number.as_u64() {
            Some(number) => bytes(bytes(state, b"n"), &number.to_le_bytes()),
            None => bytes(bytes(state, b"n"), number.to_string().as_bytes()),
        },
        Value::String(text) => bytes(bytes(state, text.as_bytes()), b"\""),
        Value::Array(items) => bytes(
            items.iter().fold(bytes(state, b"["), |state, item| fold(item, state)),
            b"]",
        ),
        Value::Object(fields) => {
            let all = fields.iter().fold(bytes(state, b"{"), |state, (key, value)| {
                fold(value, bytes(bytes(state, key.as_bytes()), b":"))
            });
            bytes(all, b"}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn every_line_counts() {
        let trace = || Trace::new(Arc::new(|| jiff::Timestamp::UNIX_EPOCH), None);
        let (one, two) = (trace(), trace());
        let log = |line: &str| WorldEvent::Log { line: line.to_owned() };
        one.event(&log("a"));
        two.event(&log("a"));
        assert_eq!(one.hash(), two.hash());
        assert_eq!(one.hash().len(), 16);
        one.event(&log("b"));
        two.event(&log("c"));
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.lines(), 2);
    }

    #[test]
    fn documents_differ_where_their_texts_do() {
        let all = [
            json!({}),
            json!([]),
            json!(null),
            json!(""),
            json!(0),
            json!(1),
            json!(-1),
            json!("1"),
            json!([1]),
            json!([[1]]),
            json!({"a": 1}),
            json!({"a": {"b": 1}}),
            json!({"a": [], "b": 1}),
        ];
        let folded: std::collections::BTreeSet<u64> = all.iter().map(|value| fold(value, OFFSET)).collect();
        assert_eq!(folded.len(), all.len());
    }
}
