//! RFC 6902 with the habits of the Go library the real server uses (traps T2 to T4): a `test` of a missing field
//! against `null` passes, `replace` of a missing last key adds it.

use serde_json::{Map, Value};

/// Why a patch did not go through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PatchFailure {
    /// The document is no JSON patch: 400.
    Malformed(String),
    /// It is, but does not apply to the object: 422.
    DoesNotApply,
    /// More operations than the server takes: 413.
    TooManyOperations(usize),
}

/// `--max-json-patch-operations` of the real server.
const MAX_OPERATIONS: usize = 10_000;

enum Operation {
    Add { path: Vec<String>, value: Value },
    Remove { path: Vec<String> },
    Replace { path: Vec<String>, value: Value },
    Move { from: Vec<String>, path: Vec<String> },
    Copy { from: Vec<String>, path: Vec<String> },
    Test { path: Vec<String>, value: Value },
}

/// A parsed patch.
pub(crate) struct JsonPatch(Vec<Operation>);

impl JsonPatch {
    pub(crate) fn parse(document: &Value) -> Result<Self, PatchFailure> {
        let malformed = |message: &str| PatchFailure::Malformed(message.to_owned());
        let operations = document
            .as_array()
            .ok_or_else(|| malformed("json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"))?;
        if operations.len() > MAX_OPERATIONS {
            return Err(PatchFailure::TooManyOperations(MAX_OPERATIONS));
        }
        operations.iter().map(operation).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn apply(&self, document: &Value) -> Result<Value, PatchFailure> {
        let mut document = document.clone();
        for operation in &self.0 {
            operation.apply(&mut document).ok_or(PatchFailure::DoesNotApply)?;
        }
        Ok(document)
    }
}

fn operation(document: &Value) -> Result<Operation, PatchFailure> {
    let pointer = |name: &str| -> Result<Vec<String>, PatchFailure> {
        let text = document
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| PatchFailure::Malformed(format!("operation without {name}")))?;
        Ok(text
            .split('/')
            .skip(1)
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect())
    };
    let value = || document.get("value").cloned().unwrap_or(Value::Null);
    match document.get("op").and_then(Value::as_str) {
        Some("add") => Ok(Operation::Add {
            path: pointer("path")?,
            value: value(),
        }),
        Some("remove") => Ok(Operation::Remove { path: pointer("path")? }),
        Some("replace") => Ok(Operation::Replace {
            path: pointer("path")?,
            value: value(),
        }),
        Some("move") => Ok(Operation::Move {
            from: pointer("from")?,
            path: pointer("path")?,
        }),
        Some("copy") => Ok(Operation::Copy {
            from: pointer("from")?,
            path: pointer("path")?,
        }),
        Some("test") => Ok(Operation::Test {
            path: pointer("path")?,
            value: value(),
        }),
        // The Go library finds out when it applies the operation.
        _ => Err(PatchFailure::DoesNotApply),
    }
}

impl Operation {
    fn apply(&self, document: &mut Value) -> Option<()> {
        match self {
            Operation::Add { path, value } => add(document, path, value.clone()),
            Operation::Remove { path } => remove(document, path).map(drop),
            Operation::Replace { path, value } => replace(document, path, value.clone()),
            Operation::Move { from, path } => {
                let value = remove(document, from)?;
                add(document, path, value)
            }
            Operation::Copy { from, path } => {
                let value = find(document, from)?.clone();
                add(document, path, value)
            }
            Operation::Test { path, value } => {
                let Some((last, parents)) = path.split_last() else {
                    return (document == value).then_some(());
                };
                let parent = find(document, parents)?;
                let found = match parent {
                    Value::Object(object) => object.get(last),
                    Value::Array(list) => Some(list.get(existing(last, list.len())?)?),
                    _ => return None,
                };
                (found.unwrap_or(&Value::Null) == value).then_some(())
            }
        }
    }
}

fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get(token),
        Value::Array(list) => list.get(existing(token, list.len())?),
        _ => None,
    })
}

fn find_mut<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get_mut(token),
        Value::Array(list) => {
            let index = existing(token, list.len())?;
            list.get_mut(index)
        }
        _ => None,
    })
}

/// The index of an existing item; negative ones count from the end.
fn existing(token: &str, length: usize) -> Option<usize> {
    let index: i64 = token.parse().ok()?;
    let index = if index < 0 {
        index + i64::try_from(length).ok()?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn add(document: &mut Value, path: &[String], value: Value) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Some(());
    };
    match find_mut(document, parents)? {
        Value::Object(object) => {
            object.insert(last.clone(), value);
        }
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            let length = i64::try_from(list.len()).ok()?;
            let index: i64 = last.parse().ok()?;
            // Like the Go library: -1 inserts behind the last item.
            let index = if index < 0 { index + length + 1 } else { index };
            let index = usize::try_from(index).ok().filter(|index| *index <= list.len())?;
            list.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &[String]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    match find_mut(document, parents)? {
        Value::Object(object) => object.shift_remove(last),
        Value::Array(list) => {
            let index = existing(last, list.len())?;
            Some(list.remove(index))
        }
        _ => None,
    }
}

fn replace(document: &mut Value, path: &[String], value: Value) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Some(());
    };
    let slot = match find_mut(document, parents)? {
        Value::Object(object) => object_slot(object, last),
        Value::Array(list) => {
            let index = existing(last, list.len())?;
            list.get_mut(index)?
        }
        _ => return None,
    };
    *slot = value;
    Some(())
}

fn object_slot<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Value {
    object.entry(key).or_insert(Value::Null)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn run(document: &Value, patch: &Value) -> Result<Value, PatchFailure> {
        JsonPatch::parse(patch)?.apply(document)
    }

    #[test]
    fn go_semantics() {
        let document = json!({"metadata": {"name": "a", "finalizers": ["x", "y"]}, "n": null});
        let table: Vec<(Value, Option<Value>)> = vec![
            // T2: missing tested against null passes, existing null too.
            (
                json!([{"op": "test", "path": "/metadata/labels", "value": null}]),
                Some(document.clone()),
            ),
            (
                json!([{"op": "test", "path": "/n", "value": null}]),
                Some(document.clone()),
            ),
            (
                json!([{"op": "test", "path": "/metadata/labels"}]),
                Some(document.clone()),
            ),
            (json!([{"op": "test", "path": "/nope/labels", "value": null}]), None),
            (json!([{"op": "test", "path": "/metadata/name", "value": "b"}]), None),
            (
                json!([{"op": "test", "path": "/metadata/finalizers/0", "value": "x"}]),
                Some(document.clone()),
            ),
            // T3: replace of a missing last key adds it; a missing parent fails.
            (
                json!([{"op": "replace", "path": "/metadata/uid", "value": "u"}, {"op": "remove", "path": "/metadata/uid"}]),
                Some(document.clone()),
            ),
            (json!([{"op": "replace", "path": "/spec/uid", "value": "u"}]), None),
            (json!([{"op": "remove", "path": "/metadata/uid"}]), None),
            (
                json!([{"op": "add", "path": "/metadata/finalizers/5", "value": "z"}]),
                None,
            ),
            (
                json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "z"}, {"op": "remove", "path": "/metadata/finalizers/0"}]),
                Some(json!({"metadata": {"name": "a", "finalizers": ["y", "z"]}, "n": null})),
            ),
            (
                json!([{"op": "move", "from": "/metadata/name", "path": "/name"}, {"op": "copy", "from": "/name", "path": "/copy"}]),
                Some(json!({"metadata": {"finalizers": ["x", "y"]}, "n": null, "name": "a", "copy": "a"})),
            ),
            (
                json!([{"op": "add", "path": "/a~1b", "value": 1}]),
                Some(json!({"metadata": {"name": "a", "finalizers": ["x", "y"]}, "n": null, "a/b": 1})),
            ),
        ];
        for (patch, expected) in table {
            assert_eq!(run(&document, &patch).ok(), expected, "{patch}");
        }
    }

    #[test]
    fn malformed_is_not_the_same_as_inapplicable() {
        let document = json!({});
        assert!(matches!(run(&document, &json!({})), Err(PatchFailure::Malformed(_))));
        assert_eq!(
            run(&document, &json!([{"op": "fly", "path": "/a"}])),
            Err(PatchFailure::DoesNotApply)
        );
        let many = Value::Array(vec![json!({"op": "test", "path": "/a"}); MAX_OPERATIONS + 1]);
        assert_eq!(
            run(&document, &many),
            Err(PatchFailure::TooManyOperations(MAX_OPERATIONS))
        );
    }

    proptest! {
        /// Adding a field and removing it again is the identity.
        #[test]
        fn add_then_remove_restores(key in "[a-z~/]{1,8}", value in any::<i64>()) {
            let document = json!({"fixed": 1});
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            prop_assume!(key != "fixed");
            let patch = json!([{"op": "add", "path": pointer, "value": value}, {"op": "test", "path": pointer, "value": value}, {"op": "remove", "path": pointer}]);
            prop_assert_eq!(run(&document, &patch).unwrap(), document);
        }
    }
}
