//! The syntax tree of the `cel` crate: the nodes below a node, and what a node names.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

use super::schema::{self, SchemaName};

/// Returns the nodes directly below a node.
pub(super) fn children_mut(node: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut node.expr {
        Expr::Call(call) => {
            let target = call.target.as_deref_mut();
            target.into_iter().chain(&mut call.args).collect()
        }
        Expr::Comprehension(of) => {
            let of = &mut **of;
            vec![
                &mut of.iter_range,
                &mut of.accu_init,
                &mut of.loop_cond,
                &mut of.loop_step,
                &mut of.result,
            ]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter_mut();
            entries
                .flat_map(|entry| match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
                    EntryExpr::StructField(field) => vec![&mut field.value],
                })
                .collect()
        }
        Expr::Select(select) => vec![&mut select.operand],
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

/// Returns the nodes directly below a node.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(of) => vec![
            &of.iter_range,
            &of.accu_init,
            &of.loop_cond,
            &of.loop_step,
            &of.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter();
            entries
                .flat_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                    EntryExpr::StructField(field) => vec![&field.value],
                })
                .collect()
        }
        Expr::Select(select) => vec![&*select.operand],
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

/// Returns the name of the schema that a node is, if it is one. The checker does not allow macros
/// to hide a name.
pub(super) fn schema_name_of(node: &IdedExpr) -> Option<&'static SchemaName> {
    match &node.expr {
        Expr::Ident(name) => schema::find_name(name),
        Expr::Select(select) if !select.test => match &select.operand.expr {
            Expr::Ident(group) => schema::find_name(&format!("{group}.{}", select.field)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the text that a node is, if it is a literal text.
pub(super) fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Returns whether a node contains a macro that iterates over a list or map.
pub(super) fn has_macro(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Comprehension(_)) || children(node).into_iter().any(has_macro)
}
