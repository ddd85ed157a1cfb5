//! The values of variables, borrowed from the request that is evaluated. They are converted to values
//! of the `cel` crate (`cel_backend`), of templates (`template::values`) and to text (`detail`).

use std::collections::{BTreeMap, BTreeSet};

use super::context::Questions;
use crate::domain::booking::{Answer, Attendee, QuestionKind};
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
    List(ListView<'a>),
    Map(MapView<'a>),
}

/// A list, in the form in which the request has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum ListView<'a> {
    Answers(&'a [Answer]),
    Addresses(&'a [Address]),
    /// The addresses of the attendees that have one.
    Attendees(&'a [Attendee]),
    /// Empty without an account.
    Tags(Option<&'a BTreeSet<String>>),
}

/// A map with strings for keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapView<'a> {
    /// Any object of JSON.
    Answers(&'a BTreeMap<String, Answer>),
    /// The answers of a booking, each of the type of its question.
    Responses(Responses<'a>),
    /// Empty without an account.
    Attributes(Option<&'a BTreeMap<String, String>>),
}

/// The answers of one booking. Cal.com sends most answers as texts, also those to number questions, and
/// an optional question that was left blank as an empty text: the type of the question says what is
/// meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Responses<'a> {
    pub(super) answers: &'a BTreeMap<String, Answer>,
    /// The entry with this name is not there for anybody who looks.
    pub(super) hidden: Option<&'a str>,
    pub(super) questions: Questions<'a>,
}

impl<'a> From<&'a Answer> for Value<'a> {
    fn from(answer: &'a Answer) -> Self {
        match answer {
            Answer::Null => Self::Null,
            Answer::Bool(of) => Self::Bool(*of),
            Answer::Number(of) => Self::Double(*of),
            Answer::Text(of) => Self::Text(of),
            Answer::List(of) => Self::List(ListView::Answers(of)),
            Answer::Map(of) => Self::Map(MapView::Answers(of)),
        }
    }
}

impl<'a> ListView<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Answers(of) => of.len(),
            Self::Addresses(of) => of.len(),
            Self::Attendees(_) => self.iter().count(),
            Self::Tags(of) => of.map_or(0, BTreeSet::len),
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
        }
    }
}

impl<'a> MapView<'a> {
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

impl<'a> Responses<'a> {
    pub(super) fn get(self, slug: &str) -> Option<Value<'a>> {
        let answer = self.answers.get(slug)?;
        self.seen(slug)
            .then(|| typed(answer, self.questions.kind(slug)))?
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.answers
            .iter()
            .filter(move |(slug, _)| self.seen(slug))
            .filter_map(move |(slug, answer)| {
                Some((slug.as_str(), typed(answer, self.questions.kind(slug))?))
            })
    }

    fn seen(self, slug: &str) -> bool {
        self.hidden != Some(slug)
    }
}

/// The answer as its question means it; `None` where the question was left blank. An answer that does
/// not fit its question stays as it was sent.
fn typed(answer: &Answer, kind: Option<QuestionKind>) -> Option<Value<'_>> {
    match (answer, kind) {
        (Answer::Null, _) => None,
        (Answer::Text(text), _) if text.trim().is_empty() => None,
        (Answer::Text(text), Some(QuestionKind::Number)) => {
            let number = text
                .trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite());
            Some(number.map_or(Value::Text(text), Value::Double))
        }
        (Answer::Text(text), Some(QuestionKind::Flag)) => Some(match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Text(text),
        }),
        (
            Answer::Text(_) | Answer::Number(_) | Answer::Bool(_) | Answer::Map(_),
            Some(QuestionKind::List),
        ) => Some(Value::List(ListView::Answers(std::slice::from_ref(answer)))),
        (_, _) => Some(Value::from(answer)),
    }
}
