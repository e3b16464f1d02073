//! `x-kubernetes-validations`: CEL rules, compiled once per schema node.
//!
//! Evaluation is `kube-cel`'s; walking is ours, because the library correlates list items by index while the server
//! correlates map lists by key and nothing else (kube-semantics §1.5), and because of ratcheting.

use kube_cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::{Map, Value, json};

use super::passed::Passed;
use super::reads::Reads;
use super::{JsonType, ListKind, Place, Schema, child_path, correlate, same, same_as};
use crate::api::field_error::FieldError;

thread_local! {
    // Registering the function libraries is the expensive part, and the evaluation context is not `Sync`.
    static VALIDATOR: Validator = Validator::new();
}

/// The rules of one node.
#[derive(Debug)]
pub(crate) struct Rules {
    all: Checked,
    /// The rules that use `oldSelf`: all that is left to check on an unchanged value.
    transition: Option<Checked>,
    passed: Passed,
}

/// Rules that are evaluated together, and what they look at.
#[derive(Debug)]
struct Checked {
    rules: CompiledSchema,
    reads: Reads,
}

impl From<CompiledSchema> for Checked {
    fn from(rules: CompiledSchema) -> Self {
        let mut reads = Reads::default();
        for rule in rules.validations.iter().flatten() {
            for program in std::iter::once(&rule.program).chain(&rule.message_program) {
                reads.add(program.expression(), &["self", "oldSelf"]);
            }
        }
        Self { rules, reads }
    }
}

/// (rule index, field of the rule, its text, what is wrong).
pub(crate) type RuleMistake = (usize, &'static str, String, String);

impl Rules {
    /// Compiles the rules of this node; `None` if it has none.
    pub(crate) fn compile(node: &Value) -> Result<Option<Self>, Vec<RuleMistake>> {
        let Some(rules) = node.get("x-kubernetes-validations").and_then(Value::as_array) else {
            return Ok(None);
        };
        if rules.is_empty() {
            return Ok(None);
        }
        let all = compile_schema(&with_rules(node, rules));
        let mut mistakes = Vec::new();
        let mut transition = Vec::new();
        for (index, (compiled, rule)) in all.validations.iter().zip(rules).enumerate() {
            match compiled {
                Ok(compiled) if compiled.is_transition_rule => transition.push(rule.clone()),
                Ok(_) => {}
                Err(error) => {
                    let (field, text) = match error {
                        kube_cel::CompilationError::MessageExpressionParse { .. } => ("messageExpression", rule),
                        _ => ("rule", rule),
                    };
                    let text = text.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                    mistakes.push((index, field, text, format!("compilation failed: {error}")));
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let transition = if transition.is_empty() {
            None
        } else {
            Some(compile_schema(&with_rules(node, &transition)).into())
        };
        Ok(Some(Self {
            all: all.into(),
            transition,
            passed: Passed::default(),
        }))
    }

    fn evaluate(
        &self,
        value: &Value,
        old: Option<&Value>,
        unchanged: bool,
        node: &Schema,
        place: &Place<'_>,
        errors: &mut Vec<FieldError>,
    ) {
        if !unchanged {
            self.all.evaluate(value, old, node, place, errors);
        } else if let Some(transition) = &self.transition {
            let value = transition.reads.of(value);
            self.passed.check(&value, || {
                let before = errors.len();
                transition.evaluate(&value, Some(&value), node, place, errors);
                errors.len() == before
            });
        }
    }
}

impl Checked {
    fn evaluate(
        &self,
        value: &Value,
        old: Option<&Value>,
        node: &Schema,
        place: &Place<'_>,
        errors: &mut Vec<FieldError>,
    ) {
        let (value, old) = (self.reads.of(value), old.map(|old| self.reads.of(old)));
        let outcome = VALIDATOR.with(|validator| validator.validate_compiled(&self.rules, &value, old.as_deref()));
        let Err(failures) = outcome else { return };
        let type_name = node.json_type.map_or("object", JsonType::name);
        for failure in failures.into_vec() {
            let field = match failure.field_path.as_str() {
                "" if matches!(place, Place::Root) => "<nil>".to_owned(),
                "" => place.to_string(),
                below if below.starts_with('[') => format!("{place}{below}"),
                below => child_path(&place.to_string(), below.trim_start_matches('.')),
            };
            errors.push(match failure.kind {
                ErrorKind::ValidationFailure => {
                    FieldError::by_reason(failure.reason.as_deref(), field, type_name, failure.message)
                }
                _ => {
                    let text = failure.message.trim_start_matches("rule evaluation error: ");
                    let text = match text.strip_prefix("No such key") {
                        Some(rest) => format!("no such key{rest}"),
                        None => text.to_owned(),
                    };
                    FieldError::invalid_text(field, type_name, format!("{text} evaluating rule: {}", failure.rule))
                }
            });
        }
    }
}

/// The node's schema as the evaluator needs it: types and formats of everything below, rules of this node only.
fn with_rules(node: &Value, rules: &[Value]) -> Value {
    let mut shape = shape_only(node);
    if let Some(shape) = shape.as_object_mut() {
        shape.insert("x-kubernetes-validations".to_owned(), Value::Array(rules.to_vec()));
    }
    shape
}

fn shape_only(node: &Value) -> Value {
    let Some(node) = node.as_object() else {
        return node.clone();
    };
    let mut shape = Map::new();
    for (name, value) in node {
        let kept = match name.as_str() {
            "properties" => value
                .as_object()
                .map(|properties| {
                    properties
                        .iter()
                        .map(|(name, child)| (name.clone(), shape_only(child)))
                        .collect()
                })
                .map_or(Value::Null, Value::Object),
            "items" | "additionalProperties" => shape_only(value),
            "x-kubernetes-validations" | "default" | "allOf" | "anyOf" | "oneOf" | "not" | "description" => continue,
            _ => value.clone(),
        };
        shape.insert(name.clone(), kept);
    }
    Value::Object(shape)
}

/// Runs every rule of a schema. `old` is the stored object on updates.
pub(super) fn check_rules(schema: &Schema, value: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    if !schema.has_rules {
        return;
    }
    if let Some(rules) = &schema.rules {
        // At the root only name and generateName of the metadata are visible to rules.
        let (visible, visible_old) = (visible_root(value), old.map(visible_root));
        let unchanged = visible_old.as_ref().is_some_and(|old| same(old, &visible));
        rules.evaluate(&visible, visible_old.as_ref(), unchanged, schema, &Place::Root, errors);
    }
    descend(schema, value, old, &Place::Root, errors);
}

fn visible_root(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return value.clone();
    };
    let mut root = Map::new();
    for (name, field) in object {
        if name == "metadata" {
            let mut metadata = Map::new();
            for visible in ["name", "generateName"] {
                if let Some(text) = field.get(visible) {
                    metadata.insert(visible.to_owned(), text.clone());
                }
            }
            root.insert(name.clone(), json!(metadata));
        } else {
            root.insert(name.clone(), field.clone());
        }
    }
    Value::Object(root)
}

fn check(schema: &Schema, value: &Value, old: Option<&Value>, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    if !schema.has_rules || value.is_null() {
        return;
    }
    if let Some(rules) = &schema.rules {
        let unchanged = same_as(value, old);
        rules.evaluate(value, old, unchanged, schema, place, errors);
    }
    descend(schema, value, old, place, errors);
}

fn descend(schema: &Schema, value: &Value, old: Option<&Value>, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                if let Some(field) = schema.field(name).filter(|field| field.has_rules) {
                    let place = match schema.properties.contains_key(name) {
                        true => Place::Field(place, name),
                        false => Place::Key(place, name),
                    };
                    // The fields of an atomic map have no history of their own.
                    let old = old.and_then(|old| old.get(name)).filter(|_| !schema.atomic_map);
                    check(field, child, old, &place, errors);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = schema.items.as_deref().filter(|items| items.has_rules) else {
                return;
            };
            for (index, item) in list.iter().enumerate() {
                let old = match schema.list {
                    ListKind::Map(_) => correlate(schema, item, old),
                    ListKind::Set | ListKind::Atomic => None,
                };
                check(items, item, old, &Place::Item(place, index), errors);
            }
        }
        _ => {}
    }
}
