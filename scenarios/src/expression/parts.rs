//! Which parts of a document expressions read. Only those become CEL values: objects are large, expectations look at a field or two,
//! and they look after every change.

use super::value;
use kube_cel::cel::Value as CelValue;
use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use serde_json::Value;
use std::collections::BTreeMap;

/// The parts of one variable that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The value itself, with everything below.
    whole: bool,
    fields: BTreeMap<String, Parts>,
}

impl Parts {
    /// Adds what `expression` reads of `variable`.
    pub(super) fn add(&mut self, expression: &IdedExpr, variable: &str) {
        if let Some(path) = path(expression, variable) {
            // Of `has()` only the presence counts.
            let tested = matches!(&expression.expr, Expr::Select(select) if select.test);
            self.below(&path).whole |= !tested;
            return;
        }
        let mut add = |part: &IdedExpr| self.add(part, variable);
        match &expression.expr {
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    add(target);
                }
                call.args.iter().for_each(add);
            }
            Expr::Comprehension(comprehension) => [
                &comprehension.iter_range,
                &comprehension.accu_init,
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ]
            .into_iter()
            .for_each(&mut add),
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

    fn below(&mut self, path: &[&str]) -> &mut Self {
        path.iter()
            .fold(self, |parts, name| parts.fields.entry((*name).to_owned()).or_default())
    }

    /// The document as a CEL value, without what nobody reads.
    pub fn of(&self, document: &Value) -> CelValue {
        match document {
            Value::Object(object) if !self.whole => {
                let read = self.fields.iter().filter_map(|(name, parts)| {
                    let part = object.get(name)?;
                    Some((name.clone(), parts.of(part)))
                });
                value::from_entries(read)
            }
            // Of a list whose presence is tested nothing more is needed.
            Value::Array(_) if !self.whole => CelValue::List(std::sync::Arc::default()),
            other => value::from_json(other),
        }
    }
}

/// `object.a.b` as `["a", "b"]`.
fn path<'a>(expression: &'a IdedExpr, variable: &str) -> Option<Vec<&'a str>> {
    match &expression.expr {
        Expr::Ident(name) => (name == variable).then(Vec::new),
        Expr::Select(select) => {
            let mut path = path(&select.operand, variable)?;
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
    use super::super::Expression;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_read_becomes_a_value() {
        let document = json!({
            "status": {"state": "Available", "drives": [{"id": "a"}], "other": {"x": 1}},
            "spec": {"image": "i", "taints": []},
        });
        for (source, read) in [
            (
                "object.status.state == 'Available'",
                json!({"status": {"state": "Available"}}),
            ),
            (
                "has(object.status.other) && has(object.spec.taints)",
                json!({"status": {"other": {}}, "spec": {"taints": []}}),
            ),
            (
                "has(object.status.other) && object.status.other.x == 1",
                json!({"status": {"other": {"x": 1}}}),
            ),
            (
                "object.status.drives.all(drive, drive.id == object.spec.image)",
                json!({"status": {"drives": [{"id": "a"}]}, "spec": {"image": "i"}}),
            ),
            ("object.missing == 1", json!({})),
            ("size(object) == 2", document.clone()),
            ("object['spec'].image == 'i'", document.clone()),
        ] {
            let mut parts = Parts::default();
            Expression::compile(source).unwrap().add_parts("object", &mut parts);
            assert_eq!(parts.of(&document), value::from_json(&read), "{source}");
        }
    }
}
