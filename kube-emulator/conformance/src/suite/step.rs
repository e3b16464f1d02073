//! One request, or what else a check does.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value};

/// What a step does, and how its answer is read.
#[derive(Debug)]
pub struct Step {
    pub action: Action,
    pub options: Options,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    /// `POST /api/v1/namespaces: {…}`. A text is sent as it stands, everything else as JSON.
    Request { verb: Verb, path: String, body: Value },
    /// `COLLECT name`: events of a watch that an earlier step has left open.
    Collect { stream: String },
    /// `SLEEP milliseconds`
    Sleep { milliseconds: u64 },
}

/// HTTP's methods, and patches and watches by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
    Merge,
    Json,
    Strategic,
    Apply,
    Watch,
}

const VERBS: [(&str, Verb); 12] = [
    ("GET", Verb::Get),
    ("HEAD", Verb::Head),
    ("OPTIONS", Verb::Options),
    ("POST", Verb::Post),
    ("PUT", Verb::Put),
    ("PATCH", Verb::Patch),
    ("DELETE", Verb::Delete),
    ("MERGE", Verb::Merge),
    ("JSON", Verb::Json),
    ("STRATEGIC", Verb::Strategic),
    ("APPLY", Verb::Apply),
    ("WATCH", Verb::Watch),
];

impl Verb {
    pub fn method(self) -> http::Method {
        match self {
            Self::Get | Self::Watch => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Options => http::Method::OPTIONS,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Delete => http::Method::DELETE,
            Self::Patch | Self::Merge | Self::Json | Self::Strategic | Self::Apply => http::Method::PATCH,
        }
    }

    /// The type of a body, unless a header says otherwise.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
            _ => "application/json",
        }
    }
}

/// Who sends a request.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Identity {
    /// Whom the kubeconfig names: may do everything.
    #[default]
    Admin,
    /// Nobody.
    Anonymous,
    /// A bearer token, usually a variable.
    Token(String),
    /// The administrator, pretending to be somebody.
    User(String),
}

/// How a step is sent and read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, rename = "as")]
    pub identity: Identity,
    /// Variables for later steps: name and JSON pointer into the answer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// The request is repeated until its answer has these values; `null` means absent, the pointer `status` the HTTP status.
    #[serde(default)]
    pub until: BTreeMap<String, Value>,
    /// Only these places of the answer are written down (see [`crate::compare::pick`]).
    #[serde(default)]
    pub pick: Vec<String>,
    /// These places of the answer are not written down.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Preparation: only a failure is written down.
    #[serde(default)]
    pub quiet: bool,
    /// How many events of a watch are waited for; without it, all until its end.
    #[serde(default)]
    pub events: Option<usize>,
    /// A watch of this name stays open.
    #[serde(default)]
    pub stream: Option<String>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (text, body, options) = match Value::deserialize(deserializer)? {
            Value::String(text) => (text, Value::Null, Map::new()),
            Value::Object(mut object) => {
                let upper = |name: &&String| name.starts_with(|first: char| first.is_ascii_uppercase());
                let text = object
                    .keys()
                    .find(upper)
                    .cloned()
                    .ok_or_else(|| D::Error::custom("no request, such as `GET /api`"))?;
                let body = object.shift_remove(&text).unwrap_or_default();
                (text, body, object)
            }
            _ => return Err(D::Error::custom("a step is a request, such as `GET /api`")),
        };
        let options = Options::deserialize(Value::Object(options)).map_err(D::Error::custom)?;
        Ok(Self {
            action: action(&text, body).map_err(D::Error::custom)?,
            options,
        })
    }
}

fn action(text: &str, body: Value) -> Result<Action, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim().to_owned();
    match word {
        "COLLECT" => return Ok(Action::Collect { stream: rest }),
        "SLEEP" => {
            let milliseconds = rest
                .parse()
                .map_err(|_| format!("{rest:?} is no number of milliseconds"))?;
            return Ok(Action::Sleep { milliseconds });
        }
        _ => {}
    }
    let Some((_, verb)) = VERBS.iter().find(|(name, _)| *name == word) else {
        let names: Vec<&str> = VERBS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "{text:?} starts with none of {}, COLLECT, SLEEP",
            names.join(", ")
        ));
    };
    if !rest.starts_with('/') {
        return Err(format!("{text:?} has no path"));
    }
    Ok(Action::Request {
        verb: *verb,
        path: rest,
        body,
    })
}
