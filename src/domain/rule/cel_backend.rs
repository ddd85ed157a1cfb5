//! Evaluates expressions with the `cel` crate. Only the variables that an expression reads are
//! converted to values of the crate.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::{
    CelBool, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
    CelTimestamp, STRING_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, Value as CelValue};

use super::context::RuleContext;
use super::detail::VariablePath;
use super::pattern::{MAX_SEARCHED_BYTES, PATTERN, Pattern};
use super::schema::{self, SchemaName};
use super::syntax::{children_mut, has_macro};
use super::types::NumberValue;
use super::value::RuleValue;
use super::variable;

/// The most values (elements of lists and maps included) that an expression with a macro may read.
/// Each macro iterates over them once.
pub(super) const MAX_VALUES: usize = 2_000;

/// The most values that an expression without a macro may read. The answer of a lookup has at most
/// 64 KiB, and so fewer values than this.
pub(super) const MAX_VALUES_WITHOUT_MACRO: usize = 50_000;

/// The most text that an expression may read, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 256 * 1024;

/// CEL's standard library, and `matches` with a compiled pattern.
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

/// An expression that is ready to be evaluated.
#[derive(Debug)]
pub(super) struct CelProgram {
    root: IdedExpr,
    inputs: Vec<ProgramInput>,
    patterns: Vec<Pattern>,
    max_values: usize,
}

/// A variable that the expression reads.
#[derive(Debug)]
struct ProgramInput {
    name: &'static SchemaName,
    /// The entries that the expression reads of a map. `None` if it reads the whole map, or if the
    /// variable is not a map.
    keys: Option<Vec<Box<str>>>,
}

impl CelProgram {
    /// Prepares an expression that was checked and reads these paths.
    pub(super) fn new(mut root: IdedExpr, paths: &[VariablePath]) -> Self {
        let max_values = if has_macro(&root) {
            MAX_VALUES
        } else {
            MAX_VALUES_WITHOUT_MACRO
        };
        let mut patterns = Vec::new();
        compile_patterns(&mut root, &mut patterns);
        Self {
            root,
            inputs: collect_inputs(paths),
            patterns,
            max_values,
        }
    }

    /// # Errors
    /// Returns why the expression has no value, in a text for people.
    pub(super) fn evaluate(&self, context: &RuleContext<'_>) -> Result<bool, String> {
        self.resolve(context, |result| match result.downcast_ref::<CelBool>() {
            Some(answer) => Ok(*answer.inner()),
            None => {
                let kind = result.get_type().name();
                Err(format!("the rule returned {kind} instead of true or false"))
            }
        })
    }

    /// # Errors
    /// Returns why the expression gives no number, in a text for people.
    pub(super) fn evaluate_number(&self, context: &RuleContext<'_>) -> Result<NumberValue, String> {
        self.resolve(context, |result| {
            if let Some(number) = result.downcast_ref::<CelInt>() {
                return Ok(NumberValue::Whole(*number.inner()));
            }
            match result.downcast_ref::<CelDouble>() {
                Some(number) => Ok(NumberValue::Double(*number.inner())),
                None => {
                    let kind = result.get_type().name();
                    Err(format!("it gave {kind} instead of a number"))
                }
            }
        })
    }

    /// Evaluates the expression, and passes the result to `read`.
    fn resolve<T>(
        &self,
        context: &RuleContext<'_>,
        read: impl FnOnce(&dyn Val) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut variables = Context::with_env(Arc::clone(&LIBRARY));
        let mut budget = ConversionBudget {
            values_left: self.max_values,
            text_bytes_left: MAX_TEXT_BYTES,
            max_values: self.max_values,
        };
        for input in &self.inputs {
            let value = variable::read_value(input.name.variable, context);
            let value = match (value, &input.keys) {
                (RuleValue::Map(map), Some(keys)) => {
                    let entries = keys.iter().filter_map(|key| Some((&**key, map.get(key)?)));
                    budget.convert_map(entries)?
                }
                (value, _) => budget.convert(value)?,
            };
            variables.add_variable_as_val(input.name.path, value);
        }
        for (n, pattern) in self.patterns.iter().enumerate() {
            variables.add_variable_as_val(pattern_name(n), Box::new(pattern.clone()));
        }
        let result =
            CelValue::resolve_val(&self.root, &variables).map_err(|error| error_message(&error))?;
        read(&*result)
    }
}

/// Groups the paths by variable.
fn collect_inputs(paths: &[VariablePath]) -> Vec<ProgramInput> {
    let mut inputs: Vec<ProgramInput> = Vec::new();
    for path in paths {
        let name = schema::name_of(path.variable);
        let position = inputs.iter().position(|one| one.name.path == name.path);
        let position = position.unwrap_or_else(|| {
            let keys = Some(Vec::new());
            inputs.push(ProgramInput { name, keys });
            inputs.len() - 1
        });
        match (path.keys.first(), &mut inputs[position].keys) {
            (Some(key), Some(keys)) => keys.push(key.clone()),
            (None, keys) => *keys = None,
            (Some(_), None) => {}
        }
    }
    inputs
}

/// Returns whether a node without variables is a duration or an instant.
pub(super) fn is_duration_or_time(node: &IdedExpr) -> bool {
    let variables = Context::with_env(Arc::clone(&LIBRARY));
    let Ok(value) = CelValue::resolve_val(node, &variables) else {
        return false;
    };
    value.downcast_ref::<CelDuration>().is_some() || value.downcast_ref::<CelTimestamp>().is_some()
}

/// Evaluates `x.matches(pattern)` for a pattern that was compiled before.
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
        Some(is_match) => Ok(CowVal::owned(CelBool::from(is_match))),
        None => {
            let problem = format!("the text is longer than {MAX_SEARCHED_BYTES} bytes");
            Err(ExecutionError::function_error("matches", problem))
        }
    }
}

/// Returns the variable name of a compiled pattern. No expression can contain this name, because a
/// name in an expression does not begin with `@`.
fn pattern_name(n: usize) -> String {
    format!("@pattern{n}")
}

/// Replaces the patterns of `matches` by the names of compiled patterns.
fn compile_patterns(node: &mut IdedExpr, patterns: &mut Vec<Pattern>) {
    if let Expr::Call(call) = &mut node.expr
        && call.func_name == "matches"
    {
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

/// Converts values for `cel`, and counts how many may still be converted.
struct ConversionBudget {
    values_left: usize,
    text_bytes_left: usize,
    max_values: usize,
}

impl ConversionBudget {
    fn convert<'v>(&mut self, value: RuleValue<'v>) -> Result<Box<dyn Val + 'v>, String> {
        if let RuleValue::Map(of) = value {
            return self.convert_map(of.iter());
        }
        let bytes = if let RuleValue::Text(text) = value {
            text.len()
        } else {
            0
        };
        self.consume(bytes)?;
        Ok(match value {
            RuleValue::Null => Box::new(CelNull),
            RuleValue::Bool(of) => Box::new(CelBool::from(of)),
            RuleValue::Int(of) => Box::new(CelInt::from(of)),
            RuleValue::Double(of) => Box::new(CelDouble::from(of)),
            RuleValue::Text(of) => Box::new(CelString::from(of)),
            RuleValue::Duration(of) => Box::new(CelDuration::from(of)),
            RuleValue::Time(of) => Box::new(CelTimestamp::from(of.fixed_offset())),
            RuleValue::List(of) => {
                let items: Result<Vec<_>, String> =
                    of.iter().map(|one| self.convert(one)).collect();
                Box::new(CelList::from(items?))
            }
            RuleValue::Map(of) => self.convert_map(of.iter())?,
        })
    }

    fn convert_map<'v>(
        &mut self,
        entries: impl Iterator<Item = (&'v str, RuleValue<'v>)>,
    ) -> Result<Box<dyn Val + 'v>, String> {
        self.consume(0)?;
        let mut map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
        for (key, value) in entries {
            map.insert(key.into(), self.convert(value)?);
        }
        Ok(Box::new(CelMap::from(map)))
    }

    fn consume(&mut self, bytes: usize) -> Result<(), String> {
        let values = self.values_left.checked_sub(1);
        let texts = self.text_bytes_left.checked_sub(bytes);
        let (Some(values), Some(texts)) = (values, texts) else {
            return Err(format!(
                "it covers more than {} values and {MAX_TEXT_BYTES} bytes",
                self.max_values
            ));
        };
        (self.values_left, self.text_bytes_left) = (values, texts);
        Ok(())
    }
}

/// Describes an error for people. The errors of `cel` show values as they are in memory.
fn error_message(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no \"{key}\""),
        ExecutionError::NoSuchOverload(of) => {
            let kinds = of
                .argument_types()
                .iter()
                .map(|name| name.rsplit('.').next());
            let function = match of.function() {
                "_[_]" => "[]",
                other => other.trim_matches(['_', '@']),
            };
            // The second operand of `.` is the name of a field.
            let count = if function == "." { 1 } else { usize::MAX };
            let kinds = kinds.flatten().map(str::to_lowercase).take(count);
            let kinds: Vec<String> = kinds.collect();
            format!("`{function}` is not defined for {}", kinds.join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let (symbol, left, right) =
                (operator_symbol(operator), type_name(left), type_name(right));
            format!("`{symbol}` is not defined for {left} and {right}")
        }
        ExecutionError::UnexpectedType { got, want } => format!("{got} where {want} was wanted"),
        ExecutionError::Overflow(operator, ..) => {
            format!(
                "`{}` leaves the range of numbers",
                operator_symbol(operator)
            )
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::IndexOutOfBounds(_) => "the list has no such element".to_owned(),
        ExecutionError::UnsupportedIndex(index, of) => {
            format!(
                "`[]` is not defined for {} and {}",
                type_name(of),
                type_name(index)
            )
        }
        ExecutionError::UnsupportedKeyType(key) => {
            format!("`[]` is not defined for map and {}", type_name(key))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!(
                "{} and {} cannot be compared",
                type_name(left),
                type_name(right)
            )
        }
        ExecutionError::FunctionError { function, message } => {
            let message: String = message.chars().take(200).collect();
            format!("{function}: {message}")
        }
        _ => "the values do not go together".to_owned(),
    }
}

/// Returns an operator as it is written.
fn operator_symbol(operator: &str) -> &str {
    match operator {
        "add" => "+",
        "sub" | "negate" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other,
    }
}

/// Returns the name that CEL has for the type of a value.
fn type_name(of: &CelValue) -> String {
    match of {
        CelValue::Float(_) => "double".to_owned(),
        other => other.type_of().to_string(),
    }
}
