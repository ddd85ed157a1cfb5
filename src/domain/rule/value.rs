//! Values while an expression is evaluated: borrowed from the scope or the expression, never
//! allocated; and what CEL says of two of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::answers::Responses;
use crate::domain::booking::{Answer, Attendee};
use crate::domain::id::Address;
use crate::domain::time::{Span, Time};

/// One value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    Duration(Span),
    Time(Time),
    Seq(Seq<'a>),
    Table(Table<'a>),
}

/// A list, in whatever form the scope has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seq<'a> {
    Answers(&'a [Answer]),
    Addresses(&'a [Address]),
    /// Those whose address is known.
    Attendees(&'a [Attendee]),
    /// None without an account.
    Tags(Option<&'a BTreeSet<String>>),
    Literals(&'a [Literal]),
}

/// A map with strings for keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table<'a> {
    /// Any object of JSON.
    Answers(&'a BTreeMap<String, Answer>),
    /// The answers of a booking, each as its question means it.
    Responses(Responses<'a>),
    /// Empty without an account.
    Attributes(Option<&'a BTreeMap<String, String>>),
}

/// A value that stands in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
    Duration(Span),
    Time(Time),
}

impl Literal {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(of) => Value::Bool(*of),
            Self::Int(of) => Value::Int(*of),
            Self::Double(of) => Value::Double(*of),
            Self::Text(of) => Value::Text(of),
            Self::Duration(of) => Value::Duration(*of),
            Self::Time(of) => Value::Time(*of),
        }
    }
}

impl<'a> From<&'a Answer> for Value<'a> {
    fn from(answer: &'a Answer) -> Self {
        match answer {
            Answer::Null => Self::Null,
            Answer::Bool(of) => Self::Bool(*of),
            Answer::Number(of) => Self::Double(*of),
            Answer::Text(of) => Self::Text(of),
            Answer::List(of) => Self::Seq(Seq::Answers(of)),
            Answer::Map(of) => Self::Table(Table::Answers(of)),
        }
    }
}

impl<'a> Value<'a> {
    /// The name of its type, as CEL says it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Duration(_) => "duration",
            Self::Time(_) => "timestamp",
            Self::Seq(_) => "list",
            Self::Table(_) => "map",
        }
    }

    /// `==`. Numbers compare by value whatever their type; other types never equal each other.
    pub(super) fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            // Unlike an order, it need not read texts of different lengths.
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Seq(a), Self::Seq(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (Self::Table(a), Self::Table(b)) => {
                let same = |(key, value): (&str, Value<'a>)| {
                    b.get(key).is_some_and(|other| value.equals(other))
                };
                a.len() == b.len() && a.iter().all(same)
            }
            (a, b) => a.order(b) == Some(Ordering::Equal),
        }
    }

    /// `<` and its kin; `None` where CEL has no order.
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(&b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(&b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(&b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Double(b)) => real(a).partial_cmp(&b),
            (Self::Double(a), Self::Int(b)) => a.partial_cmp(&real(b)),
            (_, _) => None,
        }
    }
}

/// The nearest double, as the reference compares them.
#[expect(clippy::cast_precision_loss, reason = "the reference rounds here too")]
fn real(of: i64) -> f64 {
    of as f64
}

impl<'a> Seq<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Answers(of) => of.len(),
            Self::Addresses(of) => of.len(),
            Self::Attendees(of) => of.iter().filter(|one| one.address.is_some()).count(),
            Self::Tags(of) => of.map_or(0, BTreeSet::len),
            Self::Literals(of) => of.len(),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Answers(of) => of.get(index).map(Value::from),
            Self::Addresses(of) => of.get(index).map(|one| Value::Text(one.as_str())),
            Self::Literals(of) => of.get(index).map(Literal::value),
            Self::Attendees(_) | Self::Tags(_) => self.iter().nth(index),
        }
    }

    pub(super) fn iter(self) -> Box<dyn Iterator<Item = Value<'a>> + 'a> {
        match self {
            Self::Answers(of) => Box::new(of.iter().map(Value::from)),
            Self::Addresses(of) => Box::new(of.iter().map(|one| Value::Text(one.as_str()))),
            Self::Attendees(of) => Box::new(of.iter().filter_map(|one| {
                let address = one.address.as_ref()?;
                Some(Value::Text(address.as_str()))
            })),
            Self::Tags(of) => Box::new(of.into_iter().flatten().map(|tag| Value::Text(tag))),
            Self::Literals(of) => Box::new(of.iter().map(Literal::value)),
        }
    }

    /// `value in self`.
    pub(super) fn contains(self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Tags(of), Value::Text(text)) => of.is_some_and(|tags| tags.contains(text)),
            (Self::Literals(of), _) => of.iter().any(|one| one.value().equals(value)),
            (_, _) => self.iter().any(|one| one.equals(value)),
        }
    }
}

impl<'a> Table<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Answers(of) => of.len(),
            Self::Responses(of) => of.iter().count(),
            Self::Attributes(of) => of.map_or(0, BTreeMap::len),
        }
    }

    pub(super) fn get(self, key: &str) -> Option<Value<'a>> {
        match self {
            Self::Answers(of) => of.get(key).map(Value::from),
            Self::Responses(of) => of.get(key),
            Self::Attributes(of) => of?.get(key).map(|text| Value::Text(text)),
        }
    }

    pub(super) fn iter(self) -> Box<dyn Iterator<Item = (&'a str, Value<'a>)> + 'a> {
        match self {
            Self::Answers(of) => Box::new(
                of.iter()
                    .map(|(key, value)| (key.as_str(), Value::from(value))),
            ),
            Self::Responses(of) => Box::new(of.iter()),
            Self::Attributes(of) => Box::new(
                of.into_iter()
                    .flatten()
                    .map(|(key, text)| (key.as_str(), Value::Text(text))),
            ),
        }
    }
}
