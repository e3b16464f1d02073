//! Plays checks against a cluster, and writes down what it answered.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use futures::StreamExt as _;
use regex::{Captures, Regex};
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::compare;
use crate::connection::{Connection, ConnectionError, Outgoing};
use crate::normalise;
use crate::suite::{Action, Check, Identity, Options, Step, Suite, Verb};
use crate::watch::Stream;

/// How long a cluster may take to get where a step waits for.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(40);
/// The headers of an answer that clients act upon.
const HEADERS: [&str; 6] = [
    "content-type",
    "cache-control",
    "warning",
    "retry-after",
    "etag",
    "vary",
];

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| match Regex::new(r"\$([a-z][a-z0-9_]*)") {
    Ok(regex) => regex,
    Err(error) => panic!("{error}"),
});

/// Why the suite could not be played; a wrong answer is none of it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("${0} is not known here: an earlier step has to save it")]
    Variable(String),
    #[error("no watch named {0:?} is open")]
    Stream(String),
    #[error(
        "the cluster has {0} already, which the suite would use and delete; delete it if it is of an earlier run, or take another cluster"
    )]
    Taken(String),
    #[error("{what} was refused: {answer}")]
    Refused { what: String, answer: Value },
    #[error("check {check}, step {step}: {source}")]
    Step {
        check: String,
        step: usize,
        source: Box<RunError>,
    },
}

/// The exchanges of every check, by topic and name.
pub type Answers = BTreeMap<String, BTreeMap<String, Vec<Value>>>;

/// Plays all checks, so many at a time.
///
/// # Errors
/// The cluster does not answer, or a check makes no sense.
pub async fn play(connection: &Connection, suite: &Suite, at_a_time: usize) -> Result<Answers, RunError> {
    for definition in &suite.definitions {
        define(connection, definition).await?;
    }
    let checks = suite
        .topics
        .iter()
        .flat_map(|(topic, content)| content.checks.iter().map(move |check| (topic, check)));
    let mut played = futures::stream::iter(checks)
        .map(|(topic, check)| async move { (topic, check, one(connection, check).await) })
        .buffer_unordered(at_a_time);
    let mut answers = Answers::new();
    while let Some((topic, check, exchanges)) = played.next().await {
        answers
            .entry(topic.clone())
            .or_default()
            .insert(check.name.clone(), exchanges?);
    }
    Ok(answers)
}

/// Refuses a cluster that has something under the names that the suite uses: it would be played upon, and taken away in the end.
///
/// # Errors
/// There is such a thing, or the cluster does not answer.
pub async fn ensure_unused(connection: &Connection, suite: &Suite) -> Result<(), RunError> {
    for path in paths(suite) {
        let (status, _) = ask(connection, Verb::Get, &path, None).await?;
        if status != 404 {
            return Err(RunError::Taken(path));
        }
    }
    Ok(())
}

/// What the suite makes that does not go with something else.
fn paths(suite: &Suite) -> impl Iterator<Item = String> {
    let definitions = suite.definitions.iter().map(|definition| {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    });
    let checks = suite.topics.values().flat_map(|topic| &topic.checks);
    definitions.chain(checks.map(|check| format!("/api/v1/namespaces/{}", namespace_of(check))))
}

/// Takes the kinds that checks share, and their namespaces, away again. Only for a cluster that was unused before. Clusters that are thrown away do not need it: hundreds of namespaces
/// that go at once keep a controller manager from everything else.
///
/// # Errors
/// The cluster does not answer.
pub async fn clean_up(connection: &Connection, suite: &Suite) -> Result<(), RunError> {
    for path in paths(suite) {
        ask(connection, Verb::Delete, &path, None).await?;
    }
    Ok(())
}

/// Creates a definition and waits until its kind is served.
async fn define(connection: &Connection, definition: &Value) -> Result<(), RunError> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (status, answer) = ask(connection, Verb::Post, path, Some(definition)).await?;
    if status != 201 && status != 409 {
        return Err(RunError::Refused {
            what: format!("the definition of {}", definition["metadata"]["name"]),
            answer,
        });
    }
    let text = |pointer: &str| {
        definition
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let objects = format!(
        "/apis/{}/{}/{}",
        text("/spec/group"),
        text("/spec/versions/0/name"),
        text("/spec/names/plural")
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = ask(connection, Verb::Get, &objects, None).await?;
        if status == 200 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(RunError::Refused {
                what: format!("a list of {objects}"),
                answer,
            });
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// A request of the runner's own.
async fn ask(
    connection: &Connection,
    verb: Verb,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), ConnectionError> {
    let outgoing = Outgoing {
        verb,
        path,
        headers: &BTreeMap::new(),
        identity: &Identity::Admin,
        body: body.map(Value::to_string),
    };
    let response = connection.send(outgoing).await?;
    let status = response.status().as_u16();
    let text = response.text().await.unwrap_or_default();
    Ok((status, serde_json::from_str(&text).unwrap_or_else(|_| json!(text))))
}

fn namespace_of(check: &Check) -> String {
    format!("c-{}", check.name)
}

/// Plays one check in a namespace of its own.
async fn one(connection: &Connection, check: &Check) -> Result<Vec<Value>, RunError> {
    let namespace = namespace_of(check);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let (status, answer) = ask(connection, Verb::Post, "/api/v1/namespaces", Some(&body)).await?;
    if status != 201 {
        let what = format!("namespace {namespace}");
        return Err(RunError::Refused { what, answer });
    }
    let mut play = Play {
        connection,
        variables: BTreeMap::from([
            ("ns".to_owned(), namespace.clone()),
            ("group".to_owned(), format!("{}.example.com", check.name)),
            ("id".to_owned(), check.name.clone()),
        ]),
        streams: BTreeMap::new(),
        exchanges: Vec::new(),
    };
    let outcome = play.steps(check, &check.steps).await;
    let exchanges = std::mem::take(&mut play.exchanges);
    let after = play.steps(check, &check.finally).await;
    outcome.and(after)?;
    Ok(normalise::exchanges(&format!("{check:?} {namespace}"), exchanges))
}

/// A check that is being played.
struct Play<'a> {
    connection: &'a Connection,
    variables: BTreeMap<String, String>,
    streams: BTreeMap<String, Stream>,
    exchanges: Vec<Value>,
}

impl Play<'_> {
    async fn steps(&mut self, check: &Check, steps: &[Step]) -> Result<(), RunError> {
        for (index, step) in steps.iter().enumerate() {
            self.step(step).await.map_err(|source| RunError::Step {
                check: check.name.clone(),
                step: index + 1,
                source: Box::new(source),
            })?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), RunError> {
        let options = &step.options;
        match &step.action {
            Action::Sleep { milliseconds } => sleep(Duration::from_millis(*milliseconds)).await,
            Action::Collect { stream } => {
                let open = self
                    .streams
                    .get_mut(stream)
                    .ok_or_else(|| RunError::Stream(stream.clone()))?;
                let events = open.events(options.events).await;
                self.note(
                    options,
                    json!({"request": format!("COLLECT {stream}"), "events": events}),
                );
            }
            Action::Request { verb, path, body } => {
                let deadline = Instant::now() + PATIENCE;
                loop {
                    let exchange = self.exchange(*verb, path, body, options).await?;
                    if holds(&exchange, &options.until) {
                        self.note(options, exchange);
                        break;
                    }
                    if Instant::now() > deadline {
                        let mut exchange = exchange;
                        exchange["waited"] = json!("in vain");
                        self.note(options, exchange);
                        break;
                    }
                    sleep(LOOK_AGAIN).await;
                }
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, verb: Verb, path: &str, body: &Value, options: &Options) -> Result<Value, RunError> {
        let request = format!("{} {path}", verb.method());
        let mut path = self.filled(path)?.replace(' ', "%20");
        if verb == Verb::Watch {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("watch=1");
        }
        let body = match body {
            Value::Null => None,
            Value::String(text) => Some(self.filled(text)?),
            other => Some(self.filled_in(other)?.to_string()),
        };
        let mut headers = BTreeMap::new();
        for (name, value) in &options.headers {
            headers.insert(name.to_lowercase(), self.filled(value)?);
        }
        let identity = match &options.identity {
            Identity::Token(token) => Identity::Token(self.filled(token)?),
            Identity::User(user) => Identity::User(self.filled(user)?),
            other => other.clone(),
        };
        let outgoing = Outgoing {
            verb,
            path: &path,
            headers: &headers,
            identity: &identity,
            body,
        };
        let response = self.connection.send(outgoing).await?;
        let mut exchange = Map::new();
        exchange.insert("request".to_owned(), json!(request));
        exchange.insert("status".to_owned(), json!(response.status().as_u16()));
        exchange.insert("headers".to_owned(), headers_of(response.headers()));
        if verb == Verb::Watch && response.status() == 200 {
            self.watch(response, options, &mut exchange).await;
        } else {
            let text = response.text().await.unwrap_or_default();
            let body = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
            for (variable, pointer) in &options.save {
                let saved = match body.pointer(pointer) {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                self.variables.insert(variable.clone(), saved);
            }
            exchange.insert("body".to_owned(), body);
        }
        Ok(Value::Object(exchange))
    }

    async fn watch(&mut self, response: Response, options: &Options, exchange: &mut Map<String, Value>) {
        let mut stream = Stream::new(response);
        if let Some(name) = &options.stream {
            if let Some(wanted) = options.events {
                exchange.insert("events".to_owned(), json!(stream.events(Some(wanted)).await));
            }
            self.streams.insert(name.clone(), stream);
            return;
        }
        exchange.insert("events".to_owned(), json!(stream.events(options.events).await));
    }

    /// Writes an exchange down, or what the step wants of it.
    fn note(&mut self, options: &Options, mut exchange: Value) {
        let failed = exchange["status"].as_u64().is_some_and(|status| status >= 400);
        if options.quiet && !failed && exchange.get("waited").is_none() {
            return;
        }
        for place in &options.ignore {
            compare::remove(&mut exchange, &format!("/body{place}"));
        }
        if !options.pick.is_empty() && !failed {
            let part = if exchange.get("events").is_some() {
                "events"
            } else {
                "body"
            };
            exchange[part] = compare::pick(&exchange[part], &options.pick);
        }
        self.exchanges.push(exchange);
    }

    fn filled(&self, text: &str) -> Result<String, RunError> {
        let mut unknown = None;
        let filled = VARIABLE.replace_all(text, |found: &Captures<'_>| {
            self.variables.get(&found[1]).cloned().unwrap_or_else(|| {
                unknown = Some(found[1].to_owned());
                String::new()
            })
        });
        match unknown {
            Some(name) => Err(RunError::Variable(name)),
            None => Ok(filled.into_owned()),
        }
    }

    /// Variables in texts; names of fields stay as they are, for patches have `$` in theirs.
    fn filled_in(&self, value: &Value) -> Result<Value, RunError> {
        Ok(match value {
            Value::String(text) => Value::String(self.filled(text)?),
            Value::Array(list) => list
                .iter()
                .map(|element| self.filled_in(element))
                .collect::<Result<_, _>>()?,
            Value::Object(object) => {
                let mut filled = Map::new();
                for (name, child) in object {
                    filled.insert(name.clone(), self.filled_in(child)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }
}

fn holds(exchange: &Value, until: &BTreeMap<String, Value>) -> bool {
    until.iter().all(|(pointer, wanted)| match pointer.as_str() {
        "status" => exchange["status"] == *wanted,
        pointer => compare::pick(&exchange["body"], &[pointer.to_owned()])[pointer] == *wanted,
    })
}

fn headers_of(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for name in HEADERS {
        let mut values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if name == "etag" && !values.is_empty() {
            values = vec!["<etag>"];
        }
        match values.as_slice() {
            [] => {}
            [one] => {
                shown.insert(name.to_owned(), json!(one));
            }
            many => {
                shown.insert(name.to_owned(), json!(many));
            }
        }
    }
    Value::Object(shown)
}
