//! A watch that is being read: one JSON document per line.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

/// How long a watch may keep its reader waiting for events that are expected.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open watch.
pub(crate) struct Stream {
    response: Response,
    /// What has come of a line that is not complete.
    rest: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(response: Response) -> Self {
        Self {
            response,
            rest: Vec::new(),
        }
    }

    /// The next events: so many, or all until the end. The last element says so if fewer came.
    pub(crate) async fn events(&mut self, wanted: Option<usize>) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        loop {
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                if wanted == Some(events.len()) {
                    return events;
                }
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                events.push(event(&line));
            }
            if wanted == Some(events.len()) {
                return events;
            }
            match timeout_at(deadline, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.rest.extend_from_slice(&chunk),
                Ok(Ok(None)) => {
                    events.push(json!("end"));
                    return events;
                }
                Ok(Err(_)) => {
                    events.push(json!("broken"));
                    return events;
                }
                Err(_) => {
                    events.push(json!("nothing more"));
                    return events;
                }
            }
        }
    }
}

fn event(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap_or_else(|_| json!(String::from_utf8_lossy(line)))
}
