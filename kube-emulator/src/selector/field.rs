//! Field selectors: `metadata.name=a,spec.x!=b`.

use std::borrow::Cow;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldRequirement {
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) equal: bool,
}

/// A parsed field selector; the default one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<FieldRequirement>);

impl FieldSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for term in split_terms(text).into_iter().filter(|term| !term.is_empty()) {
            let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = term.split_once("==") {
                (path, value, true)
            } else if let Some((path, value)) = term.split_once('=') {
                (path, value, true)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            requirements.push(FieldRequirement {
                path: path.to_owned(),
                value: unescape(value),
                equal,
            });
        }
        Ok(Self(requirements))
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn requirements(&self) -> &[FieldRequirement] {
        &self.0
    }

    /// The one name this selector allows, if it pins it: such lists and watches touch one object only.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|term| term.equal && term.path == "metadata.name")
            .map(|term| term.value.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|term| (lookup(object, &term.path) == term.value) == term.equal)
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// The text of the value at a dotted path; missing values read as `""`, as the server's field sets do.
pub(crate) fn lookup<'a>(object: &'a Value, path: &str) -> Cow<'a, str> {
    let mut current = object;
    for segment in path.trim_start_matches('.').split('.') {
        match current.get(segment) {
            Some(next) => current = next,
            None => return Cow::Borrowed(""),
        }
    }
    match current {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn field_selectors_compare_text_and_missing_is_empty() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"size": 3, "on": true}});
        let table = [
            ("metadata.name=a", true),
            ("metadata.name==a", true),
            ("metadata.name!=a", false),
            ("spec.size=3,spec.on=true", true),
            ("spec.none=", true),
            ("spec.none!=x", true),
            ("metadata.name=a,spec.size=4", false),
        ];
        for (text, expected) in table {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(&object), expected, "{text}");
        }
        assert_eq!(FieldSelector::parse("metadata.name=a").unwrap().name(), Some("a"));
        assert!(FieldSelector::parse("metadata.name").is_err());
    }
}
