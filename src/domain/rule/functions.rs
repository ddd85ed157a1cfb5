//! The functions and operators an expression may use, with the types they take. A part of CEL's
//! standard library: what works on the types of `types`.

use super::types::{Kind, Type};

/// One way to call a function. Of `x.f(y)`, the first parameter is `x`.
pub(super) struct Overload {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) takes: &'static [Type],
    pub(super) gives: Type,
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `f(x)`
    Plain,
    /// `x.f()`
    Method,
}

const LIST: Type = Type::List(Kind::Dyn);
const MAP: Type = Type::Map(Kind::Dyn);

const fn plain(name: &'static str, takes: &'static [Type], gives: Type) -> Overload {
    Overload {
        name,
        style: Style::Plain,
        takes,
        gives,
    }
}

const fn method(name: &'static str, takes: &'static [Type], gives: Type) -> Overload {
    Overload {
        name,
        style: Style::Method,
        takes,
        gives,
    }
}

const OF_TIME: &[Type] = &[Type::TIME];
const IN_ZONE: &[Type] = &[Type::TIME, Type::TEXT];
const OF_DURATION: &[Type] = &[Type::DURATION];

/// Every function.
pub(super) const OVERLOADS: [Overload; 52] = [
    plain("size", &[Type::TEXT], Type::INT),
    plain("size", &[LIST], Type::INT),
    plain("size", &[MAP], Type::INT),
    method("size", &[Type::TEXT], Type::INT),
    method("size", &[LIST], Type::INT),
    method("size", &[MAP], Type::INT),
    method("startsWith", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("endsWith", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("contains", &[Type::TEXT, Type::TEXT], Type::BOOL),
    method("matches", &[Type::TEXT, Type::TEXT], Type::BOOL),
    plain("matches", &[Type::TEXT, Type::TEXT], Type::BOOL),
    plain("duration", &[Type::TEXT], Type::DURATION),
    plain("timestamp", &[Type::TEXT], Type::TIME),
    plain("timestamp", &[Type::INT], Type::TIME),
    plain("int", &[Type::INT], Type::INT),
    plain("int", &[Type::DOUBLE], Type::INT),
    plain("int", &[Type::TEXT], Type::INT),
    plain("int", &[Type::TIME], Type::INT),
    plain("double", &[Type::DOUBLE], Type::DOUBLE),
    plain("double", &[Type::INT], Type::DOUBLE),
    plain("double", &[Type::TEXT], Type::DOUBLE),
    plain("string", &[Type::TEXT], Type::TEXT),
    plain("string", &[Type::BOOL], Type::TEXT),
    plain("string", &[Type::INT], Type::TEXT),
    plain("string", &[Type::DOUBLE], Type::TEXT),
    plain("string", &[Type::TIME], Type::TEXT),
    plain("string", &[Type::DURATION], Type::TEXT),
    plain("bool", &[Type::TEXT], Type::BOOL),
    method("getFullYear", OF_TIME, Type::INT),
    method("getFullYear", IN_ZONE, Type::INT),
    method("getMonth", OF_TIME, Type::INT),
    method("getMonth", IN_ZONE, Type::INT),
    method("getDate", OF_TIME, Type::INT),
    method("getDate", IN_ZONE, Type::INT),
    method("getDayOfMonth", OF_TIME, Type::INT),
    method("getDayOfMonth", IN_ZONE, Type::INT),
    method("getDayOfWeek", OF_TIME, Type::INT),
    method("getDayOfWeek", IN_ZONE, Type::INT),
    method("getDayOfYear", OF_TIME, Type::INT),
    method("getDayOfYear", IN_ZONE, Type::INT),
    method("getHours", OF_TIME, Type::INT),
    method("getHours", IN_ZONE, Type::INT),
    method("getHours", OF_DURATION, Type::INT),
    method("getMinutes", OF_TIME, Type::INT),
    method("getMinutes", IN_ZONE, Type::INT),
    method("getMinutes", OF_DURATION, Type::INT),
    method("getSeconds", OF_TIME, Type::INT),
    method("getSeconds", IN_ZONE, Type::INT),
    method("getSeconds", OF_DURATION, Type::INT),
    method("getMilliseconds", OF_TIME, Type::INT),
    method("getMilliseconds", IN_ZONE, Type::INT),
    method("getMilliseconds", OF_DURATION, Type::INT),
];

/// The macros, which are written as methods of a list or map.
pub(super) const MACROS: [&str; 6] = ["exists", "all", "exists_one", "existsOne", "map", "filter"];

/// What `left operator right` gives; `None` when it is not defined.
pub(super) fn arithmetic(operator: &str, left: Type, right: Type) -> Option<Type> {
    let numbers = |left: Type, right: Type| {
        let wanted = if left.is_dyn() { right } else { left };
        (wanted.is_number() && left.fits(wanted) && right.fits(wanted)).then_some(wanted)
    };
    if left.is_dyn() && right.is_dyn() {
        return Some(Type::DYN);
    }
    let dynamic = left.is_dyn() || right.is_dyn();
    match operator {
        "%" => {
            let whole = left.fits(Type::INT) && right.fits(Type::INT);
            whole.then_some(Type::INT)
        }
        "*" | "/" => numbers(left, right),
        _ if numbers(left, right).is_some() => numbers(left, right),
        "+" => match (left, right) {
            (Type::TEXT, Type::TEXT) => Some(Type::TEXT),
            (Type::DURATION, Type::DURATION) => Some(Type::DURATION),
            (Type::TIME, Type::DURATION) | (Type::DURATION, Type::TIME) => Some(Type::TIME),
            (Type::List(a), Type::List(b)) => Some(Type::List(if a == b { a } else { Kind::Dyn })),
            (Type::One(Kind::Bool | Kind::Null) | Type::Map(_), _)
            | (_, Type::One(Kind::Bool | Kind::Null) | Type::Map(_)) => None,
            (_, _) => dynamic.then_some(Type::DYN),
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

/// Whether `<` and its kin are defined between the two.
pub(super) fn ordered(left: Type, right: Type) -> bool {
    let orderable = |of: Type| {
        matches!(
            of,
            Type::One(
                Kind::Bool
                    | Kind::Int
                    | Kind::Double
                    | Kind::Text
                    | Kind::Duration
                    | Kind::Time
                    | Kind::Dyn
            )
        )
    };
    orderable(left) && orderable(right) && left.equals(right)
}
