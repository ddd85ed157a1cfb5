//! What a source receives: the booker's address and the configured answers. A PIN is never among
//! the answers, because PINs are taken out of bookings when they are read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::booking::{Answer, Booking};
use crate::domain::id::Address;
use crate::domain::member_source::MemberSource;
use crate::external::template::TemplateValues;

/// The version of the shape below; it increases when something in the shape changes its meaning.
const SCHEMA: u32 = 1;

/// The longest answer that is sent, in characters: a number or a name, not a letter.
const MAX_ANSWER_CHARS: usize = 200;

/// A question about one booker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberQuestion {
    /// The booker's address.
    pub address: Address,
    /// The configured answers by slug; empty where the booker gave none.
    pub answers: BTreeMap<String, String>,
}

/// What a command reads from its standard input, on one line.
#[derive(Serialize)]
struct CommandInput<'a> {
    schema: u32,
    source: &'a str,
    /// `member`: about one booker; `members`: all.
    ask: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<&'a BTreeMap<String, String>>,
}

impl MemberQuestion {
    /// Returns the question of this source about the booker of a booking. `None`: the booker is not
    /// known.
    pub fn about(source: &MemberSource, booking: &Booking) -> Option<Self> {
        let address = booking.booker.as_ref()?.address.clone();
        let answers = source.answers.iter().map(|slug| {
            let answer = booking.answers.get(slug).map(to_text).unwrap_or_default();
            (
                slug.clone(),
                answer.chars().take(MAX_ANSWER_CHARS).collect(),
            )
        });
        Some(Self {
            address,
            answers: answers.collect(),
        })
    }

    /// Returns what distinguishes this question from others of the same source.
    pub(super) fn cache_key(&self) -> String {
        let mut key = self.address.as_str().to_owned();
        for answer in self.answers.values() {
            key.push('\n');
            key.push_str(answer);
        }
        key
    }

    /// Returns the values of the placeholders: `address`, and `answer.SLUG` for each answer.
    pub(super) fn template_values(&self) -> TemplateValues {
        let answers = self.answers.iter();
        let mut values: TemplateValues = answers
            .map(|(slug, answer)| (format!("answer.{slug}"), answer.clone()))
            .collect();
        values.insert("address".to_owned(), self.address.as_str().to_owned());
        values
    }

    pub(super) fn to_json_line(&self, source: &str) -> Vec<u8> {
        to_line(&CommandInput {
            schema: SCHEMA,
            source,
            ask: "member",
            address: Some(self.address.as_str()),
            answers: Some(&self.answers),
        })
    }
}

/// Returns what a command reads that is to list all members.
pub(super) fn list_question(source: &str) -> Vec<u8> {
    to_line(&CommandInput {
        schema: SCHEMA,
        source,
        ask: "members",
        address: None,
        answers: None,
    })
}

fn to_line(input: &CommandInput<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(input).expect("texts and numbers are JSON");
    line.push(b'\n');
    line
}

/// Returns an answer as one text. A list gives its elements with commas between them.
fn to_text(answer: &Answer) -> String {
    match answer {
        Answer::Null | Answer::Map(_) => String::new(),
        Answer::Bool(value) => value.to_string(),
        Answer::Number(value) => value.to_string(),
        Answer::Text(text) => text.trim().to_owned(),
        Answer::List(items) => {
            let items: Vec<String> = items.iter().map(to_text).collect();
            items.join(",")
        }
    }
}
