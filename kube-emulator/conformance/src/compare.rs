//! Two answers, place by place.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// One place where two answers differ; nothing is there where a side has `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `3 body/message`: the number of the exchange and the way down.
    pub place: String,
    pub real: Option<Value>,
    pub emulated: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |side: &Option<Value>| side.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(
            f,
            "{}: {} there, {} here",
            self.place,
            shown(&self.real),
            shown(&self.emulated)
        )
    }
}

/// Every place where the exchanges of a check differ, in their order. The order of an object's fields says nothing.
pub fn exchanges(real: &[Value], emulated: &[Value]) -> Vec<Difference> {
    let mut found = Vec::new();
    for index in 0..real.len().max(emulated.len()) {
        let place = (index + 1).to_string();
        let (one, other) = (real.get(index), emulated.get(index));
        match (status(one), status(other)) {
            // Two answers that have nothing in common: every other field says so again.
            (Some(real), Some(emulated)) if real["status"] != emulated["status"] => found.push(Difference {
                place: format!("{place} status"),
                real: Some(real),
                emulated: Some(emulated),
            }),
            _ => differ(&place, one, other, true, &mut found),
        }
    }
    found
}

/// The status of an answer, and what a failure says.
fn status(exchange: Option<&Value>) -> Option<Value> {
    let exchange = exchange?;
    let mut status = Map::new();
    status.insert("status".to_owned(), exchange.get("status")?.clone());
    if let Some(message) = exchange.pointer("/body/message") {
        status.insert("message".to_owned(), message.clone());
    }
    Some(Value::Object(status))
}

fn differ(place: &str, real: Option<&Value>, emulated: Option<&Value>, top: bool, found: &mut Vec<Difference>) {
    let below = |name: &str| format!("{place}{}{}", if top { " " } else { "/" }, name.replace('/', "~1"));
    match (real, emulated) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            // In one order, whatever order a server writes them in.
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                differ(&below(name), one.get(name), other.get(name), false, found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                differ(
                    &below(&index.to_string()),
                    one.get(index),
                    other.get(index),
                    false,
                    found,
                );
            }
        }
        (one, other) if one == other => {}
        (one, other) => found.push(Difference {
            place: place.to_owned(),
            real: one.cloned(),
            emulated: other.cloned(),
        }),
    }
}

/// What is at some places of an answer. A place is a JSON pointer; a segment `[name=value]` is the first element of a list with that field,
/// `[]` leaves a list's elements to the rest of the way.
pub fn pick(answer: &Value, places: &[String]) -> Value {
    let picked: Map<String, Value> = places
        .iter()
        .map(|place| {
            let segments: Vec<&str> = place.split('/').filter(|segment| !segment.is_empty()).collect();
            (place.clone(), at(answer, &segments).unwrap_or(Value::Null))
        })
        .collect();
    Value::Object(picked)
}

fn at(value: &Value, segments: &[&str]) -> Option<Value> {
    let Some((segment, rest)) = segments.split_first() else {
        return Some(value.clone());
    };
    let Some(filter) = segment.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) else {
        return at(child(value, segment)?, rest);
    };
    let list = value.as_array()?;
    let Some((name, wanted)) = filter.split_once('=') else {
        let all = list.iter().map(|element| at(element, rest).unwrap_or(Value::Null));
        return Some(Value::Array(all.collect()));
    };
    let wanted = wanted.replace("~1", "/");
    let holds = |element: &&Value| {
        let mut value = Some(*element);
        for part in name.split('.') {
            value = value.and_then(|value| value.get(part));
        }
        value == Some(&Value::from(wanted.as_str()))
    };
    at(list.iter().find(holds)?, rest)
}

fn child<'a>(value: &'a Value, segment: &str) -> Option<&'a Value> {
    let name = segment.replace("~1", "/").replace("~0", "~");
    match value {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    }
}

/// Takes what is at a place out of an answer.
pub(crate) fn remove(answer: &mut Value, place: &str) {
    let Some((parent, name)) = place.rsplit_once('/') else {
        return;
    };
    match answer.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.shift_remove(name);
        }
        Some(Value::Array(list)) if name == "*" => list.clear(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_is_found_and_the_order_of_fields_says_nothing() {
        let real = [
            json!({"status": 200, "body": {"a": 1, "b": [1, 2]}}),
            json!({"status": 404}),
        ];
        let same = [
            json!({"body": {"b": [1, 2], "a": 1}, "status": 200}),
            json!({"status": 404}),
        ];
        assert_eq!(exchanges(&real, &same), []);
        let other = [
            json!({"status": 200, "body": {"a": 1, "b": [1], "c": null}}),
            json!({"status": 403}),
        ];
        let places: Vec<String> = exchanges(&real, &other).into_iter().map(|found| found.place).collect();
        assert_eq!(places, ["1 body/b/1", "1 body/c", "2 status"]);
    }

    #[test]
    fn places_are_picked() {
        let answer = json!({"groups": [{"name": "a", "v": {"w": 1}}, {"name": "b", "v": {"w": 2}}]});
        let places = ["/groups/[name=b]/v/w", "/groups/[]/name", "/groups/0/v", "/x"].map(str::to_owned);
        assert_eq!(
            pick(&answer, &places),
            json!({"/groups/[name=b]/v/w": 2, "/groups/[]/name": ["a", "b"], "/groups/0/v": {"w": 1}, "/x": null})
        );
    }
}
