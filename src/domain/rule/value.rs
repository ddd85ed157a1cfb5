//! The values of variables, borrowed from the request that is evaluated. They are converted to
//! values of the `cel` crate (`cel_backend`), of templates (`template::values`) and to text
//! (`detail`).

use std::collections::{BTreeMap, BTreeSet};

use super::context::Questions;
use crate::domain::booking::{Answer, Attendee, QuestionKind};
use crate::domain::id::Address;
use crate::domain::time::{Span, Time};

/// One value.
#[derive(Debug, Clone, Copy)]
pub(super) enum RuleValue<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    Duration(Span),
    Time(Time),
    List(ListRef<'a>),
    Map(MapRef<'a>),
}

/// A list, in the form in which the request holds it.
#[derive(Debug, Clone, Copy)]
pub(super) enum ListRef<'a> {
    Answers(&'a [Answer]),
    Addresses(&'a [Address]),
    /// The addresses of the attendees that have one.
    Attendees(&'a [Attendee]),
    /// Empty without an account.
    Tags(Option<&'a BTreeSet<String>>),
}

/// A map whose keys are strings.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapRef<'a> {
    /// Any JSON object.
    Answers(&'a BTreeMap<String, Answer>),
    /// The answers of a booking, each with the type of its question.
    TypedAnswers(TypedAnswers<'a>),
    /// Empty without an account.
    Attributes(Option<&'a BTreeMap<String, String>>),
}

/// The answers of one booking. Cal.com sends most answers as texts, even those to number questions,
/// and an optional question that was left blank as an empty text. Therefore each answer is read by
/// the type of its question.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypedAnswers<'a> {
    pub(super) answers: &'a BTreeMap<String, Answer>,
    /// The slug of the answer that is hidden from every reader.
    pub(super) hidden_answer: Option<&'a str>,
    pub(super) questions: Questions<'a>,
}

impl<'a> From<&'a Answer> for RuleValue<'a> {
    fn from(answer: &'a Answer) -> Self {
        match answer {
            Answer::Null => Self::Null,
            Answer::Bool(of) => Self::Bool(*of),
            Answer::Number(of) => Self::Double(*of),
            Answer::Text(of) => Self::Text(of),
            Answer::List(of) => Self::List(ListRef::Answers(of)),
            Answer::Map(of) => Self::Map(MapRef::Answers(of)),
        }
    }
}

impl<'a> ListRef<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Answers(of) => of.len(),
            Self::Addresses(of) => of.len(),
            Self::Attendees(_) => self.iter().count(),
            Self::Tags(of) => of.map_or(0, BTreeSet::len),
        }
    }

    pub(super) fn iter(self) -> Box<dyn Iterator<Item = RuleValue<'a>> + 'a> {
        match self {
            Self::Answers(of) => Box::new(of.iter().map(RuleValue::from)),
            Self::Addresses(of) => Box::new(of.iter().map(|one| RuleValue::Text(one.as_str()))),
            Self::Attendees(of) => Box::new(of.iter().filter_map(|one| {
                let address = one.address.as_ref()?;
                Some(RuleValue::Text(address.as_str()))
            })),
            Self::Tags(of) => Box::new(of.into_iter().flatten().map(|tag| RuleValue::Text(tag))),
        }
    }
}

impl<'a> MapRef<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Answers(of) => of.len(),
            Self::TypedAnswers(of) => of.iter().count(),
            Self::Attributes(of) => of.map_or(0, BTreeMap::len),
        }
    }

    pub(super) fn get(self, key: &str) -> Option<RuleValue<'a>> {
        match self {
            Self::Answers(of) => of.get(key).map(RuleValue::from),
            Self::TypedAnswers(of) => of.get(key),
            Self::Attributes(of) => of?.get(key).map(|text| RuleValue::Text(text)),
        }
    }

    pub(super) fn iter(self) -> Box<dyn Iterator<Item = (&'a str, RuleValue<'a>)> + 'a> {
        match self {
            Self::Answers(of) => Box::new(
                of.iter()
                    .map(|(key, value)| (key.as_str(), RuleValue::from(value))),
            ),
            Self::TypedAnswers(of) => Box::new(of.iter()),
            Self::Attributes(of) => Box::new(
                of.into_iter()
                    .flatten()
                    .map(|(key, text)| (key.as_str(), RuleValue::Text(text))),
            ),
        }
    }
}

impl<'a> TypedAnswers<'a> {
    pub(super) fn get(self, slug: &str) -> Option<RuleValue<'a>> {
        let answer = self.answers.get(slug)?;
        self.is_visible(slug)
            .then(|| to_typed_value(answer, self.questions.kind(slug)))?
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, RuleValue<'a>)> {
        self.answers
            .iter()
            .filter(move |(slug, _)| self.is_visible(slug))
            .filter_map(move |(slug, answer)| {
                Some((
                    slug.as_str(),
                    to_typed_value(answer, self.questions.kind(slug))?,
                ))
            })
    }

    fn is_visible(self, slug: &str) -> bool {
        self.hidden_answer != Some(slug)
    }
}

/// Returns the answer as a value of its question's type; `None` if the question was left blank. An
/// answer that does not fit its question stays as it was sent.
fn to_typed_value(answer: &Answer, kind: Option<QuestionKind>) -> Option<RuleValue<'_>> {
    match (answer, kind) {
        (Answer::Null, _) => None,
        (Answer::Text(text), _) if text.trim().is_empty() => None,
        (Answer::Text(text), Some(QuestionKind::Number)) => {
            let number = text
                .trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite());
            Some(number.map_or(RuleValue::Text(text), RuleValue::Double))
        }
        (Answer::Text(text), Some(QuestionKind::Flag)) => Some(match text.trim() {
            "true" => RuleValue::Bool(true),
            "false" => RuleValue::Bool(false),
            _ => RuleValue::Text(text),
        }),
        (
            Answer::Text(_) | Answer::Number(_) | Answer::Bool(_) | Answer::Map(_),
            Some(QuestionKind::List),
        ) => Some(RuleValue::List(ListRef::Answers(std::slice::from_ref(
            answer,
        )))),
        (_, _) => Some(RuleValue::from(answer)),
    }
}
