//! Label selectors in query form: `a=b,c!=d,e in (f,g),!h,i>5`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    DoesNotExist(String),
    GreaterThan(String, i64),
    LessThan(String, i64),
}

/// A parsed label selector; the default one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Errors are the server's: a requirement that is malformed says so, a rest that does not fit says what it found.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let mut requirements = Vec::new();
        parser.skip_space();
        while !parser.rest.is_empty() {
            requirements.push(
                parser
                    .requirement()
                    .map_err(|error| format!("unable to parse requirement: {error}"))?,
            );
            parser.skip_space();
            match parser.rest.strip_prefix(',') {
                Some(rest) => {
                    parser.rest = rest;
                    parser.skip_space();
                    if parser.rest.is_empty() {
                        return Err("found '', expected: identifier after ','".to_owned());
                    }
                }
                None if parser.rest.is_empty() => break,
                None => {
                    return Err(format!(
                        "found '{}', expected: ',' or 'end of string'",
                        parser.peek_word()
                    ));
                }
            }
        }
        Ok(Self(requirements))
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object
            .get("metadata")
            .and_then(|metadata| metadata.get("labels"))
            .and_then(Value::as_object);
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Requirement::In(key, values) => value(key).is_some_and(|value| values.contains(value)),
            // `!=` and `notin` also select objects without the key.
            Requirement::NotIn(key, values) => value(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::DoesNotExist(key) => value(key).is_none(),
            Requirement::GreaterThan(key, bound) => number(key).is_some_and(|number| number > *bound),
            Requirement::LessThan(key, bound) => number(key).is_some_and(|number| number < *bound),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn peek_word(&self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "=!,()<>".contains(c))
            .unwrap_or(self.rest.len());
        if end == 0 && !self.rest.is_empty() {
            let width = self.rest.chars().next().map_or(0, char::len_utf8);
            return &self.rest[..width];
        }
        &self.rest[..end]
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "=!,()<>".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn key(&mut self) -> Result<String, String> {
        let word = self.word();
        if word.is_empty() {
            return Err(format!("found '{}', expected: identifier", self.peek_word()));
        }
        Ok(word.to_owned())
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if let Some(rest) = self.rest.strip_prefix('!') {
            self.rest = rest;
            self.skip_space();
            return Ok(Requirement::DoesNotExist(self.key()?));
        }
        let key = self.key()?;
        self.skip_space();
        for (operator, negative) in [("==", false), ("!=", true), ("=", false)] {
            if let Some(rest) = self.rest.strip_prefix(operator) {
                self.rest = rest;
                self.skip_space();
                let values = BTreeSet::from([self.word().to_owned()]);
                return Ok(if negative {
                    Requirement::NotIn(key, values)
                } else {
                    Requirement::In(key, values)
                });
            }
        }
        if let Some(rest) = self.rest.strip_prefix('>') {
            self.rest = rest;
            return Ok(Requirement::GreaterThan(key, self.integer()?));
        }
        if let Some(rest) = self.rest.strip_prefix('<') {
            self.rest = rest;
            return Ok(Requirement::LessThan(key, self.integer()?));
        }
        match self.peek_word() {
            "in" => {
                self.word();
                Ok(Requirement::In(key, self.values()?))
            }
            "notin" => {
                self.word();
                Ok(Requirement::NotIn(key, self.values()?))
            }
            "" | "," => Ok(Requirement::Exists(key)),
            other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        self.skip_space();
        let word = self.word();
        word.parse()
            .map_err(|_| format!("for 'Gt', 'Lt' operators, the value must be an integer: {word:?}"))
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        self.skip_space();
        let Some(rest) = self.rest.strip_prefix('(') else {
            return Err(format!("found '{}', expected: '('", self.peek_word()));
        };
        let Some((list, rest)) = rest.split_once(')') else {
            return Err("found '', expected: ',' or ')'".to_owned());
        };
        self.rest = rest;
        Ok(list.split(',').map(|value| value.trim().to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_as_the_server_does() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "1", "empty": ""}}});
        let bare = json!({"metadata": {}});
        // (selector, matches the labelled object, matches the bare object)
        let table = [
            ("", true, true),
            ("app=web", true, false),
            ("app==web", true, false),
            ("app!=web", false, true),
            ("app!=db", true, true),
            ("app in (web, db)", true, false),
            ("app notin (db)", true, true),
            ("app notin (web)", false, true),
            ("app in ()", false, false),
            ("empty in ()", true, false),
            ("app", true, false),
            ("!app", false, true),
            ("! app", false, true),
            ("tier>0", true, false),
            ("tier<1", false, false),
            ("app=web,tier=1", true, false),
            ("app=web,tier=2", false, false),
            ("app in (a,web),!nope,tier", true, false),
            ("empty=", true, false),
        ];
        for (text, labelled, unlabelled) in table {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(&object), labelled, "{text} on labelled");
            assert_eq!(selector.matches(&bare), unlabelled, "{text} on bare");
        }
    }

    #[test]
    fn malformed_selectors_are_refused() {
        for text in ["=", "a in", "a in (b", "a b", "a=b,", ",a", "a>x", "!"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
