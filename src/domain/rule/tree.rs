//! What most rules are made of, as a small tree that reads the scope directly and allocates
//! nothing. It gives what the reference gives, errors included; `&&` and `||` forgive an error on
//! one side when the other side decides.

use std::cmp::Ordering;
use std::fmt;

use super::interpret;
use super::pattern::Pattern;
use super::schema::{self, Field};
use super::scope::Scope;
use super::value::{Literal, Seq, Table, Value};
use crate::domain::time::{Span, Time};

/// One node. Those below are on the heap; the tree is made once, when the configuration is read.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Literal),
    List(Box<[Literal]>),
    Field(Field),
    Select(Box<Node>, Box<str>),
    Has(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    Equal(Box<[Node; 2]>),
    Differ(Box<[Node; 2]>),
    Order(Order, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Negate(Box<Node>),
    Arithmetic(Operator, Box<[Node; 2]>),
    Size(Box<Node>),
    Part(Part, Box<[Node; 2]>),
    Matches(Box<Node>, Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// How one text may be part of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Starts,
    Ends,
    Contains,
}

/// Why there is no value. Cheap to make, because the other side of `||` may make it good.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure<'a> {
    NoKey(&'a str),
    NoElement,
    Undefined(&'static str, &'static str),
    UndefinedOf(&'static str, &'static str, &'static str),
    Range(&'static str),
    ZeroDivision,
    TooLong,
}

type Gives<'a> = Result<Value<'a>, Failure<'a>>;

impl Node {
    /// # Errors
    /// Why it cannot be said, for people.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        match self.value(scope) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(interpret::no_answer(other.kind())),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn value<'a>(&'a self, scope: &Scope<'a>) -> Gives<'a> {
        match self {
            Self::Literal(literal) => Ok(literal.value()),
            Self::List(list) => Ok(Value::Seq(Seq::Literals(list))),
            Self::Field(field) => Ok(schema::read(*field, scope)),
            Self::Select(of, key) => {
                let table = of.table(scope)?;
                table.get(key).ok_or(Failure::NoKey(key))
            }
            Self::Has(of, key) => Ok(Value::Bool(of.table(scope)?.get(key).is_some())),
            Self::Index(pair) => index(pair[0].value(scope)?, pair[1].value(scope)?),
            Self::Not(of) => Ok(Value::Bool(!of.bool("!", scope)?)),
            Self::And(pair) => decide(pair, scope, "&&", false),
            Self::Or(pair) => decide(pair, scope, "||", true),
            Self::If(three) => {
                let branch = if three[0].bool("?", scope)? { 1 } else { 2 };
                three[branch].value(scope)
            }
            Self::Equal(pair) => {
                let (left, right) = (pair[0].value(scope)?, pair[1].value(scope)?);
                Ok(Value::Bool(left.equals(right)))
            }
            Self::Differ(pair) => {
                let (left, right) = (pair[0].value(scope)?, pair[1].value(scope)?);
                Ok(Value::Bool(!left.equals(right)))
            }
            Self::Order(order, pair) => {
                let (left, right) = (pair[0].value(scope)?, pair[1].value(scope)?);
                order.of(left, right)
            }
            Self::In(pair) => within(pair[0].value(scope)?, pair[1].value(scope)?),
            Self::Negate(of) => negate(of.value(scope)?),
            Self::Arithmetic(operator, pair) => {
                operator.of(pair[0].value(scope)?, pair[1].value(scope)?)
            }
            Self::Size(of) => size(of.value(scope)?),
            Self::Part(part, pair) => part.of(pair[0].value(scope)?, pair[1].value(scope)?),
            Self::Matches(of, pattern) => match of.value(scope)? {
                Value::Text(text) => {
                    let found = pattern.matches(text).ok_or(Failure::TooLong)?;
                    Ok(Value::Bool(found))
                }
                other => Err(Failure::Undefined("matches", other.kind())),
            },
        }
    }

    fn bool<'a>(&'a self, operator: &'static str, scope: &Scope<'a>) -> Result<bool, Failure<'a>> {
        match self.value(scope)? {
            Value::Bool(of) => Ok(of),
            other => Err(Failure::Undefined(operator, other.kind())),
        }
    }

    fn table<'a>(&'a self, scope: &Scope<'a>) -> Result<Table<'a>, Failure<'a>> {
        match self.value(scope)? {
            Value::Table(table) => Ok(table),
            other => Err(Failure::Undefined(".", other.kind())),
        }
    }
}

/// `&&` and `||`: either side may decide, whatever became of the other.
fn decide<'a>(
    pair: &'a [Node; 2],
    scope: &Scope<'a>,
    operator: &'static str,
    decisive: bool,
) -> Gives<'a> {
    let left = pair[0].bool(operator, scope);
    if let Ok(of) = left
        && of == decisive
    {
        return Ok(Value::Bool(decisive));
    }
    let right = pair[1].bool(operator, scope)?;
    if right != decisive {
        left?;
    }
    Ok(Value::Bool(right))
}

fn index<'a>(of: Value<'a>, index: Value<'a>) -> Gives<'a> {
    match (of, index) {
        (Value::Table(table), Value::Text(key)) => table.get(key).ok_or(Failure::NoKey(key)),
        (Value::Table(_), Value::Int(_) | Value::Double(_) | Value::Bool(_)) => {
            Err(Failure::NoElement)
        }
        (Value::Seq(list), Value::Int(n)) => {
            let element = usize::try_from(n).ok().and_then(|n| list.get(n));
            element.ok_or(Failure::NoElement)
        }
        (Value::Seq(list), Value::Double(n)) => {
            let element = whole(n).and_then(|n| list.get(n));
            element.ok_or(Failure::NoElement)
        }
        (of, index) => Err(Failure::UndefinedOf("[]", of.kind(), index.kind())),
    }
}

/// A double that counts, as an index.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "what does not come back as it was is refused"
)]
fn whole(of: f64) -> Option<usize> {
    let n = of as usize;
    (n < usize::MAX && n as f64 == of).then_some(n)
}

fn within<'a>(value: Value<'a>, of: Value<'a>) -> Gives<'a> {
    match (value, of) {
        (value, Value::Seq(list)) => Ok(Value::Bool(list.contains(value))),
        (Value::Text(key), Value::Table(table)) => Ok(Value::Bool(table.get(key).is_some())),
        (Value::Bool(_) | Value::Int(_) | Value::Double(_), Value::Table(_)) => {
            Ok(Value::Bool(false))
        }
        (value, of) => Err(Failure::UndefinedOf("in", value.kind(), of.kind())),
    }
}

fn negate<'a>(of: Value<'a>) -> Gives<'a> {
    match of {
        Value::Int(n) => n.checked_neg().map(Value::Int).ok_or(Failure::Range("-")),
        Value::Double(n) => Ok(Value::Double(-n)),
        other => Err(Failure::Undefined("-", other.kind())),
    }
}

fn size<'a>(of: Value<'a>) -> Gives<'a> {
    let size = match of {
        Value::Text(text) => text.chars().count(),
        Value::Seq(list) => list.len(),
        Value::Table(table) => table.len(),
        other => return Err(Failure::Undefined("size", other.kind())),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

impl Order {
    fn of<'a>(self, left: Value<'a>, right: Value<'a>) -> Gives<'a> {
        let Some(order) = left.order(right) else {
            return Err(Failure::UndefinedOf(self.sign(), left.kind(), right.kind()));
        };
        Ok(Value::Bool(match self {
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
        }))
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Part {
    fn of<'a>(self, text: Value<'a>, part: Value<'a>) -> Gives<'a> {
        let (Value::Text(text), Value::Text(part)) = (text, part) else {
            return Err(Failure::UndefinedOf(self.name(), text.kind(), part.kind()));
        };
        Ok(Value::Bool(match self {
            Self::Starts => text.starts_with(part),
            Self::Ends => text.ends_with(part),
            Self::Contains => text.contains(part),
        }))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Starts => "startsWith",
            Self::Ends => "endsWith",
            Self::Contains => "contains",
        }
    }
}

impl Operator {
    fn of<'a>(self, left: Value<'a>, right: Value<'a>) -> Gives<'a> {
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => self.whole(a, b),
            (Value::Double(a), Value::Double(b)) => self.real(a, b),
            (Value::Duration(a), Value::Duration(b)) => self.spans(a, b),
            (Value::Time(at), Value::Duration(by)) => self.shifted(at, by),
            (Value::Duration(by), Value::Time(at)) if self == Self::Add => self.shifted(at, by),
            (Value::Time(a), Value::Time(b)) if self == Self::Subtract => {
                Ok(Value::Duration(counted(Some(a - b), self.sign())?))
            }
            (left, right) => Err(self.undefined(left, right)),
        }
    }

    fn undefined<'a>(self, left: Value<'a>, right: Value<'a>) -> Failure<'a> {
        Failure::UndefinedOf(self.sign(), left.kind(), right.kind())
    }

    fn whole<'a>(self, a: i64, b: i64) -> Gives<'a> {
        let gives = match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide | Self::Remainder if b == 0 => return Err(Failure::ZeroDivision),
            Self::Divide => a.checked_div(b),
            Self::Remainder => a.checked_rem(b),
        };
        gives.map(Value::Int).ok_or(Failure::Range(self.sign()))
    }

    fn real<'a>(self, a: f64, b: f64) -> Gives<'a> {
        Ok(Value::Double(match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Remainder => return Err(self.undefined(Value::Double(a), Value::Double(b))),
        }))
    }

    fn spans<'a>(self, a: Span, b: Span) -> Gives<'a> {
        let gives = match self {
            Self::Add => a.checked_add(&b),
            Self::Subtract => a.checked_sub(&b),
            Self::Multiply | Self::Divide | Self::Remainder => {
                return Err(self.undefined(Value::Duration(a), Value::Duration(b)));
            }
        };
        Ok(Value::Duration(counted(gives, self.sign())?))
    }

    fn shifted<'a>(self, at: Time, by: Span) -> Gives<'a> {
        let gives = match self {
            Self::Add => at.checked_add_signed(by),
            Self::Subtract => at.checked_sub_signed(by),
            Self::Multiply | Self::Divide | Self::Remainder => {
                return Err(self.undefined(Value::Time(at), Value::Duration(by)));
            }
        };
        let within = |at: &Time| (FIRST..=LAST).contains(&at.timestamp());
        let at = gives.filter(within).ok_or(Failure::Range(self.sign()))?;
        Ok(Value::Time(at))
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// CEL's first and last second: 0001-01-01 and 9999-12-31.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// CEL's durations are those whose nanoseconds can be counted.
fn counted(span: Option<Span>, sign: &'static str) -> Result<Span, Failure<'static>> {
    let fits = |span: &Span| span.num_nanoseconds().is_some();
    span.filter(fits).ok_or(Failure::Range(sign))
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey(key) => write!(f, "there is no \"{key}\""),
            Self::NoElement => f.write_str("the list has no such element"),
            Self::Undefined(what, of) => write!(f, "`{what}` is not defined for {of}"),
            Self::UndefinedOf(what, left, right) => {
                write!(f, "`{what}` is not defined for {left} and {right}")
            }
            Self::Range(sign) => write!(f, "`{sign}` leaves the range of numbers"),
            Self::ZeroDivision => f.write_str("division by zero"),
            Self::TooLong => write!(f, "matches: {}", interpret::too_long()),
        }
    }
}
