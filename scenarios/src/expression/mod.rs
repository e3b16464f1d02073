//! CEL expressions about the world: compiled once, evaluated against JSON, and explained when they are not true.
//!
//! | module | subject |
//! |---|---|
//! | [`scope`] | which variables an expression may read, and which it does read |
//! | [`parts`] | which parts of a document an expression reads |
//! | [`value`] | JSON as CEL values |
//! | [`explain`] | which part of an expression is false, and what it saw |

pub mod explain;
pub mod parts;
pub mod scope;
pub mod value;

use kube_cel::KubeCelExt;
use kube_cel::cel::{Context, ExecutionError, Program, Value as CelValue};
use parts::Parts;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Values of the variables of one evaluation.
pub type Bindings = BTreeMap<&'static str, CelValue>;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    source: String,
    program: Program,
}

/// What an expression said.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    True,
    /// False, or not decidable because something it reads is missing. The text says which part, and what it saw.
    NotTrue(String),
}

impl Expression {
    /// # Errors
    /// What the parser says, without its drawing of the place.
    pub fn compile(source: &str) -> Result<Self, String> {
        let program = Program::compile(source).map_err(|errors| {
            let messages: Vec<&str> = errors.errors.iter().map(|error| error.msg.as_str()).collect();
            messages.join("; ")
        })?;
        Ok(Self {
            source: source.split_whitespace().collect::<Vec<_>>().join(" "),
            program,
        })
    }

    /// The expression on one line.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Variables it reads, without those its own macros bind.
    pub fn reads(&self) -> BTreeSet<String> {
        scope::free_variables(self.program.expression())
    }

    /// Variables it reads that are not in `known`.
    pub fn undeclared(&self, known: &[&str]) -> Vec<String> {
        self.reads()
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()))
            .collect()
    }

    /// Adds what it reads of `variable`.
    pub fn add_parts(&self, variable: &str, parts: &mut Parts) {
        parts.add(self.program.expression(), variable);
    }

    /// Evaluates; anything but `true` is explained.
    pub fn judge(&self, bindings: &Bindings) -> Verdict {
        in_context(bindings, |context| match self.program.execute(context) {
            Ok(CelValue::Bool(true)) => Verdict::True,
            outcome => Verdict::NotTrue(explain::explain(
                &self.source,
                self.program.expression(),
                &outcome,
                context,
            )),
        })
    }

    /// Whether it is true.
    pub fn holds(&self, bindings: &Bindings) -> bool {
        in_context(bindings, |context| {
            matches!(self.program.execute(context), Ok(CelValue::Bool(true)))
        })
    }
}

/// An evaluation with `object` only.
pub fn object_bindings(object: &Value) -> Bindings {
    Bindings::from([("object", value::from_json(object))])
}

thread_local! {
    // Registering the functions costs more than most evaluations, and a context is not `Sync`.
    static FUNCTIONS: Context<'static> = Context::default().with_all();
}

fn in_context<T>(bindings: &Bindings, evaluate: impl FnOnce(&Context<'_>) -> T) -> T {
    FUNCTIONS.with(|functions| {
        let mut context = functions.new_inner_scope();
        for (name, value) in bindings {
            context.add_variable_from_value(*name, value.clone());
        }
        evaluate(&context)
    })
}

/// The engine's own words for what went wrong in an evaluation. Values stay out: they may be large, and may be secret.
fn execution_error(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` does not exist here"),
        ExecutionError::NoSuchOverload => "the operator or function does not fit the types of its operands".to_owned(),
        ExecutionError::ValuesNotComparable(..) => "the two sides cannot be compared".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the index is out of bounds".to_owned(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
            format!("`{operator}` does not fit the types of its operands")
        }
        _ => "it cannot be evaluated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judge(source: &str, object: &Value) -> Verdict {
        Expression::compile(source).unwrap().judge(&object_bindings(object))
    }

    #[test]
    fn numbers_texts_lists_and_missing_fields() {
        let server =
            json!({"spec": {"tenancyEpoch": 3}, "status": {"state": "Available", "drives": [{"state": "Erased"}]}});
        for source in [
            "object.spec.tenancyEpoch == 3",
            "object.spec.tenancyEpoch > 2 && object.status.state == 'Available'",
            "object.status.drives.all(drive, drive.state == 'Erased')",
            "!has(object.spec.residueEpoch)",
            "size(object.status.drives) == 1",
            "object.status.state in ['Available', 'Reserved']",
            "object.status.state.startsWith('Avail')",
        ] {
            assert_eq!(judge(source, &server), Verdict::True, "{source}");
        }
    }

    #[test]
    fn explanations_name_the_false_part_and_what_it_saw() {
        let server = json!({"spec": {"tenancyEpoch": 3}, "status": {"state": "Discovery", "drives": [{"name": "nvme0n1", "state": "Failed"}]}});
        let explanations: Vec<String> = [
            "object.spec.tenancyEpoch == 3 && object.status.state == 'Available'",
            "object.status.cleanup.state == 'Succeeded'",
            "has(object.status.cleanup)",
            "object.status.state in ['Available', 'Reserved']",
            "object.status.state == 'Available' || object.spec.tenancyEpoch > 5",
            "object.status.drives.all(drive, drive.state == 'Erased')",
            "!(object.status.state == 'Discovery')",
            "object.status.state",
        ]
        .into_iter()
        .map(|source| match judge(source, &server) {
            Verdict::True => format!("{source} is true"),
            Verdict::NotTrue(why) => format!("{source}\n  {why}"),
        })
        .collect();
        insta::assert_snapshot!(explanations.join("\n"));
    }

    #[test]
    fn mistakes_are_found_before_anything_runs() {
        assert!(Expression::compile("object.status.state = 'Available'").is_err());
        let expression =
            Expression::compile("servers.all(n, servers[n].status.state == state) && has(object.x)").unwrap();
        assert_eq!(expression.undeclared(&scope::WORLD), ["object", "state"]);
    }
}
