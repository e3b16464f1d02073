//! Printer columns: what `kubectl get` shows.

use serde_json::{Value, json};

use super::json_path::JsonPath;

/// Where the content of a cell comes from.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Path(JsonPath),
    /// How many entries these collections have together.
    Count(&'static [&'static str]),
    /// How long ago the event was last seen.
    EventLastSeen,
    /// Time since creation.
    Age,
    /// `kind/name` of the event's object.
    EventObject,
}

impl Cell {
    /// A path written in this program.
    pub(crate) fn path(path: &'static str) -> Self {
        Cell::Path(JsonPath::parse(path).unwrap_or_default())
    }
}

/// A column of a Table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// OpenAPI type of the cells; `date` cells are shown as an age.
    pub(crate) column_type: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// 0 is always shown, more only in wide output.
    pub(crate) priority: i64,
    pub(crate) cell: Cell,
    /// Dates as they are, not as an age.
    pub(super) verbatim: bool,
}

/// The documentation of `metadata.name`, as every table has it.
const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow \
    a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and \
    configuration definition. Cannot be updated. More info: \
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

impl Column {
    pub(crate) fn new(name: &str, column_type: &str, cell: Cell) -> Self {
        Self {
            name: name.to_owned(),
            column_type: column_type.to_owned(),
            format: String::new(),
            description: name.to_owned(),
            priority: 0,
            cell,
            verbatim: false,
        }
    }

    pub(crate) fn name() -> Self {
        let column = Self::new("Name", "string", Cell::path(".metadata.name"));
        Self {
            format: "name".to_owned(),
            description: NAME_DESCRIPTION.to_owned(),
            ..column
        }
    }

    /// The age of a built-in kind, a text made by the server.
    pub(crate) fn age() -> Self {
        let column = Self::new("Age", "string", Cell::Age);
        Self {
            description: "Time since the object was created.".to_owned(),
            ..column
        }
    }

    /// The age of a custom resource that declares no columns, a date.
    pub(crate) fn created() -> Self {
        Self {
            column_type: "date".to_owned(),
            ..Self::age()
        }
    }

    pub(crate) fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    pub(crate) fn verbatim(self) -> Self {
        Self { verbatim: true, ..self }
    }

    pub(crate) fn definition(&self) -> Value {
        json!({"name": self.name, "type": self.column_type,
               "format": self.format, "description": self.description, "priority": self.priority})
    }

    /// The cell of this column for an object, at `now`.
    pub(crate) fn render(&self, object: &Value, now: jiff::Timestamp) -> Value {
        match &self.cell {
            Cell::Path(path) => self.render_path(path, object, now),
            Cell::Count(fields) => {
                let count = |field: &str| match object.get(field) {
                    Some(Value::Object(map)) => map.len(),
                    Some(Value::Array(list)) => list.len(),
                    _ => 0,
                };
                json!(fields.iter().map(|field| count(field)).sum::<usize>())
            }
            Cell::EventLastSeen => {
                let seen = [
                    "/series/lastObservedTime",
                    "/lastTimestamp",
                    "/eventTime",
                    "/firstTimestamp",
                ];
                let seen = seen
                    .iter()
                    .find_map(|path| object.pointer(path).and_then(Value::as_str));
                json!(
                    seen.and_then(|seen| age(seen, now))
                        .unwrap_or_else(|| "<unknown>".to_owned())
                )
            }
            Cell::Age => {
                let created = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
                json!(
                    created
                        .and_then(|created| age(created, now))
                        .unwrap_or_else(|| "<unknown>".to_owned())
                )
            }
            Cell::EventObject => {
                let part = |name| {
                    object["involvedObject"]
                        .get(name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                json!(format!("{}/{}", part("kind").to_lowercase(), part("name")))
            }
        }
    }

    fn render_path(&self, path: &JsonPath, object: &Value, now: jiff::Timestamp) -> Value {
        let found = path.find(object);
        let Some(first) = found.first() else { return Value::Null };
        match self.column_type.as_str() {
            "date" if !self.verbatim => {
                let text = first.as_str().unwrap_or_default();
                json!(age(text, now).unwrap_or_else(|| "<invalid>".to_owned()))
            }
            "integer" => first.as_i64().map_or(Value::Null, Value::from),
            "number" => first.as_f64().map_or(Value::Null, Value::from),
            "boolean" => first.as_bool().map_or(Value::Null, Value::from),
            _ if found.len() > 1 => json!(found.iter().map(|value| plain(value)).collect::<Vec<_>>().join(",")),
            _ if first.is_null() => Value::Null,
            _ => json!(plain(first)),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn age(at: &str, now: jiff::Timestamp) -> Option<String> {
    let at: jiff::Timestamp = at.parse().ok()?;
    Some(human_duration(now.as_second() - at.as_second()))
}

/// `k8s.io/apimachinery/pkg/util/duration.HumanDuration`: two units at most, coarser with age.
fn human_duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    match seconds {
        s if s < 120 => format!("{s}s"),
        s if s < 600 => two(minutes, "m", s % 60, "s"),
        s if s < 3 * 3600 => format!("{minutes}m"),
        s if s < 8 * 3600 => two(hours, "h", minutes % 60, "m"),
        s if s < 48 * 3600 => format!("{hours}h"),
        s if s < 8 * 86400 => two(days, "d", hours % 24, "h"),
        s if s < 2 * 365 * 86400 => format!("{days}d"),
        s if s < 8 * 365 * 86400 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_shows_them() {
        let table = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (499, "8m19s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (50 * 3600, "2d2h"),
            (9 * 86400, "9d"),
            (800 * 86400, "2y70d"),
        ];
        for (seconds, text) in table {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }
}
