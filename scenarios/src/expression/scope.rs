//! Variables: which there are, and which an expression reads.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use std::collections::BTreeSet;

/// In an expectation about the world as a whole.
pub const WORLD: [&str; 6] = ["servers", "claims", "bmcs", "bootConfigurations", "machines", "events"];
/// In an expectation about objects of a kind.
pub const OBJECT: [&str; 1] = ["object"];
/// In an expectation about Servers: `machine` is the truth about the hardware.
pub const SERVER: [&str; 2] = ["object", "machine"];
/// In an `always`: the object before and after a change.
pub const CHANGE: [&str; 2] = ["object", "previous"];

/// Names of types, which CEL parses as identifiers.
const TYPES: [&str; 9] = [
    "int", "uint", "double", "bool", "string", "bytes", "list", "map", "type",
];

/// Variables the expression reads and does not bind itself.
pub(super) fn free_variables(expression: &IdedExpr) -> BTreeSet<String> {
    let mut free = BTreeSet::new();
    collect(expression, &mut Vec::new(), &mut free);
    free
}

fn collect(expression: &IdedExpr, bound: &mut Vec<String>, free: &mut BTreeSet<String>) {
    match &expression.expr {
        Expr::Ident(name) => {
            if !bound.contains(name) && !TYPES.contains(&name.as_str()) {
                free.insert(name.clone());
            }
        }
        Expr::Call(call) => {
            if let Some(target) = &call.target {
                collect(target, bound, free);
            }
            call.args.iter().for_each(|argument| collect(argument, bound, free));
        }
        Expr::Comprehension(comprehension) => {
            collect(&comprehension.iter_range, bound, free);
            collect(&comprehension.accu_init, bound, free);
            let depth = bound.len();
            bound.push(comprehension.iter_var.clone());
            bound.extend(comprehension.iter_var2.clone());
            bound.push(comprehension.accu_var.clone());
            for part in [
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ] {
                collect(part, bound, free);
            }
            bound.truncate(depth);
        }
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, bound, free)),
        Expr::Map(map) => map
            .entries
            .iter()
            .for_each(|entry| entry_parts(&entry.expr, bound, free)),
        Expr::Struct(literal) => literal
            .entries
            .iter()
            .for_each(|entry| entry_parts(&entry.expr, bound, free)),
        Expr::Select(select) => collect(&select.operand, bound, free),
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn entry_parts(entry: &EntryExpr, bound: &mut Vec<String>, free: &mut BTreeSet<String>) {
    match entry {
        EntryExpr::StructField(field) => collect(&field.value, bound, free),
        EntryExpr::MapEntry(entry) => {
            collect(&entry.key, bound, free);
            collect(&entry.value, bound, free);
        }
    }
}
