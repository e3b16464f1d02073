//! Which parts of a value CEL expressions read. Only those are handed to the evaluator, which copies what it is given
//! more than once: a rule about one field must not cost a copy of the whole object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use serde_json::{Map, Value};

/// The parts that are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// The value itself, with everything below.
    whole: bool,
    fields: BTreeMap<String, Reads>,
}

impl Reads {
    /// Adds what an expression reads of the variables of these names.
    pub(super) fn add(&mut self, expression: &IdedExpr, variables: &[&str]) {
        if let Some(path) = path(expression, variables) {
            self.add_path(&path);
            return;
        }
        let mut add = |part: &IdedExpr| self.add(part, variables);
        match &expression.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| add(target));
                call.args.iter().for_each(add);
            }
            Expr::Comprehension(comprehension) => {
                let parts = [
                    &comprehension.iter_range,
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ];
                parts.into_iter().for_each(&mut add);
            }
            Expr::List(list) => list.elements.iter().for_each(add),
            Expr::Map(map) => map.entries.iter().for_each(|entry| entry_parts(&entry.expr, &mut add)),
            Expr::Struct(literal) => literal
                .entries
                .iter()
                .for_each(|entry| entry_parts(&entry.expr, &mut add)),
            Expr::Select(select) => add(&select.operand),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn add_path(&mut self, path: &[&str]) {
        match path {
            // Names with a double underscore may be escaped: left to the evaluator.
            [name, rest @ ..] if !name.contains("__") => {
                self.fields.entry((*name).to_owned()).or_default().add_path(rest);
            }
            _ => self.whole = true,
        }
    }

    /// The value without what is not read.
    pub(super) fn of<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        match value {
            Value::Object(object) if !self.whole => {
                let mut parts = Map::new();
                for (name, reads) in &self.fields {
                    if let Some(part) = object.get(name) {
                        parts.insert(name.clone(), reads.of(part).into_owned());
                    }
                }
                Cow::Owned(Value::Object(parts))
            }
            _ => Cow::Borrowed(value),
        }
    }
}

/// `self.a.b` as `["a", "b"]`, also inside of `has()`.
fn path<'a>(expression: &'a IdedExpr, variables: &[&str]) -> Option<Vec<&'a str>> {
    match &expression.expr {
        Expr::Ident(name) => variables.contains(&name.as_str()).then(Vec::new),
        Expr::Select(select) => {
            let mut path = path(&select.operand, variables)?;
            path.push(&select.field);
            Some(path)
        }
        _ => None,
    }
}

fn entry_parts(entry: &EntryExpr, add: &mut impl FnMut(&IdedExpr)) {
    match entry {
        EntryExpr::StructField(field) => add(&field.value),
        EntryExpr::MapEntry(entry) => {
            add(&entry.key);
            add(&entry.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_read_is_kept() {
        let value = json!({"a": {"b": 1, "c": 2}, "list": [{"x": 1, "y": 2}], "d__dash__e": 1, "other": 1});
        let table = [
            ("has(self.a) && oldSelf.a.b == 1", json!({"a": {"b": 1, "c": 2}})),
            ("self.a.b == 1 || has(self.a.missing)", json!({"a": {"b": 1}})),
            (
                "self.list.all(i, i.x > 0 && self.other == 1)",
                json!({"list": [{"x": 1, "y": 2}], "other": 1}),
            ),
            ("self == oldSelf", value.clone()),
            ("self['other'] == 1", value.clone()),
            ("self.d__dash__e == 1", value.clone()),
            ("1 == 1", json!({})),
        ];
        for (source, expected) in table {
            let program = Program::compile(source).unwrap();
            let mut reads = Reads::default();
            reads.add(program.expression(), &["self", "oldSelf"]);
            assert_eq!(*reads.of(&value), expected, "{source}");
        }
    }
}
