//! The reference: `cel` evaluates what our own tree does not, with only those names bound that the
//! expression uses.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{
    CelBool, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
    CelTimestamp, STRING_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, Value as CelValue};

use super::pattern::{MAX_SEARCHED, PATTERN, Pattern};
use super::schema::{self, Name};
use super::scope::Scope;
use super::value::{Literal, Value};

/// The most values (elements of lists and maps included) that are handed to the reference for one
/// evaluation. Each macro goes through them once.
pub const MAX_VALUES: usize = 2_000;

/// The most text that is handed to the reference for one evaluation, in bytes.
pub const MAX_TEXTS: usize = 256 * 1024;

/// What the reference knows: CEL's standard library, and `matches` with a compiled pattern.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut library = Env::stdlib();
    library
        .add_member_overload(
            "matches",
            "matches_compiled",
            STRING_TYPE,
            vec![PATTERN.to_owned()],
            matches,
        )
        .expect("no other overload takes a compiled pattern");
    Arc::new(library)
});

/// An expression as the reference evaluates it.
#[derive(Debug)]
pub(super) struct Reference {
    root: IdedExpr,
    names: Vec<&'static Name>,
    patterns: Vec<Pattern>,
}

impl Reference {
    /// Of an expression that was checked.
    pub(super) fn new(mut root: IdedExpr) -> Self {
        let mut patterns = Vec::new();
        compile_patterns(&mut root, &mut patterns);
        let mut names = Vec::new();
        collect_names(&root, &mut names);
        Self {
            root,
            names,
            patterns,
        }
    }

    /// # Errors
    /// Why it cannot be said, for people.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        let mut budget = Budget {
            values: MAX_VALUES,
            texts: MAX_TEXTS,
        };
        for name in &self.names {
            let value = budget.bind(schema::read(name.field, scope))?;
            context.add_variable_as_val(name.path, value);
        }
        for (n, pattern) in self.patterns.iter().enumerate() {
            context.add_variable_as_val(pattern_name(n), Box::new(pattern.clone()));
        }
        let gives =
            CelValue::resolve_val(&self.root, &context).map_err(|error| readable(&error))?;
        match gives.downcast_ref::<CelBool>() {
            Some(answer) => Ok(*answer.inner()),
            None => Err(no_answer(gives.get_type().name())),
        }
    }
}

pub(super) fn no_answer(kind: &str) -> String {
    format!("the rule gave {kind} where yes or no was wanted")
}

/// What a node without names gives, if that can stand as a literal.
pub(super) fn constant(node: &IdedExpr) -> Option<Literal> {
    let context = Context::with_env(Arc::clone(&LIBRARY));
    let value = CelValue::resolve_val(node, &context).ok()?;
    if let Some(duration) = value.downcast_ref::<CelDuration>() {
        return Some(Literal::Duration(*duration.inner()));
    }
    let time = value.downcast_ref::<CelTimestamp>()?;
    Some(Literal::Time(time.inner().to_utc()))
}

/// `x.matches(pattern)` for a pattern that was compiled before.
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = arguments.as_slice() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let text = text.downcast_ref::<CelString>();
    let pattern = pattern.downcast_ref::<Pattern>();
    let (Some(text), Some(pattern)) = (text, pattern) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    match pattern.matches(text.inner()) {
        Some(found) => Ok(CowVal::owned(CelBool::from(found))),
        None => Err(ExecutionError::function_error("matches", too_long())),
    }
}

pub(super) fn too_long() -> String {
    format!("the text is longer than {MAX_SEARCHED} bytes")
}

/// No expression can name it: a name does not begin with `@`.
fn pattern_name(n: usize) -> String {
    format!("@pattern{n}")
}

/// Replaces the patterns of `matches` by the names of compiled ones.
fn compile_patterns(node: &mut IdedExpr, patterns: &mut Vec<Pattern>) {
    let Expr::Call(call) = &mut node.expr else {
        for child in children_mut(node) {
            compile_patterns(child, patterns);
        }
        return;
    };
    if call.func_name == "matches" {
        if call.target.is_none() && call.args.len() == 2 {
            call.target = Some(Box::new(call.args.remove(0)));
        }
        if let Some(argument) = call.args.first_mut()
            && let Expr::Literal(LiteralValue::String(text)) = &argument.expr
            && let Ok(pattern) = Pattern::compile(text.inner())
        {
            argument.expr = Expr::Ident(pattern_name(patterns.len()));
            patterns.push(pattern);
        }
    }
    for child in children_mut(node) {
        compile_patterns(child, patterns);
    }
}

/// The nodes right below one.
fn children_mut(node: &mut IdedExpr) -> Vec<&mut IdedExpr> {
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

/// The nodes right below one.
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

/// The name of the schema that a node is, if it is one: the checker lets no macro hide one.
pub(super) fn named(node: &IdedExpr) -> Option<&'static Name> {
    match &node.expr {
        Expr::Ident(name) => schema::find(name),
        Expr::Select(select) if !select.test => match &select.operand.expr {
            Expr::Ident(group) => schema::find(&format!("{group}.{}", select.field)),
            _ => None,
        },
        _ => None,
    }
}

fn collect_names(node: &IdedExpr, names: &mut Vec<&'static Name>) {
    if let Some(name) = named(node) {
        if names.iter().all(|known| known.path != name.path) {
            names.push(name);
        }
        return;
    }
    for child in children(node) {
        collect_names(child, names);
    }
}

/// How much may still be handed over.
struct Budget {
    values: usize,
    texts: usize,
}

impl Budget {
    fn bind<'v>(&mut self, value: Value<'v>) -> Result<Box<dyn Val + 'v>, String> {
        let text = if let Value::Text(text) = value {
            text.len()
        } else {
            0
        };
        let (Some(values), Some(texts)) =
            (self.values.checked_sub(1), self.texts.checked_sub(text))
        else {
            return Err(format!(
                "there is more to look at than {MAX_VALUES} values and {MAX_TEXTS} bytes"
            ));
        };
        (self.values, self.texts) = (values, texts);
        Ok(match value {
            Value::Null => Box::new(CelNull),
            Value::Bool(of) => Box::new(CelBool::from(of)),
            Value::Int(of) => Box::new(CelInt::from(of)),
            Value::Double(of) => Box::new(CelDouble::from(of)),
            Value::Text(of) => Box::new(CelString::from(of)),
            Value::Duration(of) => Box::new(CelDuration::from(of)),
            Value::Time(of) => Box::new(CelTimestamp::from(of.fixed_offset())),
            Value::Seq(of) => {
                let items: Result<Vec<_>, String> = of.iter().map(|one| self.bind(one)).collect();
                Box::new(CelList::from(items?))
            }
            Value::Table(of) => {
                let mut entries: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
                for (key, value) in of.iter() {
                    entries.insert(key.into(), self.bind(value)?);
                }
                Box::new(CelMap::from(entries))
            }
        })
    }
}

/// The reference's errors show values as they are in memory; these are for people.
fn readable(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no \"{key}\""),
        ExecutionError::NoSuchOverload(of) => {
            format!(
                "`{}` is not defined for {}",
                of.function(),
                of.argument_types().join(" and ")
            )
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let (left, right) = (left.type_of(), right.type_of());
            format!("`{operator}` is not defined for {left} and {right}")
        }
        ExecutionError::UnexpectedType { got, want } => format!("{got} where {want} was wanted"),
        ExecutionError::Overflow(operator, ..) => {
            format!("`{operator}` leaves the range of numbers")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::IndexOutOfBounds(_) => "the list has no such element".to_owned(),
        ExecutionError::FunctionError { function, message } => {
            let message: String = message.chars().take(200).collect();
            format!("{function}: {message}")
        }
        _ => "the values do not go together".to_owned(),
    }
}
