//! Why an expression is not true: the smallest part of it that decides, and the values that part saw.

use super::value::show;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::{Context, ExecutionError, Value};

/// Explains an `outcome` other than `true`.
pub(super) fn explain(
    source: &str,
    expression: &IdedExpr,
    outcome: &Result<Value, ExecutionError>,
    context: &Context<'_>,
) -> String {
    match outcome {
        Ok(Value::Bool(false)) => part(expression, context).unwrap_or_else(|| format!("`{source}` is false")),
        Ok(other) => format!("`{source}` is {}, which is neither true nor false", show(other)),
        Err(error) => part(expression, context)
            .unwrap_or_else(|| format!("`{source}` cannot be told: {}", super::execution_error(error))),
    }
}

/// `None` where the expression has no part that says more than the whole.
fn part(expression: &IdedExpr, context: &Context<'_>) -> Option<String> {
    let Expr::Call(call) = &expression.expr else {
        return leaf(expression, context);
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, parts) => parts
            .iter()
            .find(|part| !is_true(part, context))
            .and_then(|part| self::part(part, context)),
        (operators::LOGICAL_OR, parts) => {
            let each: Option<Vec<String>> = parts.iter().map(|part| self::part(part, context)).collect();
            each.map(|each| each.join(" and "))
        }
        _ => leaf(expression, context),
    }
}

fn leaf(expression: &IdedExpr, context: &Context<'_>) -> Option<String> {
    let text = write(expression)?;
    match Value::resolve(expression, context) {
        Err(error) => Some(format!("`{text}` cannot be told: {}", super::execution_error(&error))),
        Ok(_) => {
            let seen: Vec<String> = operands(expression)
                .into_iter()
                .filter_map(|operand| {
                    Some(format!(
                        "`{}` is {}",
                        write(operand)?,
                        show(&Value::resolve(operand, context).ok()?)
                    ))
                })
                .collect();
            let because = if seen.is_empty() {
                String::new()
            } else {
                format!(": {}", seen.join(", "))
            };
            Some(format!("`{text}` is false{because}"))
        }
    }
}

/// The operands whose values a reader wants to see: all but literals.
fn operands(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(CallExpr { target, args, .. }) => target
            .as_deref()
            .into_iter()
            .chain(args)
            .flat_map(|argument| {
                if is_path(argument) {
                    vec![argument]
                } else {
                    operands(argument)
                }
            })
            .collect(),
        Expr::Comprehension(comprehension) => {
            let range = &comprehension.iter_range;
            if is_path(range) { vec![range] } else { operands(range) }
        }
        _ => Vec::new(),
    }
}

fn is_path(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => !select.test && is_path(&select.operand),
        Expr::Call(call) => call.func_name == operators::INDEX && call.args.first().is_some_and(is_path),
        _ => false,
    }
}

fn is_true(expression: &IdedExpr, context: &Context<'_>) -> bool {
    matches!(Value::resolve(expression, context), Ok(Value::Bool(true)))
}

/// The expression as text. `None` for what macros have been expanded into, which nobody wrote.
fn write(expression: &IdedExpr) -> Option<String> {
    Some(match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(value) => value.inner().to_string(),
            LiteralValue::Int(value) => value.inner().to_string(),
            LiteralValue::UInt(value) => format!("{}u", value.inner()),
            LiteralValue::Double(value) => value.inner().to_string(),
            LiteralValue::String(value) => format!("'{}'", value.inner()),
            LiteralValue::Null => "null".to_owned(),
            LiteralValue::Bytes(_) => return None,
        },
        Expr::Select(select) if select.test => format!("has({}.{})", write(&select.operand)?, select.field),
        Expr::Select(select) => format!("{}.{}", write(&select.operand)?, select.field),
        Expr::List(list) => format!(
            "[{}]",
            list.elements.iter().map(write).collect::<Option<Vec<_>>>()?.join(", ")
        ),
        Expr::Call(call) => write_call(call)?,
        _ => return None,
    })
}

fn write_call(call: &CallExpr) -> Option<String> {
    let arguments: Vec<String> = call.args.iter().map(write).collect::<Option<_>>()?;
    Some(match (call.func_name.as_str(), arguments.as_slice()) {
        (operators::INDEX, [target, index]) => format!("{target}[{index}]"),
        (operators::LOGICAL_NOT, [operand]) => format!("!({operand})"),
        (operators::NEGATE, [operand]) => format!("-{operand}"),
        (operators::IN, [left, right]) => format!("{left} in {right}"),
        (operators::CONDITIONAL, [condition, yes, no]) => format!("{condition} ? {yes} : {no}"),
        (name, [left, right]) if name.starts_with('_') => format!("{left} {} {right}", name.trim_matches('_')),
        (name, arguments) => match &call.target {
            Some(target) => format!("{}.{name}({})", write(target)?, arguments.join(", ")),
            None => format!("{name}({})", arguments.join(", ")),
        },
    })
}
