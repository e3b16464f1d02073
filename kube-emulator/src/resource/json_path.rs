//! The JSONPath subset of printer columns, scale and selectable fields: `.a.b`, `['a.b']`, `[0]`, `[*]`,
//! `[?(@.type=="Ready")]`, and `\.` in keys.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(i64),
    Every,
    /// Keeps the items whose field has this text.
    Filter {
        field: Vec<String>,
        text: String,
        equal: bool,
    },
}

/// A parsed path; the default one is the object itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner).ok_or_else(|| format!("unterminated array in {text:?}"))?;
                steps.push(bracket(&inner[..end])?);
                rest = &inner[end + 1..];
            } else {
                rest = rest.strip_prefix('.').unwrap_or(rest);
                if rest.is_empty() {
                    break;
                }
                if rest.starts_with('.') {
                    return Err(format!("recursive descent is not supported in {text:?}"));
                }
                let (key, after) = key(rest);
                rest = after;
                match key.as_str() {
                    "" => {}
                    "*" => steps.push(Step::Every),
                    _ => steps.push(Step::Key(key)),
                }
            }
        }
        Ok(Self(steps))
    }

    /// Every value the path leads to.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.apply(value)).collect();
        }
        found
    }

    /// The field names of a path without indices or filters.
    pub(crate) fn keys(&self) -> Option<Vec<&str>> {
        self.0
            .iter()
            .map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Step::Key(key) => value.get(key).into_iter().collect(),
            Step::Index(index) => {
                let Some(list) = value.as_array() else {
                    return Vec::new();
                };
                let index = if *index < 0 { *index + list.len() as i64 } else { *index };
                usize::try_from(index)
                    .ok()
                    .and_then(|index| list.get(index))
                    .into_iter()
                    .collect()
            }
            Step::Every => match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(object) => object.values().collect(),
                _ => Vec::new(),
            },
            Step::Filter { field, text, equal } => value
                .as_array()
                .into_iter()
                .flatten()
                .filter(|item| {
                    let found = field.iter().try_fold(*item, |value, key| value.get(key));
                    let same = found.is_some_and(|found| match found {
                        Value::String(found) => found == text,
                        Value::Bool(found) => text == if *found { "true" } else { "false" },
                        Value::Number(found) => text.parse::<f64>().ok() == found.as_f64(),
                        _ => false,
                    });
                    same == *equal
                })
                .collect(),
        }
    }
}

/// Position of the bracket that closes this one, quotes respected.
fn closing(inner: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in inner.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, ']') => return Some(index),
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Result<Step, String> {
    let inner = inner.trim();
    if inner == "*" {
        return Ok(Step::Every);
    }
    if let Some(condition) = inner.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (left, right, equal) = match (condition.split_once("=="), condition.split_once("!=")) {
            (Some((left, right)), _) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            (None, None) => return Err(format!("unrecognized filter {inner:?}")),
        };
        let field = left
            .trim()
            .strip_prefix('@')
            .ok_or_else(|| format!("unrecognized filter {inner:?}"))?;
        let field = plain_keys(field)?;
        return Ok(Step::Filter {
            field,
            text: unquote(right.trim()).to_owned(),
            equal,
        });
    }
    if let Ok(index) = inner.parse() {
        return Ok(Step::Index(index));
    }
    let unquoted = unquote(inner);
    if unquoted.len() == inner.len() {
        return Err(format!("invalid array index {inner}"));
    }
    Ok(Step::Key(unquoted.replace("\\.", ".")))
}

fn unquote(text: &str) -> &str {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)))
        .unwrap_or(text)
}

fn plain_keys(path: &str) -> Result<Vec<String>, String> {
    let path = JsonPath::parse(path)?;
    path.keys()
        .map(|keys| keys.into_iter().map(str::to_owned).collect())
        .ok_or_else(|| "nested filter".to_owned())
}

/// One key up to the next `.` or `[`, with `\.` unescaped.
fn key(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (key, &text[index..]),
            other => key.push(other),
        }
    }
    (key, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_printer_columns_ask_for() {
        let object = json!({
            "spec": {"power": "On", "list": [1, 2, 3]},
            "metadata": {"annotations": {"a.b/c": "x"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        let table = [
            (".spec.power", json!(["On"])),
            ("{.spec.power}", json!(["On"])),
            (".spec.list[0]", json!([1])),
            (".spec.list[-1]", json!([3])),
            (".spec.list[*]", json!([1, 2, 3])),
            (".metadata.annotations.a\\.b/c", json!(["x"])),
            (".metadata.annotations['a\\.b/c']", json!(["x"])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type=='Other')].status", json!(["False"])),
            (".spec.none", json!([])),
        ];
        for (path, expected) in table {
            assert_eq!(json!(JsonPath::parse(path).unwrap().find(&object)), expected, "{path}");
        }
        assert!(JsonPath::parse(".a[").is_err());
        assert!(JsonPath::parse(".a[b]").is_err());
    }
}
