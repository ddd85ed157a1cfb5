//! The functions and operators that an expression may use, with the types they take. They are the
//! part of CEL's standard library that works on the types of `types`.

use super::types::{Type, ValueKind};

/// One way to call a function. In `x.f(y)`, the first parameter is `x`.
pub(super) struct Overload {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) parameters: &'static [Type],
    pub(super) returns: Type,
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `f(x)`
    Function,
    /// `x.f()`
    Method,
}

const LIST: Type = Type::List(ValueKind::Dyn);
const MAP: Type = Type::Map(ValueKind::Dyn);

const fn function(name: &'static str, takes: &'static [Type], gives: Type) -> Overload {
    Overload {
        name,
        style: Style::Function,
        parameters: takes,
        returns: gives,
    }
}

const fn method(name: &'static str, takes: &'static [Type], gives: Type) -> Overload {
    Overload {
        name,
        style: Style::Method,
        parameters: takes,
        returns: gives,
    }
}

const TIME_PARAMETER: &[Type] = &[Type::TIME];
const TIME_AND_ZONE_PARAMETERS: &[Type] = &[Type::TIME, Type::TEXT];
const DURATION_PARAMETER: &[Type] = &[Type::DURATION];

/// All functions, with each way to call them.
pub(super) const OVERLOADS: [Overload; 52] = [
    function("size", &[Type::TEXT], Type::INT),
    function("size", &[LIST], Type::INT),
    function("size", &[MAP], Type::INT),
    method("size", &[Type::TEXT], Type::INT),
    method("size", &[LIST], Type::INT),
    method("size", &[MAP], Type::INT),
    method("startsWith", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("endsWith", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("contains", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("matches", &[Type::TEXT, Type::TEXT], Type::BOOL),
    function("matches", &[Type::TEXT, Type::TEXT], Type::BOOL),
    function("duration", &[Type::TEXT], Type::DURATION),
    function("timestamp", &[Type::TEXT], Type::TIME),
    function("timestamp", &[Type::INT], Type::TIME),
    function("int", &[Type::INT], Type::INT),
    function("int", &[Type::DOUBLE], Type::INT),
    function("int", &[Type::TEXT], Type::INT),
    function("int", &[Type::TIME], Type::INT),
    function("double", &[Type::DOUBLE], Type::DOUBLE),
    function("double", &[Type::INT], Type::DOUBLE),
    function("double", &[Type::TEXT], Type::DOUBLE),
    function("string", &[Type::TEXT], Type::TEXT),
    function("string", &[Type::BOOL], Type::TEXT),
    function("string", &[Type::INT], Type::TEXT),
    function("string", &[Type::DOUBLE], Type::TEXT),
    function("string", &[Type::TIME], Type::TEXT),
    function("string", &[Type::DURATION], Type::TEXT),
    function("bool", &[Type::TEXT], Type::BOOL),
    method("getFullYear", TIME_PARAMETER, Type::INT),
    method("getFullYear", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getMonth", TIME_PARAMETER, Type::INT),
    method("getMonth", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getDate", TIME_PARAMETER, Type::INT),
    method("getDate", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getDayOfMonth", TIME_PARAMETER, Type::INT),
    method("getDayOfMonth", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getDayOfWeek", TIME_PARAMETER, Type::INT),
    method("getDayOfWeek", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getDayOfYear", TIME_PARAMETER, Type::INT),
    method("getDayOfYear", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getHours", TIME_PARAMETER, Type::INT),
    method("getHours", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getHours", DURATION_PARAMETER, Type::INT),
    method("getMinutes", TIME_PARAMETER, Type::INT),
    method("getMinutes", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getMinutes", DURATION_PARAMETER, Type::INT),
    method("getSeconds", TIME_PARAMETER, Type::INT),
    method("getSeconds", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getSeconds", DURATION_PARAMETER, Type::INT),
    method("getMilliseconds", TIME_PARAMETER, Type::INT),
    method("getMilliseconds", TIME_AND_ZONE_PARAMETERS, Type::INT),
    method("getMilliseconds", DURATION_PARAMETER, Type::INT),
];

/// The macros that are written as methods of a list or map.
pub(super) const MACROS: [&str; 6] = ["exists", "all", "exists_one", "existsOne", "map", "filter"];

/// Returns the type of `left operator right`; `None` if the operator is not defined for these
/// types.
pub(super) fn arithmetic_result(operator: &str, left: Type, right: Type) -> Option<Type> {
    let number_result = |left: Type, right: Type| {
        let number_type = if left.is_dyn() { right } else { left };
        (number_type.is_number()
            && left.is_assignable_to(number_type)
            && right.is_assignable_to(number_type))
        .then_some(number_type)
    };
    if left.is_dyn() && right.is_dyn() {
        return Some(Type::DYN);
    }
    let is_dynamic = left.is_dyn() || right.is_dyn();
    match operator {
        "%" => {
            let is_integer = left.is_assignable_to(Type::INT) && right.is_assignable_to(Type::INT);
            is_integer.then_some(Type::INT)
        }
        "*" | "/" => number_result(left, right),
        _ if number_result(left, right).is_some() => number_result(left, right),
        "+" => match (left, right) {
            (Type::TEXT, Type::TEXT) => Some(Type::TEXT),
            (Type::DURATION, Type::DURATION) => Some(Type::DURATION),
            (Type::TIME, Type::DURATION) | (Type::DURATION, Type::TIME) => Some(Type::TIME),
            (Type::List(a), Type::List(b)) => {
                Some(Type::List(if a == b { a } else { ValueKind::Dyn }))
            }
            (Type::Scalar(ValueKind::Bool | ValueKind::Null) | Type::Map(_), _)
            | (_, Type::Scalar(ValueKind::Bool | ValueKind::Null) | Type::Map(_)) => None,
            (_, _) => is_dynamic.then_some(Type::DYN),
        },
        _ => match (left, right) {
            (Type::DURATION, Type::DURATION) | (Type::TIME, Type::TIME) => Some(Type::DURATION),
            (Type::TIME, Type::DURATION) => Some(Type::TIME),
            (Type::TIME | Type::DYN, Type::DURATION | Type::TIME | Type::DYN)
            | (Type::DURATION, Type::DYN) => Some(Type::DYN),
            (_, _) => None,
        },
    }
}

/// Returns true if `<`, `<=`, `>` and `>=` are defined between the two types.
pub(super) fn are_orderable(left: Type, right: Type) -> bool {
    let is_orderable = |of: Type| {
        matches!(
            of,
            Type::Scalar(
                ValueKind::Bool
                    | ValueKind::Int
                    | ValueKind::Double
                    | ValueKind::Text
                    | ValueKind::Duration
                    | ValueKind::Time
                    | ValueKind::Dyn
            )
        )
    };
    is_orderable(left) && is_orderable(right) && left.is_comparable_with(right)
}
