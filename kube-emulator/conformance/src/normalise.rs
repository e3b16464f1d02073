//! What differs from run to run gets a name that does not: uids, times, revisions, generated names, tokens, addresses.
//!
//! Names are given in the order of first appearance within a check, revisions of objects in their own order: which ones are equal, and which
//! is newer, stays visible. What a check itself says is left as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

/// All patterns are constants: a wrong one fails every test.
macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| match Regex::new($pattern) {
            Ok(regex) => regex,
            Err(error) => panic!("{error}"),
        });
    };
}

pattern!(UUID, r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
pattern!(TIME, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$");
pattern!(MICRO_TIME, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$");
pattern!(AGE, r"^(\d+[smhdy])+$|^<invalid>$");
pattern!(TOKEN, r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+");
pattern!(ADDRESS, r"127\.0\.0\.1:\d+");
pattern!(HASH, r"\?hash=[0-9A-F]+");
pattern!(TIME_WITHIN, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ");
pattern!(
    REVISION_WITHIN,
    r#"(ResourceVersion in record \(|"resourceVersion\\?":\\?")\d+"#
);
pattern!(
    REVISIONS,
    r"(too old resource version: |Too large resource version: |current: )\d+( \(\d+\))?"
);

/// The names given in one check.
pub(crate) struct Names<'a> {
    /// Everything the check says.
    said: &'a str,
    uids: Vec<String>,
    /// Revisions of objects, in their order.
    revisions: Vec<u64>,
    /// Revisions of lists that were read page by page.
    pages: Vec<String>,
    generated: BTreeMap<String, String>,
}

/// Gives names in all exchanges of a check.
pub(crate) fn exchanges(said: &str, mut exchanges: Vec<Value>) -> Vec<Value> {
    let mut revisions = BTreeSet::new();
    let mut generated = BTreeMap::new();
    for exchange in &exchanges {
        collect(exchange, &mut revisions, &mut generated);
    }
    let mut names = Names {
        said,
        uids: Vec::new(),
        revisions: revisions.into_iter().collect(),
        pages: Vec::new(),
        generated,
    };
    for exchange in &mut exchanges {
        names.rename(exchange, Within::default());
    }
    exchanges
}

/// The field of a revision, also where it was picked out of its object.
fn is_revision(field: &str) -> bool {
    field == "resourceVersion" || field.ends_with("/metadata/resourceVersion")
}

/// Whether a revision is that of a list, a table or a bookmark: how far the server has come, whoever wrote.
fn is_of_collection(field: &str, beside: &Map<String, Value>) -> bool {
    field == "resourceVersion" && !beside.contains_key("name")
}

fn collect(value: &Value, revisions: &mut BTreeSet<u64>, generated: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            if let (Some(prefix), Some(name)) = (
                text("generateName").or(text("/metadata/generateName")),
                text("name").or(text("/metadata/name")),
            ) && let Some(base) = name.len().checked_sub(5).and_then(|end| name.get(..end))
                && prefix.starts_with(base)
            {
                let number = generated.len() + 1;
                generated
                    .entry(name.to_owned())
                    .or_insert_with(|| format!("{base}<generated {number}>"));
            }
            for (name, child) in object {
                match child.as_str().and_then(|text| text.parse().ok()) {
                    Some(revision) if is_revision(name) && !is_of_collection(name, object) => {
                        revisions.insert(revision);
                    }
                    _ => collect(child, revisions, generated),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|child| collect(child, revisions, generated)),
        _ => {}
    }
}

#[derive(Clone, Copy, Default)]
struct Within {
    pages: bool,
    cells: bool,
}

impl Names<'_> {
    fn rename(&mut self, value: &mut Value, within: Within) {
        match value {
            Value::Object(object) => self.rename_fields(object, within),
            Value::Array(list) => list.iter_mut().for_each(|child| self.rename(child, within)),
            Value::String(text) if !self.said_word(text) => *text = self.renamed(text, within.cells),
            _ => {}
        }
    }

    fn rename_fields(&mut self, object: &mut Map<String, Value>, within: Within) {
        let of_collection = is_of_collection("resourceVersion", object);
        let paged = object
            .get("continue")
            .and_then(Value::as_str)
            .is_some_and(|token| !token.is_empty());
        for (name, child) in object.iter_mut() {
            match (name.as_str(), &*child) {
                (field, Value::String(revision)) if is_revision(field) => {
                    let renamed = self.revision(
                        revision,
                        of_collection && field == "resourceVersion",
                        paged || within.pages,
                    );
                    *child = json!(renamed);
                }
                ("continue", Value::String(token)) if !token.is_empty() => *child = json!("<continue>"),
                ("request", Value::String(_)) => {}
                _ => {
                    let within = Within {
                        pages: within.pages || name == "body" && is_page(child),
                        cells: within.cells || name == "cells",
                    };
                    self.rename(child, within);
                }
            }
        }
    }

    fn revision(&mut self, revision: &str, of_collection: bool, paged: bool) -> String {
        if of_collection {
            if !paged {
                return "<revision>".to_owned();
            }
            return format!("<revision {}>", number(&mut self.pages, revision));
        }
        match revision
            .parse()
            .ok()
            .and_then(|revision| self.revisions.binary_search(&revision).ok())
        {
            Some(rank) if !self.said_word(revision) || revision.len() > 3 => format!("<revision {}>", rank + 1),
            _ => revision.to_owned(),
        }
    }

    /// Whether the check itself says a text: then it is not made up by the server.
    fn said_word(&self, text: &str) -> bool {
        text.len() > 3 && self.said.contains(text)
    }

    fn renamed(&mut self, text: &str, cell: bool) -> String {
        if TIME.is_match(text) {
            return "<time>".to_owned();
        }
        if MICRO_TIME.is_match(text) {
            return "<micro time>".to_owned();
        }
        if cell && AGE.is_match(text) {
            return "<age>".to_owned();
        }
        let mut text = text.to_owned();
        for (name, renamed) in &self.generated {
            if text.contains(name) {
                text = text.replace(name, renamed);
            }
        }
        let text = TOKEN.replace_all(&text, "<token>");
        let text = ADDRESS.replace_all(&text, "<address>");
        let text = HASH.replace_all(&text, "?hash=<hash>");
        let text = REVISIONS.replace_all(&text, "$1<revision>");
        let text = REVISION_WITHIN.replace_all(&text, "$1<revision>");
        let uids = &mut self.uids;
        let said = self.said;
        let text = TIME_WITHIN.replace_all(&text, |found: &Captures<'_>| match said.contains(&found[0]) {
            true => found[0].to_owned(),
            false => "<time>".to_owned(),
        });
        UUID.replace_all(&text, |found: &Captures<'_>| match said.contains(&found[0]) {
            true => found[0].to_owned(),
            false => format!("<uid {}>", number(uids, &found[0])),
        })
        .into_owned()
    }
}

/// A later page of a list: it has the first one's revision.
fn is_page(body: &Value) -> bool {
    body["metadata"].get("remainingItemCount").is_some()
        || body["metadata"]["continue"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
}

fn number(known: &mut Vec<String>, text: &str) -> usize {
    match known.iter().position(|old| old == text) {
        Some(position) => position + 1,
        None => {
            known.push(text.to_owned());
            known.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_equality_and_order() {
        let answers = vec![
            json!({"body": {"metadata": {"name": "a", "resourceVersion": "900", "uid": "11111111-2222-3333-4444-555555555555",
                "creationTimestamp": "2030-01-01T00:00:00Z"}}}),
            json!({"body": {"metadata": {"name": "a", "resourceVersion": "1000", "uid": "11111111-2222-3333-4444-555555555555"}}}),
            json!({"body": {"message": "UID 11111111-2222-3333-4444-555555555555 at 127.0.0.1:4711",
                "metadata": {"generateName": "b-", "name": "b-xyzzy"}}}),
            json!({"body": {"kind": "List", "metadata": {"resourceVersion": "2000"}, "items": []}}),
            json!({"body": {"message": "b-xyzzy, said: 2020-02-02T02:02:02Z"}, "time": "2020-02-02T02:02:02Z"}),
        ];
        let said = "2020-02-02T02:02:02Z";
        let named = exchanges(said, answers);
        assert_eq!(
            named[0]["body"]["metadata"],
            json!({"name": "a", "resourceVersion": "<revision 1>", "uid": "<uid 1>", "creationTimestamp": "<time>"})
        );
        assert_eq!(named[1]["body"]["metadata"]["resourceVersion"], "<revision 2>");
        assert_eq!(named[2]["body"]["message"], "UID <uid 1> at <address>");
        assert_eq!(named[2]["body"]["metadata"]["name"], "b-<generated 1>");
        assert_eq!(named[3]["body"]["metadata"]["resourceVersion"], "<revision>");
        assert_eq!(named[4]["time"], said);
    }
}
